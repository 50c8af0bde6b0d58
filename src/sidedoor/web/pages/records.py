"""The audit trail, and the tenant's settings as they were read."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse

from sidedoor.web.access.needs import needs
from sidedoor.web.access.roles import Role
from sidedoor.web.pages.common import Here, Report, attachment, no_report, render
from sidedoor.web.service import trail as trails
from sidedoor.web.service.tenant_settings import settings as settings_of

router = APIRouter(include_in_schema=False)
_NUMBER = Query(ge=1, le=2**53)


@router.get("/t/{tenant}/trail")
@needs(Role.READER)
def trail(
    request: Request, tenant: Here, book: Report, before: Annotated[int | None, _NUMBER] = None
) -> Response:  # fmt: skip
    """Who did what, the newest first."""
    names = {} if book is None else tenant.roll(book).by_key
    return render(request, "trail.html.j2", found=trails.trail(tenant.store, before), before=before, names=names)


@router.get("/t/{tenant}/trail.csv")
@needs(Role.ADMIN)
def export(tenant: Here) -> Response:
    """The whole trail."""
    headers = attachment(f"sidedoor-trail-{tenant.name}.csv")
    return StreamingResponse(trails.export(tenant.store), media_type="text/csv", headers=headers)


@router.get("/t/{tenant}/settings")
@needs(Role.READER)
def settings(request: Request, tenant: Here, book: Report) -> Response:
    """Settings, and what has changed since they were accepted."""
    if book is None:
        return no_report(request)
    return render(request, "settings.html.j2", of=settings_of(tenant, book))
