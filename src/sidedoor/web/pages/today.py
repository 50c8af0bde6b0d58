"""A tenant's morning page."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from sidedoor.report.timeline import chart, gather
from sidedoor.web.access.needs import needs
from sidedoor.web.access.roles import Role
from sidedoor.web.pages.common import Here, Report, no_report, render
from sidedoor.web.service.morning import morning

router = APIRouter(include_in_schema=False)


@router.get("/t/{tenant}")
@needs(Role.READER)
def today(request: Request, tenant: Here, book: Report) -> Response:
    """The door, the alerts, what waits, what is due."""
    if book is None:
        return no_report(request)
    facts = morning(tenant, book)
    bars = gather(facts.timeline)
    charts = (chart(bars, "wide", 1_000, 220), chart(bars, "narrow", 340, 200)) if bars else ()
    return render(request, "today.html.j2", facts=facts, bars=bars, charts=charts)
