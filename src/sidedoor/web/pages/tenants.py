"""The tenants that somebody may see."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from sidedoor.web.access.needs import needs
from sidedoor.web.access.roles import Role
from sidedoor.web.pages.common import TheSite, Who, at, render
from sidedoor.web.service.overview import overview

router = APIRouter(include_in_schema=False)


@router.get("/")
@needs(Role.READER)
def tenants(request: Request, site: TheSite, visitor: Who) -> Response:
    """The list; straight to the tenant where there is but one."""
    mine = [tenant for name, tenant in site.tenants.items() if visitor.may(Role.READER, name)]
    if len(mine) == 1 and not site.broken:
        return RedirectResponse(at(mine[0]), 303)
    broken = site.broken if visitor.may(Role.ADMIN) else ()
    return render(request, "tenants.html.j2", rows=overview(mine), broken=broken)
