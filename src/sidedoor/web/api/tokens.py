"""Tokens for programs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Path
from starlette.responses import Response

from sidedoor.web.access.needs import needs
from sidedoor.web.access.roles import Role
from sidedoor.web.api.common import PREFIX, TheSite, Who, errors, listed, told
from sidedoor.web.service import access
from sidedoor.web.service.access import TokenMade, TokenView, TokenWanted

router = APIRouter(prefix=PREFIX, tags=["access"])
_EXAMPLE = {"label": "SIEM", "role": "reader", "tenants": ["contoso.com"], "days": 90}


@router.get("/tokens", response_model=list[TokenView], responses=errors())
@needs(Role.ADMIN)
def list_tokens(site: TheSite) -> Response:
    """All tokens that count, without their secrets."""
    return listed(access.tokens(site))


@router.post("/tokens", status_code=201, response_model=TokenMade, responses=errors())
@needs(Role.ADMIN)
def make_token(site: TheSite, visitor: Who, wanted: Annotated[TokenWanted, Body(examples=[_EXAMPLE])]) -> Response:
    """A new token; its secret is in this answer and nowhere else."""
    return told(access.make_token(site, wanted, visitor), 201)


@router.delete(
    "/tokens/{token_id}", status_code=204, response_class=Response,
    responses={204: {"description": "It is worthless now."}, **errors(404)},
)  # fmt: skip
@needs(Role.ADMIN)
def revoke_token(site: TheSite, visitor: Who, token_id: Annotated[str, Path(max_length=100)]) -> Response:
    """Make a token worthless."""
    access.revoke_token(site, token_id, visitor)
    return Response(status_code=204)
