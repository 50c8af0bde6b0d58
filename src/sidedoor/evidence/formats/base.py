"""What a format module hands to the registry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from sidedoor.evidence.clock import Clock
from sidedoor.evidence.interface import Format
from sidedoor.evidence.record import Record
from sidedoor.evidence.sources import Cells, text
from sidedoor.evidence.values import RowError, message_key

Decoder: TypeAlias = Callable[[int, Cells], list[Record]]


@dataclass(frozen=True, slots=True)
class Spec:
    """One format: how its columns betray it and how a row becomes records. All column names are folded.

    matches: whether a file with these columns is of the format. markers: columns that hardly occur elsewhere; a file
    with some of them that matches nothing is a damaged trace, not a stranger. expected: the header for messages.
    decoder: made once per file; each call raises RowError for an unusable row, and never gives an empty list.
    dates: the columns that may hold the row's date, the best first. envelope: text that marks an empty page of the
    format in an OData envelope. csv_columns: Record field to folded column, where the columnar engine may read it.
    """

    format: Format
    matches: Callable[[frozenset[str]], bool]
    markers: frozenset[str]
    expected: str
    decoder: Callable[[Clock], Decoder] | None
    dates: tuple[str, ...] = ()
    envelope: str | None = None
    csv_columns: Mapping[str, str] = field(default_factory=dict)


def required_time(cells: Cells, clock: Clock, names: tuple[str, ...]) -> str:
    """The row's date in UTC. Raises RowError where it has none."""
    written = text(cells, *names)
    if not written or written.isspace():
        raise RowError("no date")
    return clock.read(written)


def identity(
    cells: Cells, key_column: str, id_columns: tuple[str, ...], *addresses: str | None
) -> tuple[str, str | None]:
    """(message_key, message_id); raises RowError where the row names neither a message nor any address."""
    key = message_key(text(cells, key_column) or "")
    message_id = (text(cells, *id_columns) or "").strip() or None
    if not key and not message_id and not any(addresses):
        raise RowError("no message identifier and no address")
    return key, message_id
