"""The same history at the door as the plan would make it: what is refused, who is let in, what stays unknown.

The rule decides each distinct key once (design section 1); counts are joined back by sender. A sender that changes is
replayed as it is to come: with its certificate, its new envelope sender, or from its relay.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import IPv4Network

from sidedoor.audit.classes import Classes
from sidedoor.audit.engine.kept import KeptFlow
from sidedoor.audit.facts import DecisionKey
from sidedoor.audit.model import Verdict
from sidedoor.plan.door import AS_IT_WAS, Coming, Doors, outcome_of
from sidedoor.plan.model import OWNER_METHODS, Choice, ConnectorProposal, Method, Reading, Replay, SenderReplay, Tally
from sidedoor.plan.words import RelayWord
from sidedoor.policy.decision import Certainty, Decision, Submission
from sidedoor.policy.switches import SWITCHES, Switches, with_switches
from sidedoor.tenant.snapshot import TenantSnapshot

_RESTRICTED = "5.7.51"


@dataclass(frozen=True)
class Told:
    """What a replay is told. `flows` were counted under `classes`, which know the plan's connectors too.

    relays: of plan.toml, by id. filters: where the filter in front sends from, as far as anybody knows.
    """

    snapshot: TenantSnapshot
    switches: Switches
    classes: Classes
    flows: Sequence[KeptFlow]
    choices: Sequence[Choice]
    connectors: Sequence[ConnectorProposal]
    relays: Mapping[str, RelayWord] = field(default_factory=dict)
    filters: tuple[IPv4Network, ...] = ()

    @cached_property
    def doors(self) -> Doors:
        """Today's door and the plan's, both with RejectDirectSend on."""
        return Doors.of(self.snapshot, self.switches, self.classes, self.connectors, self.filters)


@dataclass(slots=True)
class _Counts:
    """Messages of one sender by outcome; `refused` by enhanced status code."""

    before: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    closed: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    after: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    refused: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    connectors: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)
    admitted: int = 0
    untouched: int = 0
    newly_restricted: int = 0
    newly_lost: int = 0
    certainty: Certainty = Certainty.DOCUMENTED


def replay(told: Told) -> Replay:
    """The plan applied to the history, with the open questions answered as `told.switches` has them."""
    return _run(told, told.doors, told.flows, by_sender=True)


def readings(told: Told, first: Replay, names: Iterable[str] = ()) -> Iterator[Reading]:
    """Each open question (or those of `names`) the other way, where that makes a difference to honest mail or spoofs.

    Twelve more passes, over flows without the difference between senders that are treated alike.
    """
    alike, wanted = _alike(told), set(names)
    for row in SWITCHES:
        now = getattr(told.switches, row.field).value
        for value in row.values:
            if value == now or (wanted and row.name not in wanted):
                continue
            other = _run(
                told, told.doors.reading(with_switches({row.name: value}, told.switches)), alike, by_sender=False
            )
            if (other.honest_refused, other.spoofing_admitted) != (first.honest_refused, first.spoofing_admitted):
                yield Reading(row.name, value, other.honest_refused, other.spoofing_admitted)


def _alike(told: Told) -> list[KeptFlow]:
    """The flows, with one sender standing for all that a replay treats in the same way."""
    same: dict[tuple[object, ...], str] = {}
    stands: dict[str, str] = {}
    for choice in told.choices:
        treated = (choice.method, choice.assessment, _coming(choice, told))
        stands[choice.sender] = same.setdefault(treated, choice.sender)
    counts: defaultdict[tuple[DecisionKey, str], int] = defaultdict(int)
    for flow in told.flows:
        counts[flow.key, stands.get(flow.sender, flow.sender)] += flow.messages
    return [KeptFlow(key, sender, number) for (key, sender), number in counts.items()]


def _coming(choice: Choice, told: Told) -> Coming:
    """How a sender comes after the plan."""
    if choice.method in {Method.RETURN_PATH, Method.COMMUNICATION_SERVICES} and choice.return_path:
        return Coming(sender=choice.return_path, moved=True)
    if choice.method is Method.LOCAL_RELAY:
        relay = told.relays.get(choice.relay or "", RelayWord())
        first = relay.addresses[0].network_address if relay.addresses else None
        known = relay.certificate is not None or first is not None
        return Coming(certificate=relay.certificate, address=first, moved=True, logs_in=not known)
    if choice.method in OWNER_METHODS:
        return Coming(moved=True, logs_in=choice.method not in {Method.RETURN_PATH, Method.COMMUNICATION_SERVICES})
    return Coming(certificate=choice.certificate) if choice.certificate else AS_IT_WAS


def _run(told: Told, doors: Doors, flows: Sequence[KeptFlow], *, by_sender: bool) -> Replay:
    choices = {choice.sender: choice for choice in told.choices}
    coming = {choice.sender: _coming(choice, told) for choice in told.choices}
    counts: defaultdict[str, _Counts] = defaultdict(_Counts)
    for flow in flows:
        _count(counts[flow.sender], flow, coming.get(flow.sender, AS_IT_WAS), doors)
    return _summed(told, choices, counts, by_sender=by_sender)


def _count(counts: _Counts, flow: KeptFlow, coming: Coming, doors: Doors) -> None:
    """One flow against both doors: as it is, and as it is to come."""
    number, key = flow.messages, flow.key
    before = doors.today.decide(key)
    # Its certificate it may show already, but where it is known to have come without TLS.
    now = coming if not coming.moved and key.tls != 0 else AS_IT_WAS
    closed = doors.planned.decide(key, now)
    moves = coming is not AS_IT_WAS and _submits_itself(before)
    logs_in = moves and coming.logs_in
    after = doors.planned.decide(key, coming) if moves and not logs_in else closed
    counts.before[outcome_of(before)] += number
    counts.closed[outcome_of(closed)] += number
    outcome = "accepted" if logs_in else outcome_of(after)
    counts.after[outcome] += number
    counts.certainty = max(counts.certainty, after.certainty)
    if outcome == "refused":
        _count_refused(counts, number, before, after)
    elif outcome == "undetermined":
        counts.missing.update(after.missing)
    elif not logs_in:
        _count_accepted(counts, number, before, after, doors.new)


def _count_refused(counts: _Counts, number: int, before: Decision, after: Decision) -> None:
    code = str(after.reply.enhanced)
    counts.refused[code] += number
    if outcome_of(before) != "refused":
        counts.newly_lost += number
    if code == _RESTRICTED and str(before.reply.enhanced) != _RESTRICTED:
        counts.newly_restricted += number


def _count_accepted(counts: _Counts, number: int, before: Decision, after: Decision, new: frozenset[str]) -> None:
    let_in = outcome_of(before) != "accepted"
    counts.untouched += 0 if let_in else number
    if after.connector in new:
        counts.connectors.add(after.connector or "")
        counts.admitted += number if let_in else 0


def _submits_itself(before: Decision) -> bool:
    """Mail that an owner's change concerns: what came to the door by itself."""
    return before.submission not in {Submission.OUTBOUND, Submission.AUTHENTICATED}


