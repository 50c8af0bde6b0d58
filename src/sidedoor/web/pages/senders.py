"""The table of senders, one sender, and what people say of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import Enum
from functools import partial
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Query, Request
from starlette.responses import Response

from sidedoor.audit.model import DayCount, Verdict
from sidedoor.policy.decision import Submission
from sidedoor.report import words
from sidedoor.report.timeline import Bar, Chart, chart, gather
from sidedoor.store.model import Word
from sidedoor.web import labels
from sidedoor.web.access.needs import needs
from sidedoor.web.access.roles import Role
from sidedoor.web.book import Book
from sidedoor.web.pages.common import Empty, Here, Report, Who, at, back, must, no_report, render
from sidedoor.web.query import DEFAULT_SIZE, Decided, DueFilter, Order, SenderQuery
from sidedoor.web.roll import METHODS, Refused
from sidedoor.web.service import senders as service
from sidedoor.web.service.deciding import MOST_NOTE, Invalid, Stale, Wanted, decide
from sidedoor.web.tenant import Tenant

router = APIRouter(include_in_schema=False)


def asked(
    q: Annotated[str, Query(max_length=200)] = "",
    assessment: Annotated[Verdict | None, Empty] = None,
    decided: Annotated[Decided | None, Empty] = None,
    submission: Annotated[Submission | None, Empty] = None,
    refused: Annotated[Refused | None, Empty] = None,
    due: Annotated[DueFilter | None, Empty] = None,
    seen_since: Annotated[date | None, Empty] = None,
    new_since: Annotated[date | None, Empty] = None,
    order: Order = Order.URGENCY,
    backwards: bool = False,
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
    size: Annotated[int, Query(ge=1, le=200)] = DEFAULT_SIZE,
) -> SenderQuery:
    """Search, filters, order and page, from the address."""
    return SenderQuery(
        q, assessment, decided, submission, refused, due, seen_since, new_since, order, backwards, page, size
    )


def address(tenant: Tenant, query: SenderQuery, **changes: Any) -> str:
    """Where the table is found with these filters; what is as usual is left out. Another order begins at page 1."""
    wanted = replace(query, **({"page": 1} | changes))
    values = {
        "q" if name == "search" else name: _text(getattr(wanted, name))
        for name in SenderQuery.__slots__
        if getattr(wanted, name) != getattr(_USUAL, name)
    }
    return f"{at(tenant, 'senders')}{'?' if values else ''}{urlencode(values)}"


_USUAL = SenderQuery()


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value.value if isinstance(value, Enum) else value)


@router.get("/t/{tenant}/senders")
@needs(Role.READER)
def senders(request: Request, tenant: Here, book: Report, query: Annotated[SenderQuery, Depends(asked)]) -> Response:
    """The table."""
    if book is None:
        return no_report(request)
    found = service.senders(book, tenant.roll(book), query, tenant.clock().date())
    return render(
        request, "senders.html.j2", found=found, counts_all=len(tenant.roll(book).entries), query=query,
        link=partial(address, tenant, query), Order=Order, choices=_CHOICES,
    )  # fmt: skip


# Field, label, and the words of its values; what is not chosen does not matter.
_CHOICES = (
    ("assessment", "Assessment", {each.value: word for each, word in words.ASSESSMENT.items()}),
    ("decided", "Decision", {each.value: word for each, word in labels.DECIDED.items()}),
    ("refused", "If closed", {each.value: word for each, word in labels.REFUSED.items()}),
    ("submission", "Way in", {
        each.value: words.SUBMISSION[each][0]
        for each in (Submission.DIRECT_SEND, Submission.SENT_DIRECTLY, Submission.INTERNET, Submission.UNDETERMINED)
    }),
    ("due", "Due", {each.value: word for each, word in labels.DUE.items()}),
)  # fmt: skip


@router.get("/t/{tenant}/senders/{key}")
@needs(Role.READER)
def sender(request: Request, tenant: Here, book: Report, key: str) -> Response:
    """One sender with everything."""
    return _page(Asked(request, tenant, book, key))


@dataclass(frozen=True, slots=True)
class Asked:
    """Which sender's page is wanted; with what somebody wanted to say, where it could not be kept."""

    request: Request
    tenant: Tenant
    book: Book | None
    key: str
    wanted: Wanted | None = None
    errors: Mapping[str, str] = field(default_factory=dict)
    stale: Stale | None = None


def _page(asked: Asked, status: int = 200) -> Response:
    tenant, book = asked.tenant, asked.book
    if book is None:
        return no_report(asked.request)
    entry = must(tenant.roll(book).by_key.get(asked.key), "There is no such sender in the newest report.")
    of = service.sender(book, entry, tenant.store.trail(asked.key, _MOST_TRAIL), tenant.clock().date())
    bars, charts = _days(of)
    return render(
        asked.request, "sender.html.j2", status, of=of, bars=bars, charts=charts, methods=METHODS, Word=Word,
        most_note=MOST_NOTE, wanted=asked.wanted or _kept(of), errors=asked.errors, stale=asked.stale,
    )  # fmt: skip


_MOST_TRAIL = 50


def _kept(of: service.SenderDetail) -> Wanted:
    said = of.decision
    return Wanted(said.assessment, said.owner, said.method, said.note, said.due)


def _days(of: service.SenderDetail) -> tuple[tuple[Bar, ...], tuple[Chart, ...]]:
    """Its days as bars, in the colour of what it is."""
    counts = [
        DayCount(each.day, **{verdict.value: each.messages if verdict is of.assessment else 0 for verdict in Verdict})
        for each in of.days
    ]
    bars = gather(counts)
    return bars, (chart(bars, "wide", 1_000, 160), chart(bars, "narrow", 340, 160)) if bars else ()


@router.post("/t/{tenant}/senders/{key}")
@needs(Role.OPERATOR)
def say(
    request: Request, tenant: Here, book: Report, visitor: Who, key: str, version: Annotated[int, Form()],
    assessment: Annotated[Word, Form()] = Word.NONE, owner: Annotated[str, Form()] = "",
    method: Annotated[str, Form()] = "", note: Annotated[str, Form()] = "",
    due: Annotated[date | None, Form(), Empty] = None,
) -> Response:  # fmt: skip
    """Say what a sender is, whose, and by when it moves."""
    wanted = Wanted(assessment, owner, method, note, due)
    if book is not None:
        must(tenant.roll(book).by_key.get(key), "There is no such sender in the newest report.")
    try:
        decide(tenant, key, wanted, version, visitor)
    except Invalid as error:
        return _page(Asked(request, tenant, book, key, wanted, error.errors), 422)
    except Stale as error:
        return _page(Asked(request, tenant, book, key, wanted, stale=error), 409)
    return back(at(tenant, "senders", key), "decided")
