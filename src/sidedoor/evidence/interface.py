"""What a reader of an export format is, and what recognising a file gives.

A new format is one module in `evidence/formats/` with a `Format`, plus one line in `evidence/registry.py`.
Readers raise InputError for a file that is not what it claims to be; a bad row is a RejectedRow, not an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from sidedoor.evidence.record import Record, RejectedRow


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What a person may say about how to read: `date_format` for culture-shaped dates, as given on the command line."""

    date_format: str | None = None


@dataclass(frozen=True, slots=True)
class CsvShape:
    """How a CSV export is written, so that the columnar engine can read a large one without Python in between.

    `columns` maps fields of Record to header names; only formats with one row per recipient have a shape.
    `timestamp` is `iso` (7 fractional digits and Z allowed) or a strptime pattern that was stated or proven.
    """

    delimiter: str
    header: tuple[str, ...]  # all column names of the file, in order
    skip_lines: int  # physical lines before the header, such as `#TYPE ...`
    columns: Mapping[str, str]
    timestamp: str


class Reader(Protocol):
    """Yields what the file holds, in file order, in bounded memory."""

    def __call__(self, path: Path, options: ReadOptions) -> Iterator[Record | RejectedRow]: ...


@dataclass(frozen=True, slots=True)
class Format:
    """One export format.

    name: stable id shown in coverage (`message-trace-v2`, `trace-detail-v2`, `graph-message-trace`,
    `historical-enhanced`, `historical-extended`, `connector-report`, `email-events`, ...).
    truncation_caps: row counts that mean the export was cut off (exactly 5,000, 30,000, 100,000).
    cannot_tell: facts the format never holds, with the export that does, for coverage.
    note: what coverage says of every file of the format, such as that it holds no messages; "" for nothing.
    one_encoding: whether a file is text in one encoding, of which coverage says when it had to be guessed.
    """

    name: str
    title: str
    truncation_caps: tuple[int, ...] = ()
    cannot_tell: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    one_encoding: bool = True


@dataclass(frozen=True, slots=True)
class Recognised:
    """A file whose content is known: its format and the reader bound to it.

    `csv` is given where the columnar engine may read the file by itself; the result must be the same. `parts` are the
    files of a folder that is one input.
    """

    path: Path
    format: Format
    read: Callable[[ReadOptions], Iterator[Record | RejectedRow]]
    csv: Callable[[ReadOptions], CsvShape | None] | None = None
    parts: tuple[Path, ...] = ()