def _tally(counts: Mapping[str, int]) -> Tally:
    return Tally(counts.get("accepted", 0), counts.get("refused", 0), counts.get("undetermined", 0))


def _total(counts: Iterable[Mapping[str, int]]) -> Tally:
    total: defaultdict[str, int] = defaultdict(int)
    for each in counts:
        for outcome, number in each.items():
            total[outcome] += number
    return _tally(total)


def _summed(told: Told, choices: Mapping[str, Choice], counts: Mapping[str, _Counts], *, by_sender: bool) -> Replay:
    """By what each sender is held to be; mail of no sender of the report is nobody's spoof."""
    honest = [c for s, c in counts.items() if s in choices and _is_honest(choices[s])]
    unsavable = [c for s, c in counts.items() if s in choices and choices[s].method is Method.UNSAVABLE]
    spoofing = [c for s, c in counts.items() if s in choices and choices[s].assessment is Verdict.SPOOFING]
    unclear = [c for s, c in counts.items() if s in choices and choices[s].method is Method.UNDECIDED]
    # Of no sender of the report, or of one that nobody has called a spoof and that nothing is done about.
    others = [c for s, c in counts.items() if s not in choices or _is_left_alone(choices[s])]
    return Replay(
        messages=sum(flow.messages for flow in told.flows),
        flows=len({flow.key for flow in told.flows}),
        before=_total(each.before for each in counts.values()),
        closed=_total(each.closed for each in counts.values()),
        after=_total(each.after for each in counts.values()),
        honest_refused=sum(each.after["refused"] for each in honest),
        honest_undetermined=sum(each.after["undetermined"] for each in honest),
        unsavable_refused=sum(each.after["refused"] for each in unsavable),
        unclear_refused=sum(each.after["refused"] for each in unclear),
        spoofing_refused=sum(each.after["refused"] for each in spoofing),
        spoofing_admitted=sum(each.admitted for each in spoofing),
        newly_restricted=sum(each.newly_restricted for each in (*honest, *others)),
        undetermined=sum(each.after["undetermined"] for each in counts.values()),
        senders=tuple(_of_sender(choice, counts) for choice in told.choices if by_sender),
        spoofing_untouched=sum(each.untouched for each in spoofing),
        harmed=sum(each.after["refused"] + each.after["undetermined"] for each in honest)
        + sum(each.newly_lost for each in others),
    )


def _is_left_alone(choice: Choice) -> bool:
    return choice.assessment is Verdict.UNCLEAR and choice.method is Method.NOTHING


def _is_honest(choice: Choice) -> bool:
    """Legitimate, and its mail is meant to come in."""
    kept_out = {Method.UNSAVABLE, Method.REFUSE, Method.UNDECIDED}
    return choice.assessment is Verdict.LEGITIMATE and choice.method not in kept_out


def _of_sender(choice: Choice, counts: Mapping[str, _Counts]) -> SenderReplay:
    found = counts.get(choice.sender, _Counts())
    return SenderReplay(
        sender=choice.sender,
        before=_tally(found.before),
        closed=_tally(found.closed),
        after=_tally(found.after),
        by_reply=dict(sorted(found.refused.items())),
        certainty=found.certainty,
        connectors=tuple(sorted(found.connectors)),
        missing=tuple(sorted(found.missing)),
    )
