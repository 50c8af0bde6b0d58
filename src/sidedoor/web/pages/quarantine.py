"""What the edge holds back."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from sidedoor.web.access.needs import needs
from sidedoor.web.access.roles import Role
from sidedoor.web.pages.common import Here, Who, at, back, render
from sidedoor.web.service import quarantine as service

router = APIRouter(include_in_schema=False)


@router.get("/t/{tenant}/quarantine")
@needs(Role.READER)
def quarantine(request: Request, tenant: Here) -> Response:
    """The list."""
    return render(request, "quarantine.html.j2", found=service.held(tenant))


@router.get("/t/{tenant}/quarantine/{message_id}")
@needs(Role.READER)
def message(request: Request, tenant: Here, message_id: str, delete: bool = False) -> Response:
    """One message as text; with `delete`, the question whether it is to go."""
    return render(request, "held.html.j2", of=service.message(tenant, message_id), sure=delete)


@router.post("/t/{tenant}/quarantine/{message_id}/release")
@needs(Role.OPERATOR)
def release(tenant: Here, visitor: Who, message_id: str) -> Response:
    """Let it go on its way."""
    service.release(tenant, message_id, visitor)
    return back(at(tenant, "quarantine"), "released")


@router.post("/t/{tenant}/quarantine/{message_id}/delete")
@needs(Role.OPERATOR)
def delete(tenant: Here, visitor: Who, message_id: str) -> Response:
    """Delete it for good; the page asks before."""
    service.delete(tenant, message_id, visitor)
    return back(at(tenant, "quarantine"), "deleted")
