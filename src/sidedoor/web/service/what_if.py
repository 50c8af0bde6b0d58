"""What if: the history at the door with the switch either way and any of the plan's connectors, answered from flows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from typing import Annotated

from sidedoor.audit.model import Verdict
from sidedoor.mail.fact import Unknown
from sidedoor.plan.model import ConnectorProposal, Tally
from sidedoor.plan.what_if import SenderAnswer
from sidedoor.web.book import Book
from sidedoor.web.problems import Problem
from sidedoor.web.roll import Entry, Roll
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
    sums = _Sums()
    for each in found.senders:
        sums.add(roll.by_id.get(each.sender), each)
    today = book.settings.snapshot.reject_direct_send
    return WhatIfView(
        None if isinstance(today, Unknown) else today,
        reject,
        tuple(_choice(each, names) for each in asked.proposals),
        _outcome(found.today),
        _outcome(found.then),
        sums.classes(),
        _listed(sums.honest),
        _listed(sums.unclear),
        _listed(sums.untold),
        _listed(sums.spoofs),
    )


class _Sums:
    """Adds up in one pass: there may be very many senders."""

    def __init__(self) -> None:
        self.honest: list[_Pair] = []
        self.unclear: list[_Pair] = []
        self.untold: list[_Pair] = []
        self.spoofs: list[_Pair] = []
        self._classes: dict[Verdict | None, list[int]] = {verdict: [0] * 7 for verdict in _ORDER}

    def add(self, entry: Entry | None, each: SenderAnswer) -> None:
        """One sender; `entry` None: mail of no sender of the report."""
        today, then = each.today, each.then
        verdict = None if entry is None else entry.assessment
        row = self._classes[verdict]
        row[0] += 1
        row[1] += today.accepted
        row[2] += today.refused
        row[3] += today.undetermined
        row[4] += then.accepted
        row[5] += then.refused
        row[6] += then.undetermined
        if entry is not None:
            self._touch(verdict, (entry, each))

    def _touch(self, verdict: Verdict | None, pair: _Pair) -> None:
        then = pair[1].then
        if verdict is Verdict.SPOOFING:
            if then.accepted:
                self.spoofs.append(pair)
            return
        if then.refused:
            (self.honest if verdict is Verdict.LEGITIMATE else self.unclear).append(pair)
        if then.undetermined:
            self.untold.append(pair)

    def classes(self) -> tuple[ClassOutcome, ...]:
        """Honest, unclear, spoofing, and the rest, which is no sender's, where there is any."""
        return tuple(
            ClassOutcome(verdict, 0 if verdict is None else row[0], Outcome(*row[1:4]), Outcome(*row[4:]))
            for verdict, row in self._classes.items()
            if row[0] or verdict is not None
        )


_Pair = tuple[Entry, SenderAnswer]
_ORDER: tuple[Verdict | None, ...] = (Verdict.LEGITIMATE, Verdict.UNCLEAR, Verdict.SPOOFING, None)


def _choice(proposal: ConnectorProposal, names: frozenset[str]) -> ConnectorChoice:
    of = proposal.settings
    by = f"certificate {of.certificate_name}" if of.certificate_name else ", ".join(of.addresses[:4])
    more = f" and {len(of.addresses) - 4} more" if not of.certificate_name and len(of.addresses) > 4 else ""
    about = f"{by}{more}, for mail of {', '.join(of.sender_domains[:3])}"
    return ConnectorChoice(proposal.name, about, len(proposal.senders), proposal.lockdown, proposal.name in names)


def _touched(entry: Entry, each: SenderAnswer) -> Touched:
    return Touched(
        entry.key, entry.sender.name, entry.assessment, each.then.messages, _outcome(each.today), _outcome(each.then),
        dict(each.codes), each.missing,
    )  # fmt: skip


def _listed(found: Sequence[_Pair]) -> TouchedList:
    return TouchedList(tuple(_touched(*each) for each in nsmallest(MOST_LISTED, found, key=_most)), len(found))


def _most(pair: _Pair) -> tuple[int, int, str]:
    entry, each = pair
    return -(each.then.refused + each.then.undetermined), -entry.sender.messages, entry.key


def _outcome(tally: Tally) -> Outcome:
    return Outcome(tally.accepted, tally.refused, tally.undetermined)
