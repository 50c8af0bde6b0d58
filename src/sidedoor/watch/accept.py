"""Accepting an alert: a person says that what it is about is right, and the baseline takes it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from sidedoor.errors import UsageError
from sidedoor.mail.fact import Fact, Unknown
from sidedoor.store.model import Alert, KnownSender
from sidedoor.tenant.snapshot import InboundConnector
from sidedoor.watch.find import mark
from sidedoor.watch.find.connectors import renames
from sidedoor.watch.find.made import subject_of
from sidedoor.watch.find.moves import successors
from sidedoor.watch.kinds import AT_ONCE, KINDS, Kind
from sidedoor.watch.sight import Baseline, SenderSight, Sight, Tolerated

R = TypeVar("R")
T = TypeVar("T")


def acceptable(alert: Alert) -> bool:
    """Whether `accept` has an answer for it."""
    info = KINDS.get(alert.finding.kind)
    return info is not None and info.acceptable and not alert.finding.subject.startswith(AT_ONCE)


def accept(baseline: Baseline, sight: Sight, alert: Alert) -> Baseline:
    """The baseline with what the alert is about, and nothing beside: the next run does not find it any more.

    Raises UsageError where the alert is none that can be accepted, or where what it is about cannot be had now.
    """
    finding = alert.finding
    info = KINDS.get(finding.kind)
    if info is None or not acceptable(alert):
        raise UsageError(f"alerts of the kind {finding.kind} are over when their cause is; none can be accepted")
    taken = _TAKES[info.kind](baseline, sight, finding.subject) if info.takes else baseline
    if info.marks is None:
        return taken
    kept = Tolerated(finding.severity, mark(finding), finding.source, sight.now)
    return replace(taken, tolerated={**taken.tolerated, (finding.kind, finding.subject): kept})


def known_as(seen: SenderSight) -> KnownSender:
    """A sender as it belongs to a baseline."""
    sender = seen.sender
    return KnownSender(
        seen.key, sender.id, sender.name, seen.assessment.value, seen.places, sender.first_seen, sender.last_seen,
        sender.messages, accepted=True,
    )  # fmt: skip


def _new_sender(baseline: Baseline, sight: Sight, subject: str) -> Baseline:
    found = {seen.key: known_as(seen) for seen in sight.senders if subject_of(seen.key) == subject}
    return replace(baseline, senders={**baseline.senders, **found})


def _moved(baseline: Baseline, sight: Sight, subject: str) -> Baseline:
    """Its new places, and those of the sender that took its place; that one belongs to the baseline from now on."""
    if all(subject_of(seen.key) != subject for seen in sight.senders):
        return _silent(baseline, sight, subject)  # the history has no more of it: there is no place to accept
    senders = dict(baseline.senders)
    followers = successors(sight, baseline)
    for seen in sight.senders:
        if subject_of(seen.key) == subject and seen.key in senders:
            new = followers.get(seen.key, [])
            places = senders[seen.key].places.union(seen.places, *(each.places for each in new))
            senders[seen.key] = replace(senders[seen.key], places=places)
            senders.update({each.key: known_as(each) for each in new})
    return replace(baseline, senders=senders)


def _silent(baseline: Baseline, sight: Sight, subject: str) -> Baseline:  # noqa: ARG001
    """It was taken out of service: should it write again, that is news."""
    gone = {
        key: replace(known, accepted=False) for key, known in baseline.senders.items() if subject_of(key) == subject
    }
    return replace(baseline, senders={**baseline.senders, **gone})


def _switch(baseline: Baseline, sight: Sight, subject: str) -> Baseline:  # noqa: ARG001
    return _with(baseline, reject_direct_send=_known(sight.snapshot.reject_direct_send, "RejectDirectSend"))


def _allow_list(baseline: Baseline, sight: Sight, subject: str) -> Baseline:  # noqa: ARG001
    return _with(baseline, connection_filter=_known(sight.snapshot.connection_filter, "the connection filter"))


def _accepted_domain(baseline: Baseline, sight: Sight, subject: str) -> Baseline:
    old = _known(baseline.snapshot.accepted_domains, "the accepted domains of the baseline")
    new = _known(sight.snapshot.accepted_domains, "the accepted domains")
    return _with(baseline, accepted_domains=_row(old, new, subject, lambda row: str(row.domain)))


def _rule(baseline: Baseline, sight: Sight, subject: str) -> Baseline:
    old = _known(baseline.snapshot.transport_rules, "the transport rules of the baseline")
    new = _known(sight.snapshot.transport_rules, "the transport rules")
    return _with(baseline, transport_rules=_row(old, new, subject, lambda row: row.name))


def _row(old: Iterable[R], new: Iterable[R], subject: str, name: Callable[[R], str]) -> tuple[R, ...]:
    """`old` with the one row that the subject names as it is in `new`, or without it where it is gone."""
    now = [row for row in new if subject_of(name(row)) == subject]
    return (*(row for row in old if subject_of(name(row)) != subject), *now[:1])


def _with(baseline: Baseline, **parts: Any) -> Baseline:
    return replace(baseline, snapshot=replace(baseline.snapshot, **parts))


def _known(fact: Fact[T], what: str) -> T:
    if isinstance(fact, Unknown):
        raise UsageError(f"{what} cannot be had now ({fact.reason}), so nothing can be accepted about it")
    return fact


_IDENTIFIES = (
    "kind", "sender_domains", "sender_networks", "tls_certificate_name", "require_tls", "restrict_to_addresses",
    "restrict_to_certificate", "associated_accepted_domains", "trusted_organizations",
)  # fmt: skip
_FILTERS = ("ef_skip_last_ip", "ef_skip_networks")
# What each kind takes of a connector that stays: accepting one alert must not wave another through.
_FIELDS: Mapping[Kind, tuple[str, ...]] = {
    Kind.CONNECTOR_WIDENED: _IDENTIFIES,
    Kind.CONNECTOR_NARROWED: _IDENTIFIES,
    Kind.CONNECTOR_ENABLED: ("enabled",),
    Kind.CONNECTOR_DISABLED: ("enabled",),
    Kind.CONNECTOR_CHANGED: _FILTERS,
}


def _modest(row: InboundConnector) -> InboundConnector:
    """A connector whose mail does not become internal: that it does has alerts of its own."""
    row = replace(row, treat_messages_as_internal=False)
    return row if row.source == "HybridWizard" else replace(row, cloud_services_mail_enabled=False)


def _connector(kind: Kind) -> Callable[[Baseline, Sight, str], Baseline]:
    def take(baseline: Baseline, sight: Sight, subject: str) -> Baseline:
        old = _known(baseline.snapshot.inbound_connectors, "the inbound connectors of the baseline")
        new = _known(sight.snapshot.inbound_connectors, "the inbound connectors")
        before = next((row for row in old if subject_of(row.name) == subject), None)
        now = next((row for row in new if subject_of(row.name) == subject), None)
        if before is None or now is None:
            names = {subject_of(was) for name, was in renames(old, new).items() if subject_of(name) == subject}
            rest = [row for row in old if subject_of(row.name) not in {subject, *names}]
            return _with(baseline, inbound_connectors=(*rest, *([now if names else _modest(now)] if now else [])))
        taken = (
            _IDENTIFIES + _FILTERS if kind is Kind.CONNECTOR_CHANGED and now.enabled is False else _FIELDS.get(kind, ())
        )
        row = replace(before, **{name: getattr(now, name) for name in taken})
        return _with(baseline, inbound_connectors=tuple(row if each is before else each for each in old))

    return take


def _domain(*names: str) -> Callable[[Baseline, Sight, str], Baseline]:
    def take(baseline: Baseline, sight: Sight, subject: str) -> Baseline:
        now, before = sight.domains.get(subject), baseline.domains.get(subject)
        if now is None or before is None:
            raise UsageError(
                f"{subject} is not known to be an accepted domain now, so nothing can be accepted about it"
            )
        _known(getattr(now, names[0]), f"DNS of {subject}")
        row = replace(before, **{name: getattr(now, name) for name in names})
        return replace(baseline, domains={**baseline.domains, subject: row})

    return take


_TAKES: Mapping[Kind, Callable[[Baseline, Sight, str], Baseline]] = {
    Kind.NEW_SENDER: _new_sender,
    Kind.FORWARDER_REFUSED: _new_sender,
    Kind.SENDER_MOVED: _moved,
    Kind.SENDER_SILENT: _silent,
    Kind.REPORTED_ELSEWHERE: _silent,
    Kind.DIRECT_SEND_REOPENED: _switch,
    Kind.ACCEPTED_DOMAIN_ADDED: _accepted_domain,
    Kind.ACCEPTED_DOMAIN_REMOVED: _accepted_domain,
    Kind.ACCEPTED_DOMAIN_CHANGED: _accepted_domain,
    Kind.ALLOW_LIST_WIDENED: _allow_list,
    Kind.RULE_OFF: _rule,
    **{
        kind: _connector(kind)
        for kind in (Kind.CONNECTOR_ADDED, Kind.CONNECTOR_REMOVED, *_FIELDS)
    },
    Kind.SPF_CHANGED: _domain("spf", "spf_lookups", "spf_troubles"),
    Kind.DMARC_CHANGED: _domain("dmarc"),
    Kind.MX_CHANGED: _domain("mx", "exchanger"),
}  # fmt: skip
