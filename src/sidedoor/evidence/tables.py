"""CSV tables in all the dialects exports come in, one logical row at a time, in bounded memory.

A row whose quotes do not fit is rejected by itself: an opened quote that nobody closes must not swallow the rest of
the file. So lines are gathered into a row while its quotes are odd in number, the row is parsed alone and strictly,
and where that fails only its first line is given up.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from sidedoor.errors import InputError
from sidedoor.evidence.record import RejectedRow
from sidedoor.evidence.text import open_text
from sidedoor.evidence.values import MAX_CELL

DELIMITERS = (",", ";", "\t", "|")
MAX_COLUMNS = 1_000
EXCERPT = 500
_MAX_LINE = 1 << 20  # characters of one physical line
_MAX_JOINED = 200  # physical lines of one row
_MAX_ROW = MAX_CELL * 4
_MAX_HEADER = MAX_CELL


class _Export(csv.Dialect):
    """RFC 4180, strictly: a quoted cell ends at its quote, doubled quotes stand for one."""

    delimiter = ","
    quotechar = '"'
    doublequote = True
    skipinitialspace = False
    lineterminator = "\n"
    quoting = csv.QUOTE_MINIMAL
    strict = True


def _dialect(separator: str) -> type[csv.Dialect]:
    return type("_ExportDialect", (_Export,), {"delimiter": separator})


_DIALECTS = {separator: _dialect(separator) for separator in DELIMITERS}


@dataclass(frozen=True, slots=True)
class Layout:
    """How a table is written: delimiter, the header's names as written, physical lines before the header's end."""

    delimiter: str
    header: tuple[str, ...]
    skip_lines: int  # before the header


def layout_of(path: Path) -> Layout | None:
    """The layout of a CSV file; None where its beginning is no table of two or more columns.

    Raises InputError for more than 1,000 columns and for bytes that are no text.
    """
    with open_text(path) as handle:
        return _find_header(path, handle)


def _find_header(path: Path, handle: TextIO) -> Layout | None:
    for skipped in range(10):
        line = handle.readline(_MAX_HEADER + 1)
        if not line or len(line) > _MAX_HEADER or "\0" in line:
            return None
        if line.strip() and not _preamble(line):
            return _header(path, line, skipped)
    return None


def _preamble(line: str) -> bool:
    """`#TYPE ...` of Windows PowerShell 5.1, and Excel's `sep=;`."""
    return line.lstrip('\ufeff"').startswith("#TYPE") or line.strip().lower().startswith("sep=")


def _header(path: Path, line: str, skipped: int) -> Layout | None:
    candidates = [(separator, _cells(line.lstrip("\ufeff"), separator)) for separator in DELIMITERS]
    separator, names = max(candidates, key=lambda pair: len(pair[1] or ()))
    if names is None or len(names) < 2:
        return None
    if len(names) > MAX_COLUMNS:
        raise InputError(str(path), f"a header of {len(names):,} columns", f"at most {MAX_COLUMNS:,}", skipped + 1)
    return Layout(separator, tuple(name.strip() for name in names), skipped)


def _cells(text: str, separator: str) -> list[str] | None:
    """The cells of one complete row; None where its quotes do not fit or a cell exceeds csv's limit."""
    try:
        return next(csv.reader((text,), _DIALECTS[separator]), None)
    except csv.Error:
        return None


def iter_rows(path: Path, layout: Layout) -> Iterator[tuple[int, list[str]] | RejectedRow]:
    """Rows below the header with their 1-based number; blank lines are no rows, unusable rows are rejected."""
    with open_text(path) as handle:
        for _ in range(layout.skip_lines + 1):
            handle.readline()
        yield from split_rows(physical_lines(handle), layout)


def physical_lines(handle: TextIO) -> Iterator[str]:
    """Physical lines; of an overlong one only the beginning (longer than the limit, so that it is seen to be)."""
    while line := handle.readline(_MAX_LINE + 1):
        if len(line) > _MAX_LINE:
            rest = line
            while rest and not rest.endswith(("\n", "\r")):
                rest = handle.readline(_MAX_LINE)
        yield line


def split_rows(lines: Iterator[str], layout: Layout) -> Iterator[tuple[int, list[str]] | RejectedRow]:
    """The rows that the lines make up, numbered from 1; blank lines are no rows, unusable rows are rejected."""
    number, width, dialect = 0, len(layout.header), _DIALECTS[layout.delimiter]
    pending: deque[str] = deque()
    while True:
        text = pending.popleft() if pending else next(lines, "")
        if not text:
            return
        if not text.strip() and (width == 1 or text.count(layout.delimiter) != width - 1):
            continue  # a line of as many tabs as the header has is a row of empty cells
        number += 1
        joined = _joined(text, pending, lines) if text.count('"') % 2 else text
        cells = None if len(joined) > _MAX_ROW or "\0" in joined else _parsed(joined, dialect)
        if cells is not None and len(cells) == width and (len(joined) <= MAX_CELL or max(map(len, cells)) <= MAX_CELL):
            if joined is not text:
                _drop(pending, joined, text)
            yield number, cells
        else:
            yield RejectedRow(number, _why(text, joined, cells, width), text[:EXCERPT])


def _parsed(text: str, dialect: type[csv.Dialect]) -> list[str] | None:
    try:
        return next(csv.reader((text,), dialect), None)
    except csv.Error:
        return None


def _joined(text: str, pending: deque[str], lines: Iterator[str]) -> str:
    """`text` with the lines that follow it until its quotes are even; they stay in `pending` until the row is good."""
    parts, size, odd, index = [text], len(text), True, 0
    while odd and index < _MAX_JOINED and size <= _MAX_ROW:
        if index == len(pending):
            line = next(lines, "")
            if not line:
                break
            pending.append(line)
        parts.append(pending[index])
        size += len(pending[index])
        odd ^= bool(pending[index].count('"') % 2)
        index += 1
    return text if odd else "".join(parts)


def _drop(pending: deque[str], joined: str, text: str) -> None:
    """Take the lines that became part of the row out of `pending`."""
    left = len(joined) - len(text)
    while left > 0:
        left -= len(pending.popleft())


def _why(text: str, joined: str, cells: list[str] | None, width: int) -> str:
    if "\0" in joined:
        return "a NUL character"
    if max(len(text), len(joined)) > MAX_CELL and (cells is None or len(cells) == width):
        return f"a cell or line of more than {MAX_CELL:,} characters"
    if cells is None or joined is not text:
        return "its quotes do not fit"
    return f"{len(cells)} cells; the header has {width}"
