"""Alerts, the plan, the edge and the quarantine."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from sidedoor.store.model import AlertFilter, Severity
from sidedoor.web.access.needs import needs
from sidedoor.web.access.roles import Role
from sidedoor.web.api.common import PREFIX, Here, Report, Who, errors, there, told
from sidedoor.web.pages.common import download
from sidedoor.web.service import alerts, edge_log, plan_files, planning, quarantine
from sidedoor.web.service.alerts import AlertPage, AlertView
from sidedoor.web.service.describe import STRICT, doc
from sidedoor.web.service.edge_log import EdgePage
from sidedoor.web.service.planning import PlanView, Tick
from sidedoor.web.service.quarantine import HeldMessage, HeldPage
from sidedoor.web.service.what_if import WhatIfView, what_if

router = APIRouter(prefix=PREFIX)
AlertId = Annotated[str, Path(max_length=400)]
MessageId = Annotated[str, Path(max_length=400)]
Page = Annotated[int, Query(ge=1, le=1_000_000)]
_GONE: dict[int | str, dict[str, Any]] = {204: {"description": "Done."}}


@dataclass(frozen=True, slots=True)
class Snooze:
    """Until when no message goes out."""

    __pydantic_config__ = STRICT
    until: Annotated[datetime | None, doc("Within a year; null ends a snooze.")]


@dataclass(frozen=True, slots=True)
class Done:
    """Whether a step is done."""

    __pydantic_config__ = STRICT
    done: bool


@router.get("/tenants/{tenant}/alerts", response_model=AlertPage, responses=errors(404), tags=["alerts"])
@needs(Role.READER)
def list_alerts(
    tenant: Here,
    open_only: Annotated[bool, Query(description="Without those that are over.")] = True,
    severity: Annotated[Severity, Query(description="At least.")] = Severity.INFO,
    q: Annotated[str, Query(max_length=200, description="In title, text, subject or evidence.")] = "",
    page: Page = 1,
) -> Response:
    """Alerts, the newest first, 50 a page."""
    return told(alerts.alerts(tenant, AlertFilter(open_only, severity=severity, search=q.strip()), page))


@router.get("/tenants/{tenant}/alerts/{alert_id}", response_model=AlertView, responses=errors(404), tags=["alerts"])
@needs(Role.READER)
def get_alert(tenant: Here, alert_id: AlertId) -> Response:
    """One alert with its evidence."""
    return told(alerts.alert(tenant, alert_id))


@router.post(
    "/tenants/{tenant}/alerts/{alert_id}/acknowledge", response_model=AlertView, responses=errors(404), tags=["alerts"]
)
@needs(Role.OPERATOR)
def acknowledge_alert(tenant: Here, visitor: Who, alert_id: AlertId) -> Response:
    """Say that it is known. The first to say so stays."""
    return told(alerts.acknowledge(tenant, alert_id, visitor))


@router.post(
    "/tenants/{tenant}/alerts/{alert_id}/accept", response_model=AlertView, responses=errors(404, 409), tags=["alerts"]
)
@needs(Role.OPERATOR)
def accept_alert(tenant: Here, visitor: Who, alert_id: AlertId) -> Response:
    """Say that what it is about is right as it is. The baseline takes it, and the next run closes the alert."""
    return told(alerts.accept(tenant, alert_id, visitor))


@router.post(
    "/tenants/{tenant}/alerts/{alert_id}/snooze", response_model=AlertView, responses=errors(404), tags=["alerts"]
)
@needs(Role.OPERATOR)
def snooze_alert(tenant: Here, visitor: Who, alert_id: AlertId, wanted: Snooze) -> Response:
    """No message about it before some time."""
    return told(alerts.snooze(tenant, alert_id, wanted.until, visitor))


@router.get("/tenants/{tenant}/plan", response_model=PlanView, responses=errors(404), tags=["plan"])
@needs(Role.READER)
def get_plan(tenant: Here, book: Report) -> Response:
    """The plan as a checklist, with its proof, blockers, dates and files."""
    return told(planning.plan(tenant, there(book)))


@router.post("/tenants/{tenant}/plan", response_model=PlanView, responses=errors(404, 409), tags=["plan"])
@needs(Role.OPERATOR)
def plan_anew(tenant: Here, visitor: Who) -> Response:
    """Make the plan anew, from the same history and what people have decided since."""
    planning.plan_anew(tenant, visitor)
    return told(planning.plan(tenant, there(tenant.book())))


@router.get("/tenants/{tenant}/what-if", response_model=WhatIfView, responses=errors(404), tags=["plan"])
@needs(Role.READER)
def ask_what_if(
    tenant: Here,
    book: Report,
    reject: Annotated[bool, Query(description="RejectDirectSend on.")] = True,
    connector: Annotated[
        list[str] | None, Query(description="Names of the plan's connectors, in place.", max_length=1_000)
    ] = None,
) -> Response:
    """The same history at the door with the switch either way and any of the plan's connectors."""
    book = there(book)
    return told(what_if(book, tenant.roll(book), reject=reject, connectors=connector or ()))


