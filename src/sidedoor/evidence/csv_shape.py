"""Whether a CSV can be read by the columnar engine alone, and how its columns and dates are written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

from sidedoor.evidence.clock import Clock
from sidedoor.evidence.dates import DateOrder
from sidedoor.evidence.interface import CsvShape, ReadOptions
from sidedoor.evidence.record import RejectedRow
from sidedoor.evidence.sources import fold
from sidedoor.evidence.tables import Layout, iter_rows
from sidedoor.evidence.text import encoding_of

_MOST_LOOKED_AT = 10_000  # rows that may be broken before the sample is complete
_SAMPLE = 100  # rows looked at; a later row that differs is left to the row reader by the engine
_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,7})?Z?")
_SHORT = re.compile(
    r"[0-9]{1,2}(?P<sep>[./-])[0-9]{1,2}(?P=sep)[0-9]{4} "
    r"[0-9]{1,2}:[0-9]{2}(?P<second>:[0-9]{2})?(?P<half> [AP]M)?"
)
_DAY_PATTERNS = {DateOrder.MDY: "%m{0}%d{0}%Y", DateOrder.DMY: "%d{0}%m{0}%Y"}


def csv_shape(path: Path, layout: Layout, wanted: dict[str, str], options: ReadOptions) -> CsvShape | None:
    """The shape; None where Python must read the file: no UTF-8, a name twice, a column missing, unusual dates.

    `wanted` maps Record fields to folded column names. Raises InputError where dates stay ambiguous.
    """
    folded = [fold(name) for name in layout.header]
    if (
        len(set(folded)) < len(folded)
        or not set(wanted.values()) <= set(folded)
        or encoding_of(path) not in {"utf-8", "utf-8-sig"}
    ):
        return None
    column = folded.index(wanted["received_at"])
    clock = Clock(path, options.date_format, partial(_dates, path, layout, column))
    readable = _dates(path, layout, column, _MOST_LOOKED_AT)
    timestamp = _timestamp(list(islice(readable, _SAMPLE)), clock)
    if timestamp is None:
        return None
    columns = {name: layout.header[folded.index(source)] for name, source in wanted.items()}
    return CsvShape(layout.delimiter, layout.header, layout.skip_lines, columns, timestamp)


def _dates(path: Path, layout: Layout, column: int, most: int | None = None) -> Iterator[str]:
    """The date cells of readable rows, among the first `most` rows where that is given."""
    for row in islice(iter_rows(path, layout), most):
        if not isinstance(row, RejectedRow):
            yield row[1][column]


def _timestamp(sample: Sequence[str], clock: Clock) -> str | None:
    """`iso`, or the strptime pattern that all sampled dates follow; None for anything else."""
    if clock.pattern is not None or not sample:
        return None
    if all(map(_ISO.fullmatch, sample)):
        return "iso"
    matches = [_SHORT.fullmatch(text) for text in sample]
    forms = {(m["sep"], bool(m["second"]), bool(m["half"])) if m else None for m in matches}
    if len(forms) != 1 or (form := forms.pop()) is None:
        return None
    separator, seconds, half = form
    order = DateOrder.DMY if separator == "." else clock.order or clock.prove()
    if order not in _DAY_PATTERNS:
        return None
    hour = "%I:%M" if half else "%H:%M"
    return f"{_DAY_PATTERNS[order].format(separator)} {hour}{':%S' if seconds else ''}{' %p' if half else ''}"
