"""The JSON API for people: every endpoint with what it takes to ask it."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from sidedoor.web.access.needs import needs
from sidedoor.web.access.roles import Role
from sidedoor.web.api.document import document
from sidedoor.web.pages.common import render

router = APIRouter(include_in_schema=False)


@router.get("/api")
@needs(Role.READER)
def reference(request: Request) -> Response:
    """Endpoints by what they are about."""
    made = document()
    groups = [
        (tag["name"], tag["description"], [
            (method.upper(), path, operation["description"], operation["x-role"])
            for path, methods in made["paths"].items()
            for method, operation in methods.items()
            if tag["name"] in operation["tags"]
        ])
        for tag in made["tags"]
    ]  # fmt: skip
    return render(request, "reference.html.j2", groups=groups)