@router.put("/tenants/{tenant}/plan/steps/{step}", response_model=Tick, responses=errors(404), tags=["plan"])
@needs(Role.OPERATOR)
def tick_step(
    tenant: Here, book: Report, visitor: Who, step: Annotated[str, Path(max_length=100)], wanted: Done
) -> Response:
    """Say that a step is done, or is not."""
    return told(planning.tick(tenant, there(book), step, wanted.done, visitor))


@router.get(
    "/tenants/{tenant}/plan.zip",
    response_class=Response,
    responses={200: {"description": "A zip", "content": {"application/zip": {}}}, **errors(404, 413)},
    tags=["plan"],
)
@needs(Role.READER)
def download_plan(tenant: Here, book: Report) -> Response:
    """Scripts, letters and hunting queries in one file."""
    return download(plan_files.archive(there(book)), f"sidedoor-plan-{tenant.name}.zip", "application/zip")


@router.get("/tenants/{tenant}/edge/decisions", response_model=EdgePage, responses=errors(404), tags=["edge"])
@needs(Role.READER)
def list_decisions(
    tenant: Here,
    after: Annotated[str | None, Query(max_length=1_000, description="The `cursor` of the page before.")] = None,
) -> Response:
    """Decisions of the tenant's edges: the last 100, or those after a cursor."""
    return told(edge_log.decisions(tenant, after))


@router.get("/tenants/{tenant}/quarantine", response_model=HeldPage, responses=errors(404), tags=["quarantine"])
@needs(Role.READER)
def list_held(tenant: Here) -> Response:
    """What the edge holds back, the oldest first."""
    return told(quarantine.held(tenant))


@router.get(
    "/tenants/{tenant}/quarantine/{message_id}", response_model=HeldMessage, responses=errors(404), tags=["quarantine"]
)
@needs(Role.READER)
def get_held(tenant: Here, message_id: MessageId) -> Response:
    """One message as text."""
    return told(quarantine.message(tenant, message_id))


@router.post(
    "/tenants/{tenant}/quarantine/{message_id}/release", status_code=204, response_class=Response,
    responses={**_GONE, **errors(404)}, tags=["quarantine"],
)  # fmt: skip
@needs(Role.OPERATOR)
def release_held(tenant: Here, visitor: Who, message_id: MessageId) -> Response:
    """Let it go on its way."""
    quarantine.release(tenant, message_id, visitor)
    return Response(status_code=204)


@router.delete(
    "/tenants/{tenant}/quarantine/{message_id}", status_code=204, response_class=Response,
    responses={**_GONE, **errors(404)}, tags=["quarantine"],
)  # fmt: skip
@needs(Role.OPERATOR)
def delete_held(tenant: Here, visitor: Who, message_id: MessageId) -> Response:
    """Delete it for good."""
    quarantine.delete(tenant, message_id, visitor)
    return Response(status_code=204)
