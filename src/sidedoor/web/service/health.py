"""How the server's tenants fare: whether their report and store can be read, and how their last runs went."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from sidedoor.errors import SidedoorError
from sidedoor.web.service.describe import doc
from sidedoor.web.service.morning import RunView, run_of
from sidedoor.web.tenant import Tenant

_RUNS = 5


@dataclass(frozen=True, slots=True)
class TenantHealth:
    """One tenant."""

    tenant: str
    store: Annotated[bool, doc("Whether its store answers.")]
    report: Annotated[bool, doc("Whether its report can be read; true while there is none yet.")]
    generated_at: Annotated[datetime | None, doc("When the report was made.")]
    runs: Annotated[tuple[RunView, ...], doc("The newest first.")]


def health(tenants: Iterable[Tenant]) -> tuple[TenantHealth, ...]:
    """A row each."""
    return tuple(map(_row, tenants))


def _row(tenant: Tenant) -> TenantHealth:
    store = report = True
    runs: tuple[RunView, ...] = ()
    made = None
    try:
        runs = tuple(map(run_of, tenant.store.last_runs(_RUNS)))
    except SidedoorError:
        store = False
    try:
        book = tenant.book()
        made = None if book is None else book.audit.generated_at
    except SidedoorError:
        report = False
    return TenantHealth(tenant.name, store, report, made, runs)
