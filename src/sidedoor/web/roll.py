"""The senders of a report under their lasting keys, with what people decided: what tables and figures are made of."""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import cached_property

from sidedoor.audit.model import Sender, Verdict
from sidedoor.plan.model import Method
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
    """One sender with what people said of it; made by `entry_of`.

    blocks: the audit says it is in the way of closing. searched: what a search looks at, folded. assessment: a person's
    word, else the audit's. refused: whether the closed door would refuse its mail. must_be_judged: closing waits for a
    person's word on it.
    """

    key: str
    sender: Sender
    decision: Decision
    blocks: bool
    searched: str
    assessment: Verdict
    refused: Refused
    must_be_judged: bool

    def has(self, word: str) -> bool:
        """Whether a folded word stands in its traces, or in what people said of it."""
        said = self.decision
        return word in self.searched or (bool(said.version) and word in f"{said.owner}\n{said.note}".casefold())

    @property
    def decided(self) -> bool:
        """Whether a person has said what it is."""
        return self.decision.assessment in {Word.LEGITIMATE, Word.SPOOFING}

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


@dataclass(frozen=True)
class Roll:
    """All senders, those that a person must judge first, then by messages; and what is counted of them, once."""

    entries: tuple[Entry, ...]

    @cached_property
    def by_key(self) -> Mapping[str, Entry]:
        """By lasting key."""
        return {entry.key: entry for entry in self.entries}

    @cached_property
    def by_id(self) -> Mapping[str, Entry]:
        """By id in the report."""
        return {entry.sender.id: entry for entry in self.entries}

    @cached_property
    def keys(self) -> frozenset[str]:
        """The lasting keys."""
        return frozenset(self.by_key)

    @cached_property
    def waiting(self) -> tuple[Entry, ...]:
        """Those that a person must judge, the one that would lose most mail first."""
        found = [entry for entry in self.entries if entry.must_be_judged]
        return tuple(sorted(found, key=lambda entry: (-entry.sender.would_reject, -entry.sender.messages, entry.key)))

    @cached_property
    def dated(self) -> tuple[Entry, ...]:
        """Those with a due date, the earliest first."""
        found = [entry for entry in self.entries if entry.decision.due is not None]
        return tuple(sorted(found, key=lambda entry: (entry.decision.due or date.max, entry.key)))

    @cached_property
    def refused(self) -> Mapping[Verdict, int]:
        """Messages that RejectDirectSend would refuse, by what their senders are held to be."""
        found = dict.fromkeys(Verdict, 0)
        for entry in self.entries:
            found[entry.assessment] += entry.sender.would_reject
        return found

    @cached_property
    def losing(self) -> Mapping[Verdict, int]:
        """Senders that would, or may, lose mail."""
        found = dict.fromkeys(Verdict, 0)
        for entry in self.entries:
            found[entry.assessment] += entry.stands_in_the_way
        return found

    @cached_property
    def unknown(self) -> int:
        """Messages for which it cannot be told whether they would be refused."""
        return sum(entry.sender.would_reject_unknown for entry in self.entries)


def entry_of(sender: Sender, decision: Decision, *, blocks: bool, searched: str) -> Entry:
    """A sender under the key that the decision is of."""
    word = decision.assessment
    held = sender.assessment if word is Word.NONE else Verdict(word.value)
    refused = Refused.YES if sender.would_reject else Refused.UNKNOWN if sender.would_reject_unknown else Refused.NO
    judge = held is Verdict.UNCLEAR and refused is not Refused.NO
    return Entry(decision.sender, sender, decision, blocks, searched, held, refused, judge)


def roll_of(book: Book, keys: Mapping[str, str], decisions: Mapping[str, Decision]) -> Roll:
    """keys: id in the report -> lasting key, where it is another. decisions: by key."""
    blocking = set(book.audit.readiness.blockers)
    made = []
    for sender in book.audit.senders:
        key = keys.get(sender.id, sender.id)
        decision = decisions.get(key) or Decision(key)
        made.append(entry_of(sender, decision, blocks=sender.id in blocking, searched=_searched(sender, key)))
    return Roll(tuple(sorted(made, key=_urgency)))


def decided_anew(roll: Roll, decisions: Mapping[str, Decision]) -> Roll:
    """The same senders with other decisions; what stays is not made, nor sorted, again."""
    said = {entry.key for entry in roll.entries if entry.decision.version} | decisions.keys()
    changed = {
        key for key in said & roll.keys if roll.by_key[key].decision != (decisions.get(key) or Decision(key))
    }  # fmt: skip
    if not changed:
        return roll
    entries = [entry for entry in roll.entries if entry.key not in changed]
    for key in changed:
        old = roll.by_key[key]
        new = entry_of(old.sender, decisions.get(key) or Decision(key), blocks=old.blocks, searched=old.searched)
        insort(entries, new, key=_urgency)
    return Roll(tuple(entries))


def _urgency(entry: Entry) -> tuple[bool, int, str]:
    return not entry.must_be_judged, -entry.sender.messages, entry.key


def _searched(sender: Sender, key: str) -> str:
    parts = (
        sender.name, sender.id, key, sender.service or "", *sender.networks, *sender.helo, *sender.mail_from,
        *sender.header_from, *sender.envelope_domains,
    )  # fmt: skip
    return "\n".join(parts)[:_MOST_SEARCHED].casefold()


METHODS = tuple(method for method in Method if method not in {Method.UNDECIDED, Method.UNSAVABLE})
"""What a person may choose, as in plan.toml."""
