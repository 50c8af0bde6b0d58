"""What an administrator wants to know in the morning: the door, the alerts, what waits for a word, what is due."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from sidedoor.audit.model import DayCount, Verdict
from sidedoor.store.model import Run
from sidedoor.watch.sight import Baseline
from sidedoor.web.book import Book
from sidedoor.web.roll import Due
from sidedoor.web.service import alerts as alerting
from sidedoor.web.service.alerts import AlertView, SeverityCount
from sidedoor.web.service.describe import doc
from sidedoor.web.service.door import Door, Proof, by_probe, by_refusals, by_settings, door
from sidedoor.web.service.senders import SenderRow, row_of
from sidedoor.web.tenant import Tenant

SHOWN = 6
STALE = timedelta(hours=48)
_MOST_BOUNCES = 1_000
_REFUSED = "5.7.68"


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether the door can be closed."""

    state: Annotated[str, doc("ready, not-ready or undetermined.")]
    headline: str
    sentence: str
    why: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Loss:
    """What RejectDirectSend would refuse of the window, by what people and the audit hold of the senders."""

    legitimate: int
    unclear: int
    spoofing: int
    undetermined: Annotated[int, doc("Messages for which it cannot be told.")]
    honest_senders: Annotated[int, doc("Honest senders that would, or may, lose mail.")]
    unclear_senders: int


@dataclass(frozen=True, slots=True)
class RunView:
    """One run of `sidedoor watch`."""

    started: datetime
    ended: datetime | None
    outcome: Annotated[str, doc("done, incomplete or failed; empty: it did not end.")]
    said: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """The time that the history covers."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Morning:
    """One tenant at a glance."""

    tenant: str
    generated_at: Annotated[datetime, doc("When the report was made.")]
    window: Window | None
    stale: Annotated[bool, doc("Whether the history ends more than two days ago.")]
    door: Door
    readiness: Readiness
    loss: Loss
    senders: int
    messages: int
    alerts: Annotated[tuple[SeverityCount, ...], doc("Open alerts, the worst first.")]
    top_alerts: tuple[AlertView, ...]
    waiting: Annotated[int, doc("Senders that closing the door waits for a person to judge.")]
    top_waiting: tuple[SenderRow, ...]
    overdue: int
    soon: Annotated[int, doc("Due within a week.")]
    top_due: tuple[SenderRow, ...]
    last_run: RunView | None
    timeline: Annotated[tuple[DayCount, ...], doc("Direct Send by day.")]


def morning(tenant: Tenant, book: Book) -> Morning:
    """The page's facts. Raises SidedoorError."""
    store, now = tenant.store, tenant.clock()
    roll, today = tenant.roll(book), now.date()
    alerts = tenant.open_alerts()
    answered = book.answer
    wait, due = roll.waiting, [entry for entry in roll.dated if entry.due(today) in {Due.OVERDUE, Due.SOON}]
    window = book.audit.window
    runs = store.last_runs(1)
    return Morning(
        tenant=tenant.name,
        generated_at=book.audit.generated_at,
        window=None if window is None else Window(*window),
        stale=window is not None and now - window[1] > STALE,
        door=door_of(tenant, book),
        readiness=Readiness(answered.state, answered.headline, answered.sentence, answered.why),
        loss=Loss(
            roll.refused[Verdict.LEGITIMATE],
            roll.refused[Verdict.UNCLEAR],
            roll.refused[Verdict.SPOOFING],
            roll.unknown,
            roll.losing[Verdict.LEGITIMATE],
            roll.losing[Verdict.UNCLEAR],
        ),
        senders=len(roll.entries),
        messages=book.audit.coverage.messages,
        alerts=alerting.counts(alerts),
        top_alerts=tuple(alerting.view(alert, roll.keys) for alert in alerts[:SHOWN]),
        waiting=len(wait),
        top_waiting=tuple(row_of(entry, book, today) for entry in wait[:SHOWN]),
        overdue=sum(1 for entry in due if entry.due(today) is Due.OVERDUE),
        soon=sum(1 for entry in due if entry.due(today) is Due.SOON),
        top_due=tuple(row_of(entry, book, today) for entry in due[:SHOWN]),
        last_run=run_of(runs[0]) if runs else None,
        timeline=book.audit.timeline,
    )


def run_of(run: Run) -> RunView:
    """A run for showing."""
    return RunView(run.started, run.ended, run.outcome, run.said)


def door_of(tenant: Tenant, book: Book) -> Door:
    """How the door stands, by everything that tells."""
    proofs: list[Proof] = [by_settings(book.settings.snapshot.reject_direct_send, book.settings.generated_at)]
    store, baseline = tenant.store, tenant.baseline()
    probe = store.latest_observation("probe")
    if probe is not None:
        why = probe.body.get("why", ())
        proofs.append(by_probe(str(probe.body.get("verdict", "")), [str(each) for each in why], probe.at))
    bounced = [each for each in store.observations("bounce", limit=_MOST_BOUNCES) if each.body.get("code") == _REFUSED]
    if bounced:
        proofs.append(by_refusals(len(bounced), bounced[0].at))
    closed = baseline.closed_since if isinstance(baseline, Baseline) else None
    return door(proofs, closed)
