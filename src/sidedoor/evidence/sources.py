"""Where rows come from, whatever the file's form: each source gives numbered rows of cells by folded column name.

A column's folded name is its letters and digits in lower case: `origin_timestamp_utc`, `Origin Timestamp (UTC)` and
`OriginTimestampUtc` are one column.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Protocol, TypeAlias

from sidedoor.evidence.objects import iter_objects
from sidedoor.evidence.record import RejectedRow
from sidedoor.evidence.tables import EXCERPT, Layout, iter_rows
from sidedoor.evidence.values import MAX_CELL, RowError

Cells: TypeAlias = Mapping[str, object]


class Source(Protocol):
    """Rows of one file, readable any number of times."""

    @property
    def path(self) -> Path:
        """The file."""

    @property
    def columns(self) -> frozenset[str]:
        """Folded names of the columns it has (of its first rows, where rows may differ)."""

    def rows(self) -> Iterator[tuple[int, Cells] | RejectedRow]:
        """All data rows in file order with their 1-based number."""


@lru_cache(maxsize=4096)
def fold(name: str) -> str:
    """A column's name without case, blanks, underscores, hyphens; "" for side-car keys such as `Size@data.type`."""
    return "" if "@" in name else "".join(letter for letter in name.lower() if letter.isalnum())


@dataclass(frozen=True, slots=True)
class CsvSource:
    """A CSV file."""

    path: Path
    layout: Layout

    @property
    def columns(self) -> frozenset[str]:
        return frozenset(map(fold, self.layout.header))

    def rows(self) -> Iterator[tuple[int, Cells] | RejectedRow]:
        names = unique([fold(name) for name in self.layout.header])
        for row in iter_rows(self.path, self.layout):
            yield row if isinstance(row, RejectedRow) else (row[0], dict(zip(names, row[1], strict=True)))


@dataclass(frozen=True, slots=True)
class ObjectSource:
    """JSON, NDJSON or CliXML: what `evidence.objects` reads."""

    path: Path
    columns: frozenset[str]

    def rows(self) -> Iterator[tuple[int, Cells] | RejectedRow]:
        for number, item in iter_objects(self.path):
            yield number, fold_object(item)


def unique(names: Sequence[str]) -> list[str]:
    """The names with repeated ones blanked: the first column of a name is the one that counts."""
    seen: set[str] = set()
    return ["" if name in seen or seen.add(name) else name for name in names]  # type: ignore[func-returns-value]


def fold_object(item: Mapping[str, object]) -> Cells:
    """An object's cells; of a record of the streaming API its `properties`, with the outer tenantId and category."""
    inner = item.get("properties")
    if isinstance(inner, Mapping) and "category" in item:
        outer = {"streamtenantid": item.get("tenantId"), "streamcategory": item.get("category")}
        return {**{fold(str(key)): value for key, value in inner.items()}, **outer}
    return {fold(key): value for key, value in item.items()}


def columns_of(items: Iterable[Mapping[str, object]]) -> frozenset[str]:
    """Folded names that occur in any of the objects."""
    return frozenset(name for item in items for name in fold_object(item)) - {""}


def text(cells: Cells, *names: str) -> str | None:
    """The first of the named columns that holds something, as text; None where all are missing or null.

    Raises RowError for a cell that is a list or an object, or longer than 64 KB.
    """
    for name in names:
        value = cells.get(name)
        if value is not None:
            found = value if isinstance(value, str) else _as_text(value, name)
            if len(found) > MAX_CELL:
                raise RowError(f"a cell of {len(found):,} characters; {MAX_CELL:,} is the most")
            return found
    return None


def _as_text(value: object, name: str) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bool | int | float):
        return str(value)
    raise RowError(f"{name} is no text but {type(value).__name__}")


def excerpt(cells: Cells) -> str:
    """A row for the list of rejected rows: its cells as JSON, cut at 500 characters."""
    shown = {name: value[:EXCERPT] if isinstance(value, str) else str(value)[:EXCERPT] for name, value in cells.items()}
    return json.dumps(shown, ensure_ascii=False)[:EXCERPT]
