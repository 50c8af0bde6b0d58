"""The senders of a report under their lasting keys, with what people decided: what tables and figures are made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from sidedoor.audit.model import Sender, Verdict
from sidedoor.plan.model import OWNER_METHODS, Method
from sidedoor.store.model import Decision, Word
from sidedoor.web.book import Book

SOON = timedelta(days=7)
_MOST_SEARCHED = 2_000  # characters of one sender


class Refused(StrEnum):
    """Whether RejectDirectSend would refuse a sender's mail."""

    YES = "yes"  # some of it, at least
    UNKNOWN = "unknown"  # of none it is sure, of some it cannot be told
    NO = "no"  # none of it


class Due(StrEnum):
    """How a sender stands to its due date."""

    OVERDUE = "overdue"  # past, and the sender still has to move
    SOON = "soon"  # within a week
    LATER = "later"  # after that
    NONE = "none"  # nobody set one


@dataclass(frozen=True, slots=True)
class Entry:
    """One sender. blocks: it stands in the way of closing. searched: what a search looks at, folded."""

    key: str
    sender: Sender
    decision: Decision
    blocks: bool
    searched: str

    @property
    def assessment(self) -> Verdict:
        """A person's word, else the audit's."""
        word = self.decision.assessment
        return self.sender.assessment if word is Word.NONE else Verdict(word.value)

    @property
    def decided(self) -> bool:
        """Whether a person has said what it is."""
        return self.decision.assessment in {Word.LEGITIMATE, Word.SPOOFING}

    @property
    def refused(self) -> Refused:
        """Whether the closed door would refuse its mail."""
        if self.sender.would_reject:
            return Refused.YES
        return Refused.UNKNOWN if self.sender.would_reject_unknown else Refused.NO

    @property
    def must_be_judged(self) -> bool:
        """Whether closing waits for a person's word on it."""
        return self.assessment is Verdict.UNCLEAR and self.refused is not Refused.NO

    @property
    def stands_in_the_way(self) -> bool:
        """Whether closing today would refuse its mail and it is not known to be a spoof."""
        return self.assessment is not Verdict.SPOOFING and self.refused is not Refused.NO

    def due(self, today: date) -> Due:
        """How it stands to its due date."""
        if self.decision.due is None:
            return Due.NONE
        if self.decision.due < today:
            return Due.OVERDUE
        return Due.SOON if self.decision.due - today <= SOON else Due.LATER


@dataclass(frozen=True, slots=True)
class Roll:
    """All senders, those that a person must judge first, then by messages."""

    entries: tuple[Entry, ...]
    by_key: Mapping[str, Entry]
    by_id: Mapping[str, Entry]


def roll_of(book: Book, keys: Mapping[str, str], decisions: Mapping[str, Decision]) -> Roll:
    """keys: id in the report -> lasting key, where it is another. decisions: by key."""
    blocking = set(book.audit.readiness.blockers)
    made = [
        _entry(sender, keys.get(sender.id, sender.id), decisions, blocks=sender.id in blocking)
        for sender in book.audit.senders
    ]
    ordered = tuple(sorted(made, key=lambda entry: (not entry.must_be_judged, -entry.sender.messages, entry.key)))
    return Roll(ordered, {entry.key: entry for entry in ordered}, {entry.sender.id: entry for entry in ordered})


def _entry(sender: Sender, key: str, decisions: Mapping[str, Decision], *, blocks: bool) -> Entry:
    decision = decisions.get(key) or Decision(key)
    return Entry(key, sender, decision, blocks, _searched(sender, key, decision))


def _searched(sender: Sender, key: str, decision: Decision) -> str:
    parts = (
        sender.name, sender.id, key, sender.service or "", decision.owner, decision.note, *sender.networks,
        *sender.helo, *sender.mail_from, *sender.header_from, *sender.envelope_domains,
    )  # fmt: skip
    return "\n".join(parts)[:_MOST_SEARCHED].casefold()


def waiting(entries: Iterable[Entry]) -> list[Entry]:
    """Those that a person must judge, the busiest first."""
    return sorted(
        (entry for entry in entries if entry.must_be_judged),
        key=lambda entry: (-entry.sender.would_reject, -entry.sender.messages, entry.key),
    )


def moving(entry: Entry) -> bool:
    """Whether its owner has been told to move it."""
    return entry.decision.method in {method.value for method in OWNER_METHODS}


METHODS = tuple(method for method in Method if method not in {Method.UNDECIDED, Method.UNSAVABLE})
"""What a person may choose, as in plan.toml."""
