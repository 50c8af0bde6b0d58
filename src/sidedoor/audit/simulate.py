"""What RejectDirectSend would do to the history, and whether the tenant is ready for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sidedoor.audit.flow import Flow
from sidedoor.audit.model import DayCount, Readiness, Sender, Simulation, Verdict
from sidedoor.policy.decision import Submission


@dataclass(frozen=True, slots=True)
class Tally:
    """So many messages were decided alike: `submission`, `would_reject` and `missing` as in a Decision."""

    submission: Submission
    would_reject: bool | None
    missing: tuple[str, ...]
    messages: int


def simulate(tallies: Iterable[Tally], senders: Sequence[Sender], flows: Sequence[Flow]) -> Simulation:
    """Count the refused by assessment of their sender; the undetermined and the not stopped beside them."""
    counted = list(tallies)
    refused = {verdict: sum(s.would_reject for s in senders if s.assessment is verdict) for verdict in Verdict}
    return Simulation(
        rejected=sum(tally.messages for tally in counted if tally.would_reject is True),
        rejected_legitimate=refused[Verdict.LEGITIMATE],
        rejected_spoofing=refused[Verdict.SPOOFING],
        rejected_unclear=refused[Verdict.UNCLEAR],
        undetermined=sum(tally.messages for tally in counted if tally.would_reject is None),
        header_from_spoofs=_header_from_spoofs(senders, flows),
        sent_directly=sum(tally.messages for tally in counted if tally.submission is Submission.SENT_DIRECTLY),
    )


def _header_from_spoofs(senders: Sequence[Sender], flows: Sequence[Flow]) -> int:
    """Messages with our domain in header From that the switch lets pass, from senders not held to be honest.

    Their envelope sender is foreign or null, so RejectDirectSend never looks at them (domain.md 1.4).
    """
    doubtful = {flow for s in senders if s.assessment is not Verdict.LEGITIMATE for flow in s.flow_ids}
    return sum(
        flow.messages
        for flow in flows
        if flow.id in doubtful and flow.decision.would_reject is False and flow.own_header_from
    )


def readiness(senders: Sequence[Sender], simulation: Simulation, *, messages: int, settings_known: bool) -> Readiness:
    """Ready only where something was seen, everything was told, and nothing honest would be refused."""
    blocking = [
        sender
        for sender in senders
        if sender.assessment is not Verdict.SPOOFING and (sender.would_reject or sender.would_reject_unknown)
    ]
    blockers = tuple(sender.id for sender in blocking)
    if any(sender.would_reject and sender.assessment is Verdict.LEGITIMATE for sender in blocking):
        return Readiness("not-ready", blockers)
    if blocking or simulation.undetermined or not messages or not settings_known:
        return Readiness("undetermined", blockers)
    return Readiness("ready", ())


def timeline(senders: Iterable[Sender]) -> tuple[DayCount, ...]:
    """Mail by day that is, or may be, Direct Send, split by the assessment of its sender."""
    days: dict[date, dict[Verdict, int]] = {}
    for sender in senders:
        candidate = sender.submission is Submission.UNDETERMINED and (
            sender.would_reject or sender.would_reject_unknown
        )
        if sender.submission is not Submission.DIRECT_SEND and not candidate:
            continue
        for day, messages in sender.daily.items():
            counts = days.setdefault(day, dict.fromkeys(Verdict, 0))
            counts[sender.assessment] += messages
    return tuple(
        DayCount(day, counts[Verdict.LEGITIMATE], counts[Verdict.SPOOFING], counts[Verdict.UNCLEAR])
        for day, counts in sorted(days.items())
    )


def totals(tallies: Iterable[Tally]) -> Mapping[Submission, int]:
    """Messages by submission, every word present."""
    counts = dict.fromkeys(Submission, 0)
    for tally in tallies:
        counts[tally.submission] += tally.messages
    return counts
