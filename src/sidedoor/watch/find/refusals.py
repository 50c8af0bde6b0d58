"""Evidence of refusals, which the service itself shows nowhere, and of a door that is open although it is closed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sidedoor.audit.model import Verdict
from sidedoor.mail.domain import Domain, DomainError, parse_domain
from sidedoor.plan.model import Method
from sidedoor.policy.decision import Submission
from sidedoor.probe.model import Verdict as Probed
from sidedoor.report.words import count, day, minute
from sidedoor.store.model import Finding, Severity
from sidedoor.tenant.snapshot import ConnectorKind, TenantSnapshot
from sidedoor.watch.find.bounced import bounced
from sidedoor.watch.find.door import SETTLED, WEEK, addresses, attributed, closed_since, honest, known_until, told_of
from sidedoor.watch.find.made import listed, made
from sidedoor.watch.kinds import Kind
from sidedoor.watch.sight import Baseline, BounceSight, SenderSight, Sight, Source, Thresholds

_STILL = timedelta(days=3)  # mail that came in despite the closing is news for so long


def find(sight: Sight, baseline: Baseline, thresholds: Thresholds) -> Iterator[Finding]:  # noqa: ARG001
    """Refused mail by sender; then the door."""
    yield from _refused(sight)
    closed = closed_since(sight, baseline)
    if closed is not None:
        yield from _open(sight, closed)


@dataclass(slots=True)
class _Case:
    """What is known of one sender's refused mail. seen: the sender, None where nobody knows it."""

    seen: SenderSight | None
    bounces: list[BounceSight] = field(default_factory=list)


def _refused(sight: Sight) -> Iterator[Finding]:
    cases = {subject: _Case(seen, bounces) for subject, (seen, bounces) in bounced(sight).items()}
    for seen in sight.senders:
        if honest(seen) and seen.blocked and seen.last_blocked and seen.last_blocked >= sight.now - WEEK:
            cases.setdefault(seen.key, _Case(seen))
    taken = attributed(sight)
    for subject in sorted(cases):
        case = cases[subject]
        if case.seen is None or not (_meant(case.seen) or _cured(case.seen, case, taken)):
            yield _refusal(subject, case, sight)


def _meant(seen: SenderSight) -> bool:
    """Whether a refusal of this sender is what was wanted."""
    return seen.assessment is Verdict.SPOOFING or seen.method in {Method.REFUSE.value, Method.UNSAVABLE.value}


def _cured(seen: SenderSight, case: _Case, taken: Mapping[str, datetime]) -> bool:
    """Whether a connector has taken mail from every address in question since it was last refused."""
    refused = {bounce.address for bounce in case.bounces if bounce.address} or addresses(seen.places)
    last = max([bounce.at for bounce in case.bounces] + ([seen.last_blocked] if seen.last_blocked else []))
    return bool(refused) and all(taken.get(address, last) > last for address in refused)


def _refusal(subject: str, case: _Case, sight: Sight) -> Finding:
    seen, bounces = case.seen, sorted(case.bounces, key=lambda bounce: (bounce.at, bounce.key))
    sure = seen is not None and seen.assessment is Verdict.LEGITIMATE
    logged = seen is not None and seen.last_blocked is not None and seen.last_blocked >= sight.now - WEEK
    parts = [_by_switch(bounces), _by_connector(bounces, sight.snapshot)]
    if seen is not None and logged and seen.last_blocked is not None:
        parts.append(
            f"An edge's log shows {count(seen.blocked, 'refused message')}, the last on {minute(seen.last_blocked)}."
        )
    vouched = logged or any(not bounce.claimed for bounce in bounces)
    if not vouched:
        parts.append("Only the reports' own word stands behind it, and anybody can write one.")
    if not sure:
        parts.append("Whether the sender is honest is not known: a spoofed sender gets the spoofer's bounces.")
    moments = [bounce.at for bounce in bounces] + ([seen.last_blocked] if logged and seen and seen.last_blocked else [])
    return made(
        Kind.HONEST_MAIL_REFUSED, subject, seen.sender.name if seen else subject, " ".join(filter(None, parts)),
        severity=_severity(seen, sure=sure, vouched=vouched),
        evidence=[*_evidence(bounces), *(told_of(seen) if seen else ())], since=min(moments),
        source=Source.HISTORY if logged and Source.HISTORY not in sight.untold else Source.BOUNCES,
    )  # fmt: skip


def _severity(seen: SenderSight | None, *, sure: bool, vouched: bool) -> Severity:
    """A forged report about an honest sender must not wake anybody at night."""
    if seen is None:
        return Severity.WARNING
    return Severity.CRITICAL if sure and vouched else Severity.SERIOUS


