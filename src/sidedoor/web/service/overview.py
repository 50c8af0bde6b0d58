"""All tenants in one list, for a provider."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from sidedoor.errors import SidedoorError
from sidedoor.web.roll import Due
from sidedoor.web.service import alerts as alerting
from sidedoor.web.service.alerts import SeverityCount
from sidedoor.web.service.describe import doc
from sidedoor.web.service.door import DoorState
from sidedoor.web.service.morning import RunView, door_of, run_of
from sidedoor.web.tenant import Tenant


@dataclass(frozen=True, slots=True)
class TenantRow:
    """One tenant in the list."""

    tenant: Annotated[str, doc("Its domain.")]
    reachable: Annotated[bool, doc("False where its store or its report cannot be read.")]
    door: DoorState
    readiness: Annotated[str, doc("ready, not-ready or undetermined; empty before the first report.")]
    alerts: tuple[SeverityCount, ...]
    waiting: Annotated[int, doc("Senders that closing the door waits for a person to judge.")]
    overdue: int
    generated_at: datetime | None
    last_run: RunView | None


def overview(tenants: Iterable[Tenant]) -> tuple[TenantRow, ...]:
    """A row each; one that cannot be read does not hide the others."""
    return tuple(map(_row, tenants))


def _row(tenant: Tenant) -> TenantRow:
    try:
        return tenant.remembered(f"row of {tenant.clock().date()}", lambda: _told(tenant))
    except SidedoorError:
        return TenantRow(tenant.name, False, DoorState.UNKNOWN, "", (), 0, 0, None, None)


def _told(tenant: Tenant) -> TenantRow:
    book, store, today = tenant.book(), tenant.store, tenant.clock().date()
    runs, alerts = store.last_runs(1), alerting.counts(tenant.open_alerts())
    last = run_of(runs[0]) if runs else None
    if book is None:
        return TenantRow(tenant.name, True, DoorState.UNKNOWN, "", alerts, 0, 0, None, last)
    roll = tenant.roll(book)
    return TenantRow(
        tenant.name, True, door_of(tenant, book).state, book.audit.readiness.state, alerts, len(roll.waiting),
        sum(1 for entry in roll.dated if entry.due(today) is Due.OVERDUE), book.audit.generated_at, last,
    )  # fmt: skip
