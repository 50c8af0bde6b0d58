"""Tokens for programs, for admins."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from sidedoor.web.access.needs import needs
from sidedoor.web.access.roles import WORDS, Role
from sidedoor.web.pages.common import TheSite, Who, back, render
from sidedoor.web.service import access as service
from sidedoor.web.service.access import TokenMade, TokenWanted
from sidedoor.web.service.deciding import Invalid

router = APIRouter(include_in_schema=False)


@router.get("/access")
@needs(Role.ADMIN)
def tokens(request: Request, site: TheSite) -> Response:
    """The list, and the form for a new one."""
    return _page(request, site, 200, TokenWanted(""), {}, None)


def _page(
    request: Request, site: TheSite, status: int, wanted: TokenWanted, errors: dict[str, str], made: TokenMade | None
) -> Response:
    return render(
        request, "access.html.j2", status, tokens=service.tokens(site), wanted=wanted, errors=errors, made=made,
        roles=WORDS, names=list(site.tenants), most_days=service.MOST_DAYS,
    )  # fmt: skip


@router.post("/access/tokens")
@needs(Role.ADMIN)
def make(
    request: Request, site: TheSite, visitor: Who, label: Annotated[str, Form()] = "",
    role: Annotated[str, Form()] = "reader", tenant: Annotated[str, Form()] = "", days: Annotated[int, Form()] = 90,
) -> Response:  # fmt: skip
    """A new token, shown once: the answer is the page itself, so that its secret stands in no address."""
    wanted = TokenWanted(label, role, (tenant,) if tenant else (), days)
    try:
        made = service.make_token(site, wanted, visitor)
    except Invalid as error:
        return _page(request, site, 422, wanted, error.errors, None)
    return _page(request, site, 200, TokenWanted(""), {}, made)


@router.post("/access/tokens/{token_id}/revoke")
@needs(Role.ADMIN)
def revoke(site: TheSite, visitor: Who, token_id: str) -> Response:
    """Make one worthless."""
    service.revoke_token(site, token_id, visitor)
    return back("/access", "revoked")


@router.post("/access/sessions/end")
@needs(Role.ADMIN)
def end(site: TheSite, visitor: Who, who: Annotated[str, Form(max_length=400)]) -> Response:
    """End all sessions of somebody."""
    service.end_sessions(site, who.strip(), visitor)
    return back("/access", "ended")
