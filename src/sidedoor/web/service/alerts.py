"""Alerts: those that are open, those that are over, and what people answer to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from sidedoor.store.model import Alert, Severity
from sidedoor.web.service.describe import said

PAGE = 50


@dataclass(frozen=True, slots=True)
class EvidenceOf:
    """A fact the alert rests on."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class AlertView:
    """One alert."""

    id: str
    kind: Annotated[str, said("The reason id; docs/alerts.md explains each.")]
    subject: Annotated[str, said("A sender's key, a connector's name, a domain; empty: the tenant.")]
    severity: Severity
    title: str
    text: str
    advice: str
    evidence: tuple[EvidenceOf, ...]
    open: Annotated[bool, said("Whether it still holds.")]
    since: Annotated[datetime | None, said("When what it is about began, if that is known.")]
    raised_at: datetime
    seen_at: Annotated[datetime, said("The last run that found it.")]
    recovered_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str
    snoozed_until: datetime | None
    sender: Annotated[str | None, said("Key of the sender that it is about.")]


@dataclass(frozen=True, slots=True)
class SeverityCount:
    """How many open alerts there are of one severity."""

    severity: Severity
    count: int
    acknowledged: Annotated[int, said("How many of them somebody knows of.")]


def view(alert: Alert, senders: frozenset[str]) -> AlertView:
    """An alert for showing. senders: keys of those that are known."""
    finding = alert.finding
    return AlertView(
        alert.id, finding.kind, finding.subject, finding.severity, finding.title, finding.text, finding.advice,
        tuple(EvidenceOf(name, value) for name, value in finding.evidence), alert.recovered_at is None, finding.since,
        alert.raised_at, alert.seen_at, alert.recovered_at, alert.acknowledged_at, alert.acknowledged_by,
        alert.snoozed_until, finding.subject if finding.subject in senders else None,
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
