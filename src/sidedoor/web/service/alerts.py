"""Alerts: those that are open, those that are over, and what people answer to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from sidedoor.errors import UsageError
from sidedoor.store.errors import NotThereError, RunningError
from sidedoor.store.model import Alert, AlertFilter, Severity
from sidedoor.store.tenant import TenantStore
from sidedoor.watch.accept import acceptable
from sidedoor.web.access.visitor import Visitor
from sidedoor.web.problems import Problem
from sidedoor.web.service.describe import doc
from sidedoor.web.tenant import Tenant

PAGE = 50
MOST_SNOOZE = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class EvidenceOf:
    """A fact the alert rests on."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class AlertView:
    """One alert."""

    id: str
    kind: Annotated[str, doc("The reason id; docs/alerts.md explains each.")]
    subject: Annotated[str, doc("A sender's key, a connector's name, a domain; empty: the tenant.")]
    severity: Severity
    title: str
    text: str
    advice: str
    evidence: tuple[EvidenceOf, ...]
    open: Annotated[bool, doc("Whether it still holds.")]
    since: Annotated[datetime | None, doc("When what it is about began, if that is known.")]
    raised_at: datetime
    seen_at: Annotated[datetime, doc("The last run that found it.")]
    recovered_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str
    snoozed_until: datetime | None
    sender: Annotated[str | None, doc("Key of the sender that it is about.")]
    acceptable: Annotated[bool, doc("Whether a person may say that it is right as it is.")]


@dataclass(frozen=True, slots=True)
class SeverityCount:
    """How many open alerts there are of one severity."""

    severity: Severity
    count: int
    acknowledged: Annotated[int, doc("How many of them somebody knows of.")]


def view(alert: Alert, senders: frozenset[str]) -> AlertView:
    """An alert for showing. senders: keys of those that are known."""
    finding = alert.finding
    return AlertView(
        alert.id, finding.kind, finding.subject, finding.severity, finding.title, finding.text, finding.advice,
        tuple(EvidenceOf(name, value) for name, value in finding.evidence), alert.recovered_at is None, finding.since,
        alert.raised_at, alert.seen_at, alert.recovered_at, alert.acknowledged_at, alert.acknowledged_by,
        alert.snoozed_until, finding.subject if finding.subject in senders else None,
        alert.recovered_at is None and acceptable(alert),
    )  # fmt: skip


def counts(alerts: Sequence[Alert]) -> tuple[SeverityCount, ...]:
    """Open alerts by severity, the worst first; those there are none of, left out."""
    found = []
    for severity in reversed(Severity):
        mine = [alert for alert in alerts if alert.finding.severity is severity]
        if mine:
            known = sum(1 for alert in mine if alert.acknowledged_at is not None)
            found.append(SeverityCount(severity, len(mine), known))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class AlertPage:
    """A page of alerts, the newest first."""

    items: tuple[AlertView, ...]
    total: int
    page: int
    pages: int


def alerts(tenant: Tenant, wanted: AlertFilter, page: int, size: int = PAGE) -> AlertPage:
    """The page that was asked for; the last one where there are fewer. Raises SidedoorError."""
    store = tenant.store
    total = store.count_alerts(wanted)
    pages = max(1, -(-total // size))
    at = min(max(page, 1), pages)
    senders = _senders(tenant)
    found = tuple(view(alert, senders) for alert in store.alerts(wanted, size, (at - 1) * size))
    return AlertPage(found, total, at, pages)


def alert(tenant: Tenant, alert_id: str) -> AlertView:
    """One alert. Raises Problem where there is none."""
    found = tenant.store.alert(alert_id)
    if found is None:
        raise _NOT_THERE
    return view(found, _senders(tenant))


def acknowledge(tenant: Tenant, alert_id: str, visitor: Visitor) -> AlertView:
    """Say that it is known. Raises Problem where there is none."""
    return _answered(tenant, lambda store, at: store.acknowledge(alert_id, visitor.who, visitor.via, at))


def accept(tenant: Tenant, alert_id: str, visitor: Visitor) -> AlertView:
    """Take what it is about into the baseline. Raises Problem where that cannot be."""
    from sidedoor.watch.answering import accept_alert

    if alert(tenant, alert_id).recovered_at is not None:
        raise Problem(409, "The alert is over, so there is nothing to accept.")
    try:
        found = accept_alert(
            tenant.workspace, tenant.store, alert_id, who=visitor.who, via=visitor.via, at=tenant.clock()
        )
    except NotThereError:
        raise _NOT_THERE from None
    except RunningError:
        raise Problem(409, "A run is under way; try again when it is over.", headers={"Retry-After": "60"}) from None
    except UsageError as error:
        raise Problem(409, f"It cannot be accepted: {error}.") from error
    tenant.forget_baseline()
    return view(found, _senders(tenant))


def snooze(tenant: Tenant, alert_id: str, until: datetime | None, visitor: Visitor) -> AlertView:
    """No message about it before `until`, a year at most; None ends a snooze. Raises Problem."""
    now = tenant.clock()
    if until is not None and not now < until <= now + MOST_SNOOZE:
        raise Problem(422, "A snooze ends in the future, within a year.")
    return _answered(tenant, lambda store, at: store.snooze(alert_id, until, visitor.who, visitor.via, at))


_NOT_THERE = Problem(404, "There is no such alert.")


def _answered(tenant: Tenant, answer: Callable[[TenantStore, datetime], Alert]) -> AlertView:
    try:
        return view(answer(tenant.store, tenant.clock()), _senders(tenant))
    except NotThereError:
        raise _NOT_THERE from None


def _senders(tenant: Tenant) -> frozenset[str]:
    book = tenant.book()
    return frozenset() if book is None else tenant.roll(book).keys
