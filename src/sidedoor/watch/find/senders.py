"""Senders that are not in the baseline: new ones, and forwarders whose mail is refused."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from sidedoor.audit.model import Verdict
from sidedoor.report.words import count, day, leading_reason
from sidedoor.store.model import Finding, Severity
from sidedoor.watch.find.door import DECIDED, WEEK, closed_since, known_until, told_of, uses_door
from sidedoor.watch.find.made import made
from sidedoor.watch.find.moves import successors
from sidedoor.watch.kinds import Kind
from sidedoor.watch.sight import Baseline, SenderSight, Sight, Thresholds

# A sender that was taken out of service and sends again a day later or more is news; its last mail may settle late.
_BACK = timedelta(days=1)
_GROWN, _GROWN_LEAST = 3, 10  # a week's forwarded mail against the average of the four weeks before
_WEEKS_BEFORE = 4


def find(sight: Sight, baseline: Baseline, thresholds: Thresholds) -> Iterator[Finding]:  # noqa: ARG001
    """New senders, and forwarders that are new or grow."""
    if baseline.history_since is None:
        return
    moved = {new.key for group in successors(sight, baseline).values() for new in group}
    for seen in sight.senders:
        if not uses_door(seen.sender):
            continue
        if _forwards(seen):
            yield from _forwarder(seen, sight, baseline)
        elif seen.key not in moved and _new(seen, baseline) and _worth_it(seen, sight):
            yield _new_sender(seen, sight, baseline)


def _new(seen: SenderSight, baseline: Baseline) -> bool:
    known = baseline.senders.get(seen.key)
    if known is None:
        return seen.word not in DECIDED
    return not known.accepted and seen.sender.last_seen > known.last_seen + _BACK


def _worth_it(seen: SenderSight, sight: Sight) -> bool:
    """A spoofer that has gone is nobody's task any more."""
    return seen.assessment is not Verdict.SPOOFING or seen.sender.last_seen >= known_until(sight) - WEEK


def _new_sender(seen: SenderSight, sight: Sight, baseline: Baseline) -> Finding:
    sender, closed = seen.sender, closed_since(sight, baseline)
    since_closing = closed is not None and sender.last_seen > closed
    severity = Severity.SERIOUS if since_closing else Severity.WARNING
    if seen.assessment is Verdict.SPOOFING:
        severity = Severity.INFO
    back = "It was taken out of service and is back. " if seen.key in baseline.senders else ""
    end = " The door is closed: what it sends is refused, or should be." if since_closing else ""
    text = (
        f"{back}{count(sender.messages, 'message')} by Direct Send since {day(sender.first_seen)}, and nobody has "
        f"decided about this sender. The evidence says {seen.assessment.value}: {leading_reason(sender)}{end}"
    )
    return made(
        Kind.NEW_SENDER, seen.key, sender.name, text, severity=severity, evidence=told_of(seen), since=sender.first_seen
    )


def _forwards(seen: SenderSight) -> bool:
    forwarding = any(reason.id == "forwarder" for reason in seen.sender.reasons)
    return forwarding and seen.assessment is not Verdict.SPOOFING and seen.sender.would_reject > 0


def _forwarder(seen: SenderSight, sight: Sight, baseline: Baseline) -> Iterator[Finding]:
    begun = baseline.history_since is not None and baseline.history_since <= known_until(sight) - WEEK
    new, growth = _new(seen, baseline), _growth(seen, sight) if begun else ""
    if not new and not growth:
        return
    closed = closed_since(sight, baseline) is not None
    would = "refuses" if closed else "would refuse"
    text = (
        f"{count(seen.sender.would_reject, 'message')} with envelope senders of yours came back through this host, and "
        f"RejectDirectSend {would} them: forwarding without rewriting the envelope sender looks like a spoof."
        + (f" {growth}" if growth and not new else "")
    )
    yield made(
        Kind.FORWARDER_REFUSED, seen.key, seen.sender.name, text,
        severity=Severity.SERIOUS if closed else Severity.WARNING,
        evidence=[*told_of(seen), ("would be refused", f"{seen.sender.would_reject:,}"), ("growth", growth)],
        since=seen.sender.first_seen,
    )  # fmt: skip


def _growth(seen: SenderSight, sight: Sight) -> str:
    """A sentence where a week had far more than the four before, "" where not."""
    until = known_until(sight).date()
    ages = {(until - each).days: messages for each, messages in seen.daily.items()}
    week = sum(messages for age, messages in ages.items() if 0 <= age < 7)
    before = sum(messages for age, messages in ages.items() if 7 <= age < 7 * (1 + _WEEKS_BEFORE)) / _WEEKS_BEFORE
    if not before or week < max(_GROWN_LEAST, _GROWN * before):
        return ""
    return f"It grows: {week:,} in a week, {before:,.0f} a week before."
