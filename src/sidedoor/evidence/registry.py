"""Which export a file is, told by its content and never by its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from sidedoor.errors import InputError
from sidedoor.evidence.clock import Clock
from sidedoor.evidence.csv_shape import csv_shape
from sidedoor.evidence.formats import (
    connector_report,
    edge_log,
    email_events,
    historical,
    message,
    message_trace,
    summaries,
    trace_detail,
    tracking_log,
)
from sidedoor.evidence.formats.base import Spec
from sidedoor.evidence.interface import Format, ReadOptions, Recognised
from sidedoor.evidence.objects import envelope_of, peek_objects
from sidedoor.evidence.record import Record, RejectedRow
from sidedoor.evidence.sources import CsvSource, ObjectSource, Source, columns_of, excerpt, fold, text
from sidedoor.evidence.tables import Layout, layout_of
from sidedoor.evidence.text import detect_encoding
from sidedoor.evidence.values import RowError
from sidedoor.evidence.workbook import open_archive

_SPECS: tuple[Spec, ...] = (
    *tracking_log.SPECS,  # before the search, whose columns a log has too
    *historical.SPECS,
    *message_trace.SPECS,
    *trace_detail.SPECS,
    *connector_report.SPECS,
    *email_events.SPECS,
    *edge_log.SPECS,
    *summaries.SPECS,
)
FORMATS: tuple[Format, ...] = (*(spec.format for spec in _SPECS), message.MESSAGE)
"""Every format that can be recognised."""

_HEAD = 65_536
_NEAR = 2  # marker columns that make an unknown header a damaged trace rather than a stranger
_SHOWN = 300


def recognise(path: Path) -> Recognised | None:
    """The format of a file and a reader for it; None for a file of no known trace format.

    Raises InputError for an empty file, an archive, and for a table that looks like a trace but lacks what it needs.
    """
    head = _head(path)
    if not head.strip(b"\0\r\n\t \xef\xbb\xbf\xff\xfe"):
        found = "nothing but NUL bytes" if b"\0" in head[8:] else "an empty file"
        raise InputError(str(path), found, "an export with at least a header")
    if head.startswith(b"PK\x03\x04"):
        workbook = open_archive(path)
        return _recognised(workbook, _spec_of(workbook.columns))
    if (messages := message.recognise_messages(path)) is not None:
        return messages
    first = _first_character(head)
    if first == "{" and (lines := edge_log.open_log(path, head)):
        return _recognised(lines, _spec_of(lines.columns))
    if first in {"{", "[", "<"}:
        return _objects(path)
    if first == "#" and (log := tracking_log.open_log(path)):
        return _log(log)
    return _table(path) if first and first.isprintable() else None


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as handle:
            return handle.read(_HEAD)
    except OSError as error:
        raise InputError(str(path), f"no readable file ({error.strerror})", "an export") from error


def _first_character(head: bytes) -> str:
    """The first character that is no white space, "" for bytes that are no text."""
    decoded = head.decode(detect_encoding(head), errors="replace").lstrip("\ufeff \t\r\n")
    # A file of NUL or control bytes is no export; one stray NUL far down rejects its row only.
    return decoded[:1] if "\0" not in decoded[:512] and "\ufffd" not in decoded[:64] else ""


def _objects(path: Path) -> Recognised | None:
    items = peek_objects(path)
    if items is None:
        return None
    columns = columns_of(items)
    spec = _spec_of(columns) if columns else _spec_of_envelope(envelope_of(path))
    if spec is None:
        _refuse_near_miss(path, columns, [key for item in items[:1] for key in item], None)
        return None
    return _recognised(ObjectSource(path, columns), spec)


def _spec_of_envelope(envelope: Mapping[str, object]) -> Spec | None:
    """An empty page is still a page of its format."""
    context = str(envelope.get("@odata.context") or envelope.get("odata.metadata") or "").lower()
    return next((spec for spec in _SPECS if spec.envelope and spec.envelope in context), None)


def _log(log: tracking_log.LogSource) -> Recognised | None:
    """A log of other columns (protocol logs, agents' logs) is a stranger, unless it nearly is a tracking log."""
    spec = _spec_of(log.columns)
    if spec is None:
        _refuse_near_miss(log.path, log.columns, log.header, None, tracking_log.SPECS)
    return _recognised(log, spec)


def _table(path: Path) -> Recognised | None:
    layout = layout_of(path)
    if layout is None:
        return None
    source = CsvSource(path, layout)
    spec = _spec_of(source.columns)
    if spec is None:
        _refuse_near_miss(path, source.columns, layout.header, layout.skip_lines + 1)
        return None
    return _recognised(source, spec, layout)


def _spec_of(columns: frozenset[str]) -> Spec | None:
    return next((spec for spec in _SPECS if spec.matches(columns)), None)


def _refuse_near_miss(
    path: Path, columns: frozenset[str], names: Sequence[str], line: int | None, specs: Sequence[Spec] = _SPECS
) -> None:
    """Raises InputError for a header that has a trace's own columns but not enough of them."""
    nearest = max(specs, key=lambda spec: len(spec.markers & columns))
    if len(nearest.markers & columns) >= _NEAR:
        found = ", ".join(name for name in names if fold(name))[:_SHOWN]
        raise InputError(
            str(path), f"the columns {found}", f"those of {nearest.format.title}: {nearest.expected}", line
        )


def _recognised(source: Source, spec: Spec | None, layout: Layout | None = None) -> Recognised | None:
    if spec is None:
        return None
    reader: Callable[[ReadOptions], Iterator[Record | RejectedRow]] = partial(_read, source, spec)
    csv = (
        partial(csv_shape, source.path, layout, dict(spec.csv_columns))
        if layout is not None and spec.csv_columns
        else None
    )
    return Recognised(source.path, spec.format, reader, csv)


def _read(source: Source, spec: Spec, options: ReadOptions) -> Iterator[Record | RejectedRow]:
    if spec.decoder is None:
        return
    decode = spec.decoder(Clock(source.path, options.date_format, partial(all_dates, source, spec)))
    for row in source.rows():
        if isinstance(row, RejectedRow):
            yield row
            continue
        number, cells = row
        try:
            records = decode(number, cells)
        except RowError as error:
            yield RejectedRow(number, str(error), excerpt(cells))
        else:
            yield from records


def all_dates(source: Source, spec: Spec) -> Iterator[str]:
    """The date cell of every row that has one."""
    for row in source.rows():
        if isinstance(row, RejectedRow):
            continue
        try:
            yield text(row[1], *spec.dates) or ""
        except RowError:
            continue
