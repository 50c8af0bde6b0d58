"""Figures of the tenants for Prometheus, out of the newest report and the store. What is not known has no sample."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from sidedoor.errors import SidedoorError
from sidedoor.watch.metrics import CONTENT_TYPE, TenantFigures, render
from sidedoor.web.tenant import Tenant

__all__ = ["CONTENT_TYPE", "figures"]
_RUNS = 50
_DONE = "done"


def figures(tenants: Iterable[Tenant]) -> bytes:
    """In Prometheus' text format; a tenant whose store or report cannot be read has its name only."""
    return render([_figures(tenant) for tenant in tenants])


def _figures(tenant: Tenant) -> TenantFigures:
    try:
        return _told(tenant)
    except SidedoorError:
        return TenantFigures(tenant.name)


def _told(tenant: Tenant) -> TenantFigures:
    book, store = tenant.book(), tenant.store
    runs = store.last_runs(_RUNS)
    last = next((run for run in runs if run.ended is not None), None)
    done = next((run for run in runs if run.outcome == _DONE), None)
    alerts = Counter((each.finding.severity.value, each.finding.kind) for each in tenant.open_alerts())
    seen = TenantFigures(
        tenant.name, alerts=alerts, last_run=runs[0].started if runs else None,
        last_success=None if done is None else done.ended,
        last_duration=None if last is None or last.ended is None else (last.ended - last.started).total_seconds(),
    )  # fmt: skip
    if book is None:
        return seen
    senders, would = Counter[str](), Counter[str]()
    for entry in tenant.roll(book).entries:
        senders[entry.assessment.value] += 1
        would[entry.assessment.value] += entry.sender.would_reject
    return TenantFigures(
        tenant.name,
        reject_direct_send=book.settings.snapshot.reject_direct_send,
        senders=senders,
        would_reject=would,
        messages={submission.value: count for submission, count in book.audit.totals.items()},
        alerts=alerts,
        last_run=seen.last_run,
        last_success=seen.last_success,
        last_duration=seen.last_duration,
    )
