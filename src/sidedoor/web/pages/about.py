"""What this server is and how it fares; figures for Prometheus."""

from __future__ import annotations

import hmac

from fastapi import APIRouter, Request
from starlette.responses import Response

from sidedoor.web.access.access import client_of
from sidedoor.web.access.needs import needs
from sidedoor.web.access.roles import Role
from sidedoor.web.pages.common import TheSite, Who, render
from sidedoor.web.problems import Problem
from sidedoor.web.service.figures import CONTENT_TYPE, figures
from sidedoor.web.service.health import health
from sidedoor.web.settings import is_loopback

router = APIRouter(include_in_schema=False)


@router.get("/about")
@needs(Role.READER)
def about(request: Request, site: TheSite, visitor: Who) -> Response:
    """Version, runs and trouble of the tenants that somebody may see."""
    mine = [tenant for name, tenant in site.tenants.items() if visitor.may(Role.READER, name)]
    broken = site.broken if visitor.may(Role.ADMIN) else ()
    return render(request, "about.html.j2", rows=health(mine), broken=broken, oidc=site.settings.oidc)


@router.get("/metrics")
@needs(Role.NOBODY)
def metrics(request: Request, site: TheSite) -> Response:
    """Figures of all tenants: with the token of web.toml, or without one from this machine where none is set."""
    wanted = site.settings.metrics_token
    if wanted:
        shown = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(shown.encode(), wanted.encode()):
            raise Problem(401, "Show the token of [metrics] in web.toml.", headers={"WWW-Authenticate": "Bearer"})
    elif site.settings.public_url or not is_loopback(client_of(request)):
        raise Problem(403, "Beyond this machine figures take a token: [metrics] in web.toml.")
    return Response(figures(site.tenants.values()), media_type=CONTENT_TYPE)
