"""What if: toggles, and the answer at once. Everything stands in the address, so that it can be kept and sent on."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from sidedoor.web.access.needs import needs
from sidedoor.web.access.roles import Role
from sidedoor.web.pages.common import Here, Report, no_report, render
from sidedoor.web.service.what_if import what_if

router = APIRouter(include_in_schema=False)
Names = Annotated[list[str], Query(max_length=1_000)]


@router.get("/t/{tenant}/what-if")
@needs(Role.READER)
def page(
    request: Request, tenant: Here, book: Report, reject: bool = False, connector: Names = [], asked: bool = False,  # noqa: B006
) -> Response:  # fmt: skip
    """The answer. Before anything is asked, it is about closing the door today, without anything done before."""
    if book is None:
        return no_report(request)
    if book.what_if is None:
        return render(request, "no_plan.html.j2", readable=book.plan_readable)
    view = what_if(book, tenant.roll(book), reject=reject or not asked, connectors=connector)
    return render(request, "what_if.html.j2", view=view)
