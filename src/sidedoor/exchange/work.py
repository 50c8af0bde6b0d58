"""A piece of work that can be cut off anywhere: steps with a cursor between them, each kept whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

Cursor: TypeAlias = Mapping[str, object]
Line: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """What one request gave. `cursor`: where to go on, None where the work is done. `missing`: what it could not get.

    `lines`: cells of a CSV row, or one cell with a JSON object. `told`: sentences about oddities, nothing is missing.
    """

    lines: Sequence[Line]
    cursor: Cursor | None
    missing: Sequence[str] = ()
    told: Sequence[str] = ()


class Work(Protocol):
    """Something to collect into one file."""

    @property
    def name(self) -> str:
        """The file's name in the folder; `.csv`, or `.json` for an array of objects."""

    @property
    def header(self) -> Line:
        """Names of the columns; () for JSON."""

    def start(self) -> Cursor:
        """The first cursor."""

    def resume(self, lines: Iterable[Line]) -> None:
        """Told before the first step: the lines that are on disk already; none where there are no columns."""

    def progress(self, rows: int, cursor: Cursor | None) -> str:
        """How far it has come, for people, with `rows` lines kept; cursor None: to its end."""

    def step(self, cursor: Cursor) -> Step:
        """One request's worth. Raises RefusedError where the work cannot go on at all, UnreachableError."""
