"""The audit trail: who did what, when, by which way."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from sidedoor.report.csv_report import cell
from sidedoor.report.words import iso
from sidedoor.store.model import TrailEntry
from sidedoor.store.tenant import TenantStore
from sidedoor.web.service.describe import doc

PAGE = 100
_EXPORT = 1_000  # entries read at once


@dataclass(frozen=True, slots=True)
class TrailLine:
    """One line."""

    number: Annotated[int, doc("Rises with each line.")]
    at: datetime
    who: str
    via: Annotated[str, doc("web, api or cli.")]
    what: Annotated[str, doc("decide, acknowledge, snooze, accept, tick, release, delete, plan, ...")]
    subject: Annotated[str, doc("A sender's key, an alert's id, a message's id, a step of the plan.")]
    before: Annotated[dict[str, Any], doc("What held before, as far as it changed.")]
    after: dict[str, Any]


@dataclass(frozen=True, slots=True)
class TrailPage:
    """The newest lines, or those older than some number."""

    items: tuple[TrailLine, ...]
    next: Annotated[int | None, doc("`before` of the next page; null where this is the last.")]


def lines_of(entries: Iterable[TrailEntry]) -> tuple[TrailLine, ...]:
    """Entries for showing."""
    return tuple(
        TrailLine(
            each.number, each.at, each.who, each.via, each.what, each.subject, dict(each.before), dict(each.after)
        )
        for each in entries
    )


def trail(store: TenantStore, before: int | None = None, subject: str | None = None) -> TrailPage:
    """A page of the trail."""
    found = store.trail(subject, PAGE + 1, before)
    shown = found[:PAGE]
    return TrailPage(lines_of(shown), shown[-1].number if len(found) > PAGE else None)


def export(store: TenantStore) -> Iterator[str]:
    """The whole trail as CSV, the newest line first, some lines at a time."""
    yield _csv([("number", "at", "who", "via", "what", "subject", "before", "after")])
    before = None
    while entries := store.trail(None, _EXPORT, before):
        yield _csv([_cells(entry) for entry in entries])
        before = entries[-1].number


def _cells(entry: TrailEntry) -> tuple[str, ...]:
    texts = (entry.who, entry.via, entry.what, entry.subject)
    return (str(entry.number), iso(entry.at), *map(cell, texts), _json(entry.before), _json(entry.after))


def _json(values: Mapping[str, Any]) -> str:
    return json.dumps(dict(values), ensure_ascii=True, sort_keys=True)


def _csv(rows: Sequence[Sequence[str]]) -> str:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue()
