"""Tenants, their morning, their settings, their trail."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response, StreamingResponse

from sidedoor.web.access.needs import needs
from sidedoor.web.access.roles import Role
from sidedoor.web.api.common import PREFIX, Here, Report, TheSite, Who, errors, listed, there, told
from sidedoor.web.pages.common import attachment
from sidedoor.web.service import trail as trails
from sidedoor.web.service.morning import Morning, morning
from sidedoor.web.service.overview import TenantRow, overview
from sidedoor.web.service.tenant_settings import SettingsView, settings
from sidedoor.web.service.trail import TrailPage
from sidedoor.web.service.whoami import Me, me

router = APIRouter(prefix=PREFIX, tags=["tenants"])
Before = Annotated[int | None, Query(ge=1, le=2**53, description="Only lines with a smaller number.")]
Subject = Annotated[str | None, Query(max_length=400, description="Only lines about this.")]


@router.get("/me", response_model=Me, responses=errors())
@needs(Role.READER)
def get_me(visitor: Who) -> Response:
    """Who asks, and what they may do; for a session, the token that changes must show in X-CSRF-Token."""
    return told(me(visitor))


@router.get("/tenants", response_model=list[TenantRow], responses=errors())
@needs(Role.READER)
def list_tenants(site: TheSite, visitor: Who) -> Response:
    """The tenants that you may see, each with its door, alerts and last run."""
    mine = [tenant for name, tenant in site.tenants.items() if visitor.may(Role.READER, name)]
    return listed(overview(mine))


@router.get("/tenants/{tenant}", response_model=Morning, responses=errors(404))
@needs(Role.READER)
def get_tenant(tenant: Here, book: Report) -> Response:
    """One tenant at a glance: the door and its proofs, readiness, alerts, what waits, what is due, the timeline."""
    return told(morning(tenant, there(book)))


@router.get("/tenants/{tenant}/settings", response_model=SettingsView, responses=errors(404))
@needs(Role.READER)
def get_settings(tenant: Here, book: Report) -> Response:
    """The tenant's settings as they were read last, and how they differ from what was accepted."""
    return told(settings(tenant, there(book)))


@router.get("/tenants/{tenant}/trail", response_model=TrailPage, responses=errors(404))
@needs(Role.READER)
def list_trail(tenant: Here, before: Before = None, subject: Subject = None) -> Response:
    """Who did what and when, the newest first, 100 lines a page."""
    return told(trails.trail(tenant.store, before, subject))


@router.get(
    "/tenants/{tenant}/trail.csv",
    response_class=StreamingResponse,
    responses={200: {"description": "CSV", "content": {"text/csv": {"schema": {"type": "string"}}}}, **errors(404)},
)
@needs(Role.ADMIN)
def export_trail(tenant: Here) -> Response:
    """The whole trail as CSV; cells that a spreadsheet could run are disarmed."""
    headers = attachment(f"sidedoor-trail-{tenant.name}.csv")
    return StreamingResponse(trails.export(tenant.store), media_type="text/csv", headers=headers)
