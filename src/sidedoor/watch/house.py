"""What is done after a run: retention, and figures for Prometheus."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

from sidedoor.policy.decision import Submission
from sidedoor.store.store import Store
from sidedoor.store.tenant import TenantStore
from sidedoor.watch.metrics import TenantFigures, figures_of, write_textfile
from sidedoor.watch.run import Outcome
from sidedoor.watch.workspace import Workspace

_RUNS = 10_000


def keep_house(workspace: Workspace, store: Store, tenant: TenantStore, outcome: Outcome) -> None:
    """Delete what is past its retention, then write the figures. Raises OutputError, UnreachableError."""
    _forget(workspace, store, tenant, outcome.started)
    if workspace.settings.textfile:
        write_textfile(workspace.path(workspace.settings.textfile), [figures(tenant, outcome)])


def _forget(workspace: Workspace, store: Store, tenant: TenantStore, now: datetime) -> None:
    keep = workspace.settings.retention
    if not keep.alerts_days and not keep.trail_days:
        return
    before = now - timedelta(days=keep.alerts_days) if keep.alerts_days else datetime.min.replace(tzinfo=now.tzinfo)
    trail = now - timedelta(days=keep.trail_days) if keep.trail_days else None
    if tenant.forget(before, trail_before=trail).rows:
        store.compact()


def figures(tenant: TenantStore, outcome: Outcome) -> TenantFigures:
    """The figures of a run."""
    sight, learned = outcome.sight, outcome.learned
    if sight is None:
        return TenantFigures(tenant.domain)
    by_day = {} if learned.seen is None else learned.seen.by_day
    totals: dict[Submission, int] = {submission: sum(days.values()) for submission, days in by_day.items()}
    runs = tenant.last_runs(_RUNS)
    last = runs[0] if runs else None
    done = next((each for each in runs if each.outcome == "done" and each.ended is not None), None)
    ended = None if last is None else last.ended
    return replace(
        figures_of(tenant.domain, sight, totals, outcome.open, tenant.waiting()),
        last_run=outcome.started,
        last_success=None if done is None else done.ended,
        last_duration=None if last is None or ended is None else (ended - last.started).total_seconds(),
        history_rows=learned.rows,
        history_days=len({day for days in by_day.values() for day in days}),
        certificates_unread=outcome.certificates_unread,
        runs=Counter(each.outcome for each in runs),
    )
