"""What if: the history at the door with the switch either way and any of the plan's connectors, answered from flows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated

from sidedoor.audit.model import Verdict
from sidedoor.mail.fact import Unknown
from sidedoor.plan.model import ConnectorProposal, Tally
from sidedoor.plan.what_if import SenderAnswer
from sidedoor.web.book import Book
from sidedoor.web.problems import Problem
from sidedoor.web.roll import Roll
from sidedoor.web.service.describe import doc

MOST_LISTED = 100


@dataclass(frozen=True, slots=True)
class ConnectorChoice:
    """A connector that may be put in place."""

    name: str
    about: Annotated[str, doc("What it knows its own by, and for mail of which domains.")]
    senders: Annotated[int, doc("Senders that it is for.")]
    lockdown: Annotated[bool, doc("Whether it refuses all mail that does not come from the filter.")]
    chosen: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """Messages by what becomes of them."""

    accepted: int
    refused: int
    undetermined: int


@dataclass(frozen=True, slots=True)
class ClassOutcome:
    """All senders that are held to be the same."""

    assessment: Annotated[Verdict | None, doc("Null: mail of no sender of the report, logged in or by connectors.")]
    senders: int
    today: Outcome
    then: Outcome


@dataclass(frozen=True, slots=True)
class Touched:
    """A sender whose mail something becomes of."""

    key: str
    name: str
    assessment: Verdict
    messages: int
    today: Outcome
    then: Outcome
    codes: Annotated[dict[str, int], doc("Enhanced status code to messages refused with it.")]
    missing: Annotated[tuple[str, ...], doc("Facts that would settle what is undetermined.")]


@dataclass(frozen=True, slots=True)
class TouchedList:
    """Up to 100 of them, those with most mail first."""

    items: tuple[Touched, ...]
    total: int


@dataclass(frozen=True, slots=True)
class WhatIfView:
    """The answer, and what was asked."""

    reject_today: Annotated[bool | None, doc("RejectDirectSend as the settings have it; null: not known.")]
    reject: bool
    connectors: tuple[ConnectorChoice, ...]
    today: Outcome
    then: Outcome
    classes: tuple[ClassOutcome, ...]
    honest_refused: TouchedList
    unclear_refused: TouchedList
    undetermined: Annotated[TouchedList, doc("Of senders that are no spoofs.")]
    spoofing_admitted: Annotated[TouchedList, doc("Spoofs that still come in.")]


def what_if(book: Book, roll: Roll, *, reject: bool, connectors: Iterable[str]) -> WhatIfView:
    """The answer. Names that no proposal has are passed over. Raises Problem where there is no plan to ask."""
    asked = book.what_if
    if asked is None:
        raise Problem(404, "There is no plan yet, and so nothing to ask. The next run of `sidedoor watch` makes one.")
    names = frozenset(connectors)
    found = book.ask(reject, names)
    touched = [_touched(each, roll) for each in found.senders if each.sender in roll.by_id]
    today = book.settings.snapshot.reject_direct_send
    return WhatIfView(
        None if isinstance(today, Unknown) else today,
        reject,
        tuple(_choice(each, names) for each in asked.proposals),
        _outcome(found.today),
        _outcome(found.then),
        tuple(_classes(found.senders, roll)),
        _listed(each for each in touched if each.assessment is Verdict.LEGITIMATE and each.then.refused),
        _listed(each for each in touched if each.assessment is Verdict.UNCLEAR and each.then.refused),
        _listed(each for each in touched if each.assessment is not Verdict.SPOOFING and each.then.undetermined),
        _listed(each for each in touched if each.assessment is Verdict.SPOOFING and each.then.accepted),
    )


def _choice(proposal: ConnectorProposal, names: frozenset[str]) -> ConnectorChoice:
    of = proposal.settings
    by = f"certificate {of.certificate_name}" if of.certificate_name else ", ".join(of.addresses[:4])
    more = f" and {len(of.addresses) - 4} more" if not of.certificate_name and len(of.addresses) > 4 else ""
    about = f"{by}{more}, for mail of {', '.join(of.sender_domains[:3])}"
    return ConnectorChoice(proposal.name, about, len(proposal.senders), proposal.lockdown, proposal.name in names)


def _touched(each: SenderAnswer, roll: Roll) -> Touched:
    entry = roll.by_id[each.sender]
    return Touched(
        entry.key, entry.sender.name, entry.assessment, each.then.messages, _outcome(each.today), _outcome(each.then),
        dict(each.codes), each.missing,
    )  # fmt: skip


def _listed(found: Iterable[Touched]) -> TouchedList:
    ordered = sorted(found, key=lambda each: (-(each.then.refused + each.then.undetermined), -each.messages, each.key))
    return TouchedList(tuple(ordered[:MOST_LISTED]), len(ordered))


def _classes(answers: Sequence[SenderAnswer], roll: Roll) -> Iterable[ClassOutcome]:
    """Honest, unclear, spoofing, and the rest, which is no sender's."""
    groups: dict[Verdict | None, list[SenderAnswer]] = {}
    for each in answers:
        entry = roll.by_id.get(each.sender)
        groups.setdefault(None if entry is None else entry.assessment, []).append(each)
    for verdict in (Verdict.LEGITIMATE, Verdict.UNCLEAR, Verdict.SPOOFING, None):
        mine = groups.get(verdict, [])
        if mine or verdict is not None:
            yield ClassOutcome(
                verdict, len(mine) if verdict is not None else 0, _sum(each.today for each in mine),
                _sum(each.then for each in mine),
            )  # fmt: skip


def _outcome(tally: Tally) -> Outcome:
    return Outcome(tally.accepted, tally.refused, tally.undetermined)


def _sum(tallies: Iterable[Tally]) -> Outcome:
    accepted = refused = undetermined = 0
    for each in tallies:
        accepted, refused = accepted + each.accepted, refused + each.refused
        undetermined += each.undetermined
    return Outcome(accepted, refused, undetermined)
