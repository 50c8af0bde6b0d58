"""What would happen if: the history at the tenant's door with any of the plan's connectors, and the switch either way.

Everything is in memory: flows by decision key and sender, so an answer decides a few hundred keys and adds up. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network

from sidedoor.audit.classes import Classes, classes_of
from sidedoor.audit.engine.kept import KeptFlow
from sidedoor.mail.fact import Fact, Unknown
from sidedoor.plan.apply import applied
from sidedoor.plan.door import AS_IT_WAS, Coming, Door, door_with, outcome_of
from sidedoor.plan.model import ConnectorProposal, Tally
from sidedoor.policy.switches import Switches
from sidedoor.tenant.snapshot import TenantSnapshot

_MOST_DOORS = 16


@dataclass(frozen=True, slots=True)
class SenderAnswer:
    """Messages of one sender ("" for mail of no sender of the report): as the tenant is, and as it would be.

    codes: enhanced status code -> messages refused with it. missing: facts that what is undetermined hangs on.
    """

    sender: str
    today: Tally
    then: Tally
    codes: Mapping[str, int] = field(default_factory=dict)
    missing: tuple[str, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether anything becomes of its mail that does not today."""
        return self.today != self.then


@dataclass(frozen=True, slots=True)
class WhatIfAnswer:
    """All messages, and by sender, those whose mail changes most first."""

    today: Tally
    then: Tally
    senders: tuple[SenderAnswer, ...]


class WhatIf:
    """A history under a tenant's settings, to be asked. `proposals`: the plan's connectors, a lock-down among them."""

    def __init__(
        self, snapshot: TenantSnapshot, switches: Switches, proposals: Sequence[ConnectorProposal],
        flows: Sequence[KeptFlow], filters: tuple[IPv4Network, ...] = (),
    ) -> None:  # fmt: skip
        """flows: counted under `classes_with(snapshot, proposals)`."""
        self.snapshot, self.switches, self.proposals = snapshot, switches, tuple(proposals)
        self._flows, self._filters = flows, filters
        self._classes = classes_with(snapshot, proposals)
        self._doors: dict[tuple[object, frozenset[str]], Door] = {}

    @property
    def messages(self) -> int:
        """All of them."""
        return sum(flow.messages for flow in self._flows)

    def answer(self, *, reject: bool, connectors: Iterable[str]) -> WhatIfAnswer:
        """With RejectDirectSend as said, and of the proposals those of these names; names of none are passed over."""
        names = frozenset(connectors)
        chosen = [each for each in self.proposals if each.name in names]
        today, then = self._door(self.snapshot.reject_direct_send, ()), self._door(reject, chosen)
        shows = {
            sender: each.settings.certificate_name
            for each in chosen if each.settings.certificate_name and not each.lockdown
            for sender in each.senders
        }  # fmt: skip
        counts: defaultdict[str, _Counts] = defaultdict(_Counts)
        for flow in self._flows:
            counts[flow.sender].add(flow, today, then, shows.get(flow.sender))
        answers = [count.answer(sender) for sender, count in counts.items()]
        answers.sort(
            key=lambda each: (-abs(each.then.refused - each.today.refused), -each.then.undetermined, each.sender)
        )
        return WhatIfAnswer(
            _sum(each.today for each in answers), _sum(each.then for each in answers), tuple(answers)
        )  # fmt: skip

    def _door(self, reject: Fact[bool], chosen: Sequence[ConnectorProposal]) -> Door:
        """Doors remember what they decided, so those asked about last are kept."""
        key = (reject if not isinstance(reject, Unknown) else None, frozenset(each.name for each in chosen))
        if key not in self._doors:
            if len(self._doors) >= _MOST_DOORS:
                self._doors.pop(next(iter(self._doors)))
            self._doors[key] = door_with(
                self.snapshot, self.switches, self._classes, chosen, self._filters, reject=reject
            )
        return self._doors[key]


def classes_with(snapshot: TenantSnapshot, proposals: Sequence[ConnectorProposal]) -> Classes:
    """The classes that the settings of today and all proposals tell apart."""
    return classes_of(applied(snapshot, proposals))


@dataclass(slots=True)
class _Counts:
    """Messages of one sender by outcome."""

    today: dict[str, int] = field(default_factory=dict)
    then: dict[str, int] = field(default_factory=dict)
    codes: dict[str, int] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)

    def add(self, flow: KeptFlow, today: Door, then: Door, shown: str | None) -> None:
        """One flow. shown: the certificate that a chosen connector asks it for."""
        number = flow.messages
        coming = Coming(certificate=shown) if shown and flow.key.tls != 0 else AS_IT_WAS
        before, after = outcome_of(today.decide(flow.key)), then.decide(flow.key, coming)
        outcome = outcome_of(after)
        self.today[before] = self.today.get(before, 0) + number
        self.then[outcome] = self.then.get(outcome, 0) + number
        if outcome == "refused":
            code = str(after.reply.enhanced)
            self.codes[code] = self.codes.get(code, 0) + number
        elif outcome == "undetermined":
            self.missing.update(after.missing)

    def answer(self, sender: str) -> SenderAnswer:
        """As a value."""
        return SenderAnswer(sender, _tally(self.today), _tally(self.then), self.codes, tuple(sorted(self.missing)))


def _tally(counts: Mapping[str, int]) -> Tally:
    return Tally(counts.get("accepted", 0), counts.get("refused", 0), counts.get("undetermined", 0))


def _sum(tallies: Iterable[Tally]) -> Tally:
    accepted = refused = undetermined = 0
    for each in tallies:
        accepted, refused = accepted + each.accepted, refused + each.refused
        undetermined += each.undetermined
    return Tally(accepted, refused, undetermined)
