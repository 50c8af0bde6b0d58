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
from sidedoor.audit.facts import DecisionKey
from sidedoor.mail.fact import Fact, Unknown
from sidedoor.plan.apply import applied
from sidedoor.plan.door import Coming, Door, door_with, outcome_of
from sidedoor.plan.model import ConnectorProposal, Tally
from sidedoor.policy.decision import Decision
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
        self._filters = filters
        self._classes = classes_with(snapshot, proposals)
        numbers: dict[DecisionKey, int] = {}
        self._flows: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        for flow in flows:
            self._flows[flow.sender].append((numbers.setdefault(flow.key, len(numbers)), flow.messages))
        self._keys = tuple(numbers)
        self._told: dict[tuple[object, frozenset[str]], _Told] = {}

    @property
    def messages(self) -> int:
        """All of them."""
        return sum(messages for rows in self._flows.values() for _, messages in rows)

    def answer(self, *, reject: bool, connectors: Iterable[str]) -> WhatIfAnswer:
        """With RejectDirectSend as said, and of the proposals those of these names; names of none are passed over."""
        names = frozenset(connectors)
        chosen = [each for each in self.proposals if each.name in names]
        today, then = self._asked(self.snapshot.reject_direct_send, ()), self._asked(reject, chosen)
        shows = {
            sender: each.settings.certificate_name
            for each in chosen if each.settings.certificate_name and not each.lockdown
            for sender in each.senders
        }  # fmt: skip
        answers = []
        for sender, rows in self._flows.items():
            outcomes = then if sender not in shows else self._showing(then, rows, Coming(certificate=shows[sender]))
            answers.append(_answer(sender, rows, today, outcomes))
        answers.sort(
            key=lambda each: (-abs(each.then.refused - each.today.refused), -each.then.undetermined, each.sender)
        )
        return WhatIfAnswer(
            _sum(each.today for each in answers), _sum(each.then for each in answers), tuple(answers)
        )  # fmt: skip

    def _asked(self, reject: Fact[bool], chosen: Sequence[ConnectorProposal]) -> _Told:
        """What a door says to each key; those asked about last are kept."""
        key = (reject if not isinstance(reject, Unknown) else None, frozenset(each.name for each in chosen))
        if key not in self._told:
            if len(self._told) >= _MOST_DOORS:
                self._told.pop(next(iter(self._told)))
            door = door_with(self.snapshot, self.switches, self._classes, chosen, self._filters, reject=reject)
            self._told[key] = _Told(door, [_said(door.decide(each)) for each in self._keys])
        return self._told[key]

    def _showing(self, then: _Told, rows: Sequence[tuple[int, int]], coming: Coming) -> _Told:
        """The same for a sender that a chosen connector asks for a certificate, where it may have used TLS."""
        said: dict[int, _Said] = {
            number: then.said[number]
            if self._keys[number].tls == 0
            else _said(then.door.decide(self._keys[number], coming))
            for number, _ in rows
        }
        return _Told(then.door, said)


@dataclass(frozen=True, slots=True)
class _Said:
    """A door's word on a key. outcome: 0 accepted, 1 refused, 2 undetermined. code: of a refusal."""

    outcome: int
    code: str
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Told:
    """A door, and what it said, by the number of the key."""

    door: Door
    said: Sequence[_Said] | Mapping[int, _Said]


_OUTCOMES = ("accepted", "refused", "undetermined")


def _said(decision: Decision) -> _Said:
    outcome = _OUTCOMES.index(outcome_of(decision))
    code = str(decision.reply.enhanced) if outcome == 1 else ""
    return _Said(outcome, code, tuple(decision.missing) if outcome == 2 else ())


def _answer(sender: str, rows: Sequence[tuple[int, int]], today: _Told, then: _Told) -> SenderAnswer:
    before, after = [0, 0, 0], [0, 0, 0]
    codes: dict[str, int] = {}
    missing: set[str] = set()
    for number, messages in rows:
        said = then.said[number]
        before[today.said[number].outcome] += messages
        after[said.outcome] += messages
        if said.code:
            codes[said.code] = codes.get(said.code, 0) + messages
        elif said.missing:
            missing.update(said.missing)
    return SenderAnswer(sender, Tally(*before), Tally(*after), codes, tuple(sorted(missing)))


def classes_with(snapshot: TenantSnapshot, proposals: Sequence[ConnectorProposal]) -> Classes:
    """The classes that the settings of today and all proposals tell apart."""
    return classes_of(applied(snapshot, proposals))


def _sum(tallies: Iterable[Tally]) -> Tally:
    accepted = refused = undetermined = 0
    for each in tallies:
        accepted, refused = accepted + each.accepted, refused + each.refused
        undetermined += each.undetermined
    return Tally(accepted, refused, undetermined)
