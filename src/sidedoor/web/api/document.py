"""The OpenAPI document, from the routes; docs/openapi.json is the same, held to it by a test."""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.responses import Response

from sidedoor.web.access.needs import needed, needs
from sidedoor.web.access.roles import Role
from sidedoor.web.api import senders, tenants, tokens, work
from sidedoor.web.api.common import PREFIX

VERSION = "1.0.0"
_ABOUT = """What `sidedoor web` shows, for programs. Values are those of the newest report, of the store that keeps what
people decide, and of the edge's files; nothing in the tenant itself is ever changed.

Send `Authorization: Bearer sdt_…` with a token that an admin made. A browser's session will do too; changes then show
its token in `X-CSRF-Token`. What goes wrong is told as problem details (RFC 9457). Times are RFC 3339 in UTC.
"""
_PROBLEM = {
    "type": "object",
    "description": "Problem details (RFC 9457).",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "description": "about:blank: the status says what kind of problem it is."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "A sentence for people."},
        "errors": {
            "type": "object",
            "description": "Field to what is wrong with it.",
            "additionalProperties": {"type": "string"},
        },
        "current": {"description": "With 412: what holds now."},
    },
}  # fmt: skip
_TAGS = [
    {"name": "tenants", "description": "A tenant at a glance, its settings, its trail."},
    {"name": "senders", "description": "Who uses the door, and what people decided."},
    {"name": "plan", "description": "How the honest get in once the door is closed."},
    {"name": "alerts", "description": "What is not as it was."},
    {"name": "edge", "description": "Decisions of an edge of the tenant's."},
    {"name": "quarantine", "description": "What an edge holds back."},
    {"name": "access", "description": "Tokens, for admins."},
]
_SCHEMES = {
    "token": {"type": "http", "scheme": "bearer", "description": "A token that an admin made."},
    "session": {
        "type": "apiKey", "in": "cookie", "name": "__Host-sidedoor_session",
        "description": "A browser's session (`sidedoor_session` without TLS); changes need X-CSRF-Token too.",
    },
}  # fmt: skip

router = APIRouter(prefix=PREFIX)
ROUTERS = (tenants.router, senders.router, work.router, tokens.router)
"""All of them, in the order of the document."""


@router.get("/openapi.json", include_in_schema=False)
@needs(Role.READER)
def openapi() -> Response:
    """This document."""
    return Response(dump(), media_type="application/json")


def document() -> dict[str, Any]:
    """The document as JSON values."""
    app = FastAPI(generate_unique_id_function=lambda route: route.name)
    for each in ROUTERS:
        app.include_router(each)
    made = get_openapi(
        title="Sidedoor", version=VERSION, description=_ABOUT, routes=app.routes, tags=_TAGS,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )  # fmt: skip
    parts = made.setdefault("components", {})
    parts.setdefault("schemas", {})["Problem"] = _PROBLEM
    parts["securitySchemes"] = _SCHEMES
    made["security"] = [{"token": []}, {"session": []}]
    roles = {
        route.name: needed(route.endpoint) for each in ROUTERS for route in each.routes if isinstance(route, APIRoute)
    }
    for operation in (each for methods in made["paths"].values() for each in methods.values()):
        role = roles.get(operation["operationId"])
        assert role is not None, operation["operationId"]
        operation["x-role"] = role.word
    return made


def dump() -> bytes:
    """The document's bytes, the same for the same routes."""
    return (json.dumps(document(), indent=1, ensure_ascii=True) + "\n").encode("ascii")
