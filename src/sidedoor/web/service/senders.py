"""Senders: rows of the table, and one sender with all there is to know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any

from sidedoor.audit.model import Verdict
from sidedoor.plan.model import Choice, Plan
from sidedoor.policy.decision import Submission
from sidedoor.report import words
from sidedoor.report.json_report import authentication
from sidedoor.store.model import Decision, TrailEntry, Word
from sidedoor.web.book import Book
from sidedoor.web.query import SenderQuery, find
from sidedoor.web.roll import Due, Entry, Refused, Roll
from sidedoor.web.service.describe import doc
from sidedoor.web.service.trail import TrailLine, lines_of

_FEW = 3
_MOST_PLACES = 200
_MOST_DAYS = 400


@dataclass(frozen=True, slots=True)
class Said:
    """What people decided of a sender."""

    assessment: Annotated[Word, doc("What it is; empty where nobody has said anything.")]
    owner: Annotated[str, doc("The mail address of whoever looks after it.")]
    method: Annotated[str, doc("The way in that it is to take, as in plan.toml; empty where it is left to the plan.")]
    note: str
    due: Annotated[date | None, doc("The day by which it must have moved.")]
    by: Annotated[str, doc("Who decided last.")]
    at: datetime | None
    version: Annotated[int, doc("Rises with each change; 0 where nothing was ever said.")]


@dataclass(frozen=True, slots=True)
class SenderRow:
    """One device, application, service or attacker."""

    key: Annotated[str, doc("Stays the same from report to report.")]
    id: Annotated[str, doc("Its id in report.json.")]
    name: str
    assessment: Annotated[Verdict, doc("A person's word, else the audit's.")]
    audit_assessment: Annotated[Verdict, doc("What the audit says.")]
    confidence: Annotated[float, doc("Of the audit's assessment, 0 to 1.")]
    decision: Said
    due: Annotated[Due, doc("How it stands to its due date.")]
    submission: Annotated[Submission, doc("How its mail got in.")]
    refused: Annotated[Refused, doc("Whether RejectDirectSend would refuse its mail.")]
    in_the_way: Annotated[bool, doc("Whether closing the door today would, or may, lose its mail.")]
    messages: Annotated[int, doc("Messages in the window, counted per recipient.")]
    messages_refused: Annotated[int, doc("Messages that RejectDirectSend would refuse.")]
    messages_unknown: Annotated[int, doc("Messages for which that cannot be told.")]
    messages_blocked: Annotated[int, doc("Messages that a door which keeps a log has refused.")]
    recipients: int
    active_days: int
    first_seen: datetime
    last_seen: datetime
    networks: Annotated[tuple[str, ...], doc("The first few; the sender itself has all.")]
    why: Annotated[str, doc("The reason that weighs most.")]


@dataclass(frozen=True, slots=True)
class SenderPage:
    """A page of the table."""

    items: tuple[SenderRow, ...]
    total: Annotated[int, doc("How many there are in all pages.")]
    page: int
    pages: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """One reason."""

    id: str
    text: str
    weight: Annotated[float, doc("Positive speaks for an honest sender.")]


@dataclass(frozen=True, slots=True)
class Place:
    """Where it was seen."""

    address: Annotated[str, doc("The client address; empty where unknown.")]
    domain: Annotated[str, doc("Domain of envelope senders; empty where unknown.")]


@dataclass(frozen=True, slots=True)
class DayOf:
    """Messages of a day (UTC)."""

    day: date
    messages: int


@dataclass(frozen=True, slots=True)
class SenderDetail(SenderRow):
    """One sender with all there is to know."""

    reasons: Annotated[tuple[Evidence, ...], doc("Everything that was weighed, the heaviest first.")]
    balance: Annotated[float, doc("Sum of the weights.")]
    recommendation: str
    service: str | None
    product: Annotated[str | None, doc("The entry of the catalogue that it is, where something proves it.")]
    claims_product: Annotated[str | None, doc("The entry that it says it is, where nothing proves any.")]
    envelope_domains: tuple[str, ...]
    mail_from: Annotated[tuple[str, ...], doc("Envelope senders, the commonest first, up to 50.")]
    header_from: Annotated[tuple[str, ...], doc("Addresses people see, up to 50.")]
    helo: tuple[str, ...]
    authentication: Annotated[dict[str, dict[str, int]], doc("spf, dkim, dmarc, ...: result to messages.")]
    places: Annotated[tuple[Place, ...], doc(f"Up to {_MOST_PLACES}.")]
    days: Annotated[tuple[DayOf, ...], doc("Days with messages.")]
    last_blocked: datetime | None
    plan: Annotated[Choice | None, doc("What the plan does about it.")]
    trail: Annotated[tuple[TrailLine, ...], doc("Who decided what, the newest first.")]


def said_of(decision: Decision) -> Said:
    """A decision for showing."""
    return Said(
        decision.assessment, decision.owner, decision.method, decision.note, decision.due, decision.by, decision.at,
        decision.version,
    )  # fmt: skip


def row_of(entry: Entry, book: Book, today: date) -> SenderRow:
    """A row of the table."""
    return SenderRow(**_row(entry, book, today))


def _row(entry: Entry, book: Book, today: date) -> dict[str, Any]:
    sender = entry.sender
    return {
        "key": entry.key, "id": sender.id, "name": sender.name, "assessment": entry.assessment,
        "audit_assessment": sender.assessment, "confidence": sender.confidence, "decision": said_of(entry.decision),
        "due": entry.due(today), "submission": sender.submission, "refused": entry.refused,
        "in_the_way": entry.stands_in_the_way, "messages": sender.messages, "messages_refused": sender.would_reject,
        "messages_unknown": sender.would_reject_unknown, "messages_blocked": book.seen_of(sender.id).blocked,
        "recipients": sender.recipients, "active_days": sender.active_days, "first_seen": sender.first_seen,
        "last_seen": sender.last_seen, "networks": sender.networks[:_FEW], "why": words.leading_reason(sender),
    }  # fmt: skip


def senders(book: Book, roll: Roll, query: SenderQuery, today: date) -> SenderPage:
    """The page of the table that was asked for."""
    found = find(roll.entries, query, today)
    return SenderPage(
        tuple(row_of(entry, book, today) for entry in found.entries), found.total, found.page, found.pages
    )


def sender(book: Book, entry: Entry, trail: Sequence[TrailEntry], today: date) -> SenderDetail:
    """Everything about one."""
    of, seen = entry.sender, book.seen_of(entry.sender.id)
    reasons = sorted(of.reasons, key=lambda reason: (-abs(reason.weight), reason.id))
    days = sorted(seen.daily.items())[-_MOST_DAYS:]
    return SenderDetail(
        **_row(entry, book, today) | {"networks": of.networks},
        reasons=tuple(Evidence(reason.id, reason.text, reason.weight) for reason in reasons),
        balance=round(sum(reason.weight for reason in of.reasons), 3),
        recommendation=of.recommendation,
        service=of.service,
        product=of.product,
        claims_product=of.claims_product,
        envelope_domains=of.envelope_domains,
        mail_from=of.mail_from,
        header_from=of.header_from,
        helo=of.helo,
        authentication=authentication(of),
        places=tuple(Place(*place) for place in sorted(seen.places)[:_MOST_PLACES]),
        days=tuple(DayOf(day, messages) for day, messages in days),
        last_blocked=seen.last_blocked,
        plan=_choice(book.plan, of.id),
        trail=lines_of(trail),
    )


def _choice(plan: Plan | None, sender_id: str) -> Choice | None:
    choices = () if plan is None else plan.choices
    return next((choice for choice in choices if choice.sender == sender_id), None)
