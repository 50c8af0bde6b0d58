"""Which senders a table shows: search, filters, order, page. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from sidedoor.audit.model import Verdict
from sidedoor.policy.decision import Submission
from sidedoor.report.words import utc
from sidedoor.web.roll import Due, Entry, Refused

SIZES = (25, 50, 100, 200)
DEFAULT_SIZE = 50


class Decided(StrEnum):
    """Whether a person has said something."""

    YES = "yes"  # honest or spoof
    NO = "no"  # nothing, or "unclear"
    OPEN = "open"  # closing the door waits for a person's word


class DueFilter(StrEnum):
    """Which due dates."""

    OVERDUE = "overdue"  # past
    SOON = "soon"  # past, or within a week
    ANY = "any"  # there is one
    NONE = "none"  # there is none


class Order(StrEnum):
    """What a table is sorted by."""

    URGENCY = "urgency"  # what a person must judge first, then by messages
    NAME = "name"
    MESSAGES = "messages"
    REFUSED = "refused"
    RECIPIENTS = "recipients"
    FIRST_SEEN = "first-seen"
    LAST_SEEN = "last-seen"
    DUE = "due"


@dataclass(frozen=True, slots=True)
class SenderQuery:
    """All of it holds; None and "" mean: no matter. backwards: the order turned round. page: from 1."""

    search: str = ""
    assessment: Verdict | None = None
    decided: Decided | None = None
    submission: Submission | None = None
    refused: Refused | None = None
    due: DueFilter | None = None
    seen_since: date | None = None
    new_since: date | None = None
    order: Order = Order.URGENCY
    backwards: bool = False
    page: int = 1
    size: int = DEFAULT_SIZE

    @property
    def narrows(self) -> bool:
        """Whether anything is asked for."""
        return any(
            (self.search.strip(), self.assessment, self.decided, self.submission, self.refused, self.due,
             self.seen_since, self.new_since)
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Found:
    """One page of what was found. page: the one shown, within those there are."""

    entries: tuple[Entry, ...]
    total: int
    page: int
    pages: int


_Test = Callable[[Entry], bool]
_KEYS: dict[Order, Callable[[Entry], Any]] = {
    Order.NAME: lambda entry: entry.sender.name.casefold(),
    Order.MESSAGES: lambda entry: -entry.sender.messages,
    Order.REFUSED: lambda entry: -entry.sender.would_reject,
    Order.RECIPIENTS: lambda entry: -entry.sender.recipients,
    Order.FIRST_SEEN: lambda entry: -utc(entry.sender.first_seen).timestamp(),
    Order.LAST_SEEN: lambda entry: -utc(entry.sender.last_seen).timestamp(),
    Order.DUE: lambda entry: entry.decision.due or date.max,
}


def find(entries: Sequence[Entry], query: SenderQuery, today: date) -> Found:
    """The page that was asked for; the last one where there are fewer. entries: in the order of URGENCY."""
    tests = _tests(query, today)
    kept = [entry for entry in entries if all(test(entry) for test in tests)]
    if query.order is not Order.URGENCY:
        kept.sort(key=_KEYS[query.order])
    if query.backwards:
        kept.reverse()
    size = min(max(query.size, 1), SIZES[-1])
    pages = max(1, -(-len(kept) // size))
    page = min(max(query.page, 1), pages)
    return Found(tuple(kept[(page - 1) * size : page * size]), len(kept), page, pages)


def _tests(query: SenderQuery, today: date) -> list[_Test]:
    return [*_words(query.search), *_facts(query), *_decisions(query, today)]


def _words(search: str) -> Iterable[_Test]:
    """Every word must stand somewhere."""
    for word in search.casefold().split()[:10]:
        yield lambda entry, word=word: entry.has(word)  # type: ignore[misc]


def _facts(query: SenderQuery) -> Iterable[_Test]:
    if query.assessment is not None:
        yield lambda entry: entry.assessment is query.assessment
    if query.submission is not None:
        yield lambda entry: entry.sender.submission is query.submission
    if query.refused is not None:
        yield lambda entry: entry.refused is query.refused
    if (since := query.seen_since) is not None:
        yield lambda entry: utc(entry.sender.last_seen).date() >= since
    if (new := query.new_since) is not None:
        yield lambda entry: utc(entry.sender.first_seen).date() >= new


def _decisions(query: SenderQuery, today: date) -> Iterable[_Test]:
    if query.decided is Decided.OPEN:
        yield lambda entry: entry.must_be_judged
    elif query.decided is not None:
        yield lambda entry: entry.decided is (query.decided is Decided.YES)
    wanted = {
        DueFilter.OVERDUE: {Due.OVERDUE},
        DueFilter.SOON: {Due.OVERDUE, Due.SOON},
        DueFilter.ANY: {Due.OVERDUE, Due.SOON, Due.LATER},
        DueFilter.NONE: {Due.NONE},
    }
    if query.due is not None:
        yield lambda entry: entry.due(today) in wanted[query.due]  # type: ignore[index]