def _evidence(bounces: list[BounceSight]) -> Iterator[tuple[str, str]]:
    if bounces:
        last = bounces[-1]
        yield "address", last.address
        yield "non-delivery reports", f"{len(bounces):,}"
        yield "codes", listed(sorted({bounce.code for bounce in bounces}))
        yield "last", last.at.isoformat(timespec="minutes")
        yield "envelope sender", last.envelope_sender or "<>"
        yield "recipients", listed(sorted({bounce.recipient for bounce in bounces}), 5)
        yield "handed in by", last.remote


def _by_switch(bounces: list[BounceSight]) -> str:
    found = [bounce for bounce in bounces if bounce.code != "5.7.51"]
    if not found:
        return ""
    codes = listed(sorted({bounce.code for bounce in found}), 3)
    return (
        f"{count(len(found), 'non-delivery report')} with {codes} in the last week: RejectDirectSend refuses this "
        "mail, and no trace shows it."
    )


def _by_connector(bounces: list[BounceSight], snapshot: TenantSnapshot) -> str:
    """5.7.51 is no matter of RejectDirectSend: a Partner connector restricts who may send for the domain."""
    found = [bounce for bounce in bounces if bounce.code == "5.7.51"]
    if not found:
        return ""
    names = sorted({name for bounce in found for name in _restricting(bounce.envelope_sender, snapshot)})
    which = f"the connector {listed(names, 3)}" if names else "a connector that the settings at hand do not show"
    return (
        f"{count(len(found), 'non-delivery report')} with 5.7.51 in the last week: {which} takes mail of this domain "
        "from its own addresses or certificate only. Add the sender to it, or give it another envelope domain."
    )


def _restricting(envelope_sender: str, snapshot: TenantSnapshot) -> Iterator[str]:
    domain = _domain(envelope_sender.rpartition("@")[2])
    for row in snapshot.known_connectors:
        restricts = row.restrict_to_addresses is True or row.restrict_to_certificate is True
        if row.kind is not ConnectorKind.PARTNER or row.enabled is False or not restricts:
            continue
        # The null reverse-path has no domain; a lock-down for all is taken to cover it (docs/rule.md).
        if any(each.domain is None or (domain is not None and each.covers(domain)) for each in row.sender_domains):
            yield row.name


def _domain(text: str) -> Domain | None:
    try:
        return parse_domain(text)
    except DomainError:
        return None


def _open(sight: Sight, closed: datetime) -> Iterator[Finding]:
    """A probe that proves it, or Direct Send that arrived long enough after the closing."""
    due = closed + SETTLED
    probe = sight.probe if Source.PROBE not in sight.untold else None
    asked = probe is not None and probe.at > due
    by_probe = probe is not None and asked and probe.verdict == Probed.OPEN
    # What is looked for in mail: the setting is known to be on, so each that came in should not have.
    mail = {seen.key: when for seen in sight.senders if (when := _arrived(seen, due, sight)) is not None}
    if not by_probe and not mail:
        return
    shut = probe is not None and asked and probe.verdict == Probed.CLOSED
    evidence: list[tuple[str, str]] = [("RejectDirectSend", "on"), ("on since", minute(closed))]
    parts = [f"RejectDirectSend has been on since {minute(closed)} at the latest."]
    if by_probe and probe is not None:
        parts.append(f"A probe on {minute(probe.at)} found Direct Send taken: {listed(probe.why, 3)}.")
        evidence += [("probe", f"open, {minute(probe.at)}")]
    if mail:
        parts.append(
            f"Direct Send came in all the same from {count(len(mail), 'sender')}, last on {day(max(mail.values()))}."
        )
        rows = sorted(
            (seen for seen in sight.senders if seen.key in mail), key=lambda seen: (-seen.sender.messages, seen.key)
        )
        evidence += [*told_of(rows[0]), ("senders", listed([seen.sender.name for seen in rows]))]
    if shut:
        parts.append("A probe found the door shut, so these senders have a way in that the settings do not show.")
        evidence += [("probe", "closed")]
    yield made(
        Kind.DOOR_OPEN, "", "", " ".join(parts), severity=Severity.SERIOUS if shut else Severity.CRITICAL,
        evidence=evidence, since=due, source=Source.PROBE if by_probe else Source.HISTORY,
    )  # fmt: skip


def _arrived(seen: SenderSight, due: datetime, sight: Sight) -> datetime | None:
    """When Direct Send of this sender last came in after the closing; None where it did not, or was refused."""
    last, until = seen.sender.last_seen, known_until(sight)
    if seen.sender.submission is not Submission.DIRECT_SEND or last <= due or last < until - _STILL:
        return None
    if seen.last_blocked is None or last > seen.last_blocked:
        return last
    after = sum(messages for each, messages in seen.daily.items() if each > due.date())
    return last if after > seen.blocked else None
