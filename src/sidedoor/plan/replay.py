"""The same history at the door as the plan would make it: what is refused, who is let in, what stays unknown.

The rule decides each distinct key once (design section 1); counts are joined back by sender. A sender by certificate is
replayed with the certificate that it is known, or said, to show.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sidedoor.audit.classes import Classes
from sidedoor.audit.engine.kept import KeptFlow
from sidedoor.audit.facts import DecisionKey, Representatives, facts_of
from sidedoor.audit.model import Verdict
from sidedoor.plan.apply import applied
from sidedoor.plan.model import OWNER_METHODS, Choice, ConnectorProposal, Method, Reading, Replay, SenderReplay, Tally
from sidedoor.policy.decision import Certainty, Decision, Submission
from sidedoor.policy.decision import Verdict as DoorVerdict
from sidedoor.policy.facts import ClientCertificate, Tls
from sidedoor.policy.rule import Rule
from sidedoor.policy.switches import SWITCHES, Switches, with_switches
from sidedoor.tenant.snapshot import TenantSnapshot

_OPEN = "verdict-depends-on-unknown"
_RESTRICTED = "5.7.51"


@dataclass(frozen=True, slots=True)
class Told:
    """What a replay is told. `flows` were counted under `classes`, which know the plan's connectors too."""

    snapshot: TenantSnapshot
    switches: Switches
    classes: Classes
    flows: Sequence[KeptFlow]
    choices: Sequence[Choice]
    connectors: Sequence[ConnectorProposal]


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
    newly_restricted: int = 0
    certainty: Certainty = Certainty.DOCUMENTED


class Door:
    """A tenant with RejectDirectSend on; each distinct key is decided once."""

    def __init__(self, snapshot: TenantSnapshot, switches: Switches, classes: Classes, unheard: frozenset[str]) -> None:
        self._rule = Rule(replace(snapshot, reject_direct_send=True), switches)
        self._of = Representatives(classes.domains.representatives, classes.addresses.representatives())
        self._unheard = unheard
        self._known: dict[tuple[DecisionKey, str | None], Decision] = {}

    def decide(self, key: DecisionKey, certificate: str | None = None) -> Decision:
        """The decision on every message with this key, from a client that shows `certificate` if one is given."""
        asked = (key, certificate)
        if asked not in self._known:
            connection, envelope, message = facts_of(key, self._of)
            if certificate is not None:
                shown = ClientCertificate(None, (_example(certificate),))
                connection = replace(connection, tls=Tls("", shown))
            self._known[asked] = self._rule.decide_again(connection, envelope, message, self._unheard)
        return self._known[asked]


def _example(name: str) -> str:
    """A name that a connector's wildcard covers."""
    return f"client.{name.removeprefix('*.')}" if name.startswith("*.") else name


def replay(told: Told) -> Replay:
    """The plan applied to the history, with the open questions answered as `told.switches` has them."""
    return _run(told, told.switches, applied(told.snapshot, told.connectors), by_sender=True)


def readings(told: Told, first: Replay) -> Iterator[Reading]:
    """Each open question the other way, where it makes a difference to honest mail or to spoofs.

    Twelve more passes over the flows: asked of the plan that is given, not of drafts.
    """
    after = applied(told.snapshot, told.connectors)
    for row in SWITCHES:
        now = getattr(told.switches, row.field).value
        for value in row.values:
            if value == now:
                continue
            other = _run(told, with_switches({row.name: value}, told.switches), after, by_sender=False)
            if (other.honest_refused, other.spoofing_admitted) != (first.honest_refused, first.spoofing_admitted):
                yield Reading(row.name, value, other.honest_refused, other.spoofing_admitted)


def _run(told: Told, switches: Switches, after: TenantSnapshot, *, by_sender: bool) -> Replay:
    today = Door(told.snapshot, switches, told.classes, frozenset())
    planned = Door(after, switches, told.classes, _new_certificates(told))
    choices = {choice.sender: choice for choice in told.choices}
    new = {proposal.name for proposal in told.connectors}
    counts: defaultdict[str, _Counts] = defaultdict(_Counts)
    for flow in told.flows:
        _count(counts[flow.sender], flow, choices.get(flow.sender), today, planned, new)
    return _summed(told, choices, counts, by_sender=by_sender)


def _new_certificates(told: Told) -> frozenset[str]:
    """Names that only the plan's connectors ask for."""
    known = {row.tls_certificate_name for row in told.snapshot.known_connectors}
    wanted = {proposal.settings.certificate_name for proposal in told.connectors}
    return frozenset(name for name in wanted - known if name)


def _count(  # noqa: PLR0917  # one flow against both doors
    counts: _Counts, flow: KeptFlow, choice: Choice | None, today: Door, planned: Door, new: set[str]
) -> None:
    number = flow.messages
    before = today.decide(flow.key)
    shown = choice.certificate if choice is not None else None
    closed = planned.decide(flow.key, shown if flow.key.tls != 0 else None)
    after = planned.decide(flow.key, shown) if shown else closed
    moved = choice is not None and choice.method in OWNER_METHODS and _submits_itself(before)
    counts.before[_outcome(before)] += number
    counts.closed[_outcome(closed)] += number
    outcome = "accepted" if moved else _outcome(after)
    counts.after[outcome] += number
    counts.certainty = max(counts.certainty, after.certainty)
    if moved:
        return
    if outcome == "refused":
        code = str(after.reply.enhanced)
        counts.refused[code] += number
        if code == _RESTRICTED and str(before.reply.enhanced) != _RESTRICTED:
            counts.newly_restricted += number
    elif outcome == "undetermined":
        counts.missing.update(after.missing)
    elif after.connector in new:
        counts.connectors.add(after.connector or "")
        counts.admitted += number if _outcome(before) != "accepted" else 0


def _submits_itself(before: Decision) -> bool:
    """Mail that an owner's change concerns: what came to the door by itself."""
    return before.submission not in {Submission.OUTBOUND, Submission.AUTHENTICATED}


def _outcome(decision: Decision) -> str:
    if _OPEN in decision.reasons:
        return "undetermined"
    return "refused" if decision.verdict is DoorVerdict.REJECT else "accepted"


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
    nobodys = [c for s, c in counts.items() if s not in choices]
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
        newly_restricted=sum(each.newly_restricted for each in (*honest, *nobodys)),
        undetermined=sum(each.after["undetermined"] for each in counts.values()),
        senders=tuple(_of_sender(choice, counts) for choice in told.choices if by_sender),
    )


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
