"""Alerts: the list, one of them, and what people answer."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import Response

from sidedoor.store.model import AlertFilter, Severity
from sidedoor.web.access.needs import needs
from sidedoor.web.access.roles import Role
from sidedoor.web.pages.common import Empty, Here, Who, at, back, linked, render
from sidedoor.web.service import alerts as service

router = APIRouter(include_in_schema=False)


class Which(StrEnum):
    """Which alerts a list shows."""

    OPEN = "open"  # those that still hold
    ALL = "all"  # those that are over, too


@router.get("/t/{tenant}/alerts")
@needs(Role.READER)
def alerts(
    request: Request,
    tenant: Here,
    which: Which = Which.OPEN,
    severity: Annotated[Severity | None, Empty] = None,
    q: Annotated[str, Query(max_length=200)] = "",
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
) -> Response:
    """The list."""
    wanted = AlertFilter(which is Which.OPEN, severity=severity or Severity.INFO, search=q.strip())
    found = service.alerts(tenant, wanted, page)
    link = linked(at(tenant, "alerts"), which=which.value, severity=severity.value if severity else "", q=q)
    return render(
        request, "alerts.html.j2", found=found, which=which, severity=severity, q=q, link=link, Severity=Severity
    )


@router.get("/t/{tenant}/alerts/{alert_id}")
@needs(Role.READER)
def alert(request: Request, tenant: Here, alert_id: str) -> Response:
    """One alert with its evidence."""
    return render(request, "alert.html.j2", of=service.alert(tenant, alert_id))


@router.post("/t/{tenant}/alerts/{alert_id}/acknowledge")
@needs(Role.OPERATOR)
def acknowledge(tenant: Here, visitor: Who, alert_id: str) -> Response:
    """Say that it is known."""
    service.acknowledge(tenant, alert_id, visitor)
    return back(at(tenant, "alerts", alert_id), "acknowledged")


@router.post("/t/{tenant}/alerts/{alert_id}/accept")
@needs(Role.OPERATOR)
def accept(tenant: Here, visitor: Who, alert_id: str) -> Response:
    """Say that it is right as it is: the next run does not find it any more."""
    service.accept(tenant, alert_id, visitor)
    return back(at(tenant, "alerts", alert_id), "accepted")


@router.post("/t/{tenant}/alerts/{alert_id}/snooze")
@needs(Role.OPERATOR)
def snooze(tenant: Here, visitor: Who, alert_id: str, days: Annotated[int, Form(ge=0, le=366)]) -> Response:
    """No message about it for some days; 0 ends that."""
    until = tenant.clock() + timedelta(days=days) if days else None
    service.snooze(tenant, alert_id, until, visitor)
    return back(at(tenant, "alerts", alert_id), "snoozed" if days else "awake")
