"""The application: what guards it, what it serves, and how what goes wrong is told."""

from __future__ import annotations

import logging

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from sidedoor import __version__
from sidedoor.errors import SidedoorError, UnreachableError
from sidedoor.web.access.access import SignInNeeded, admit, unforged
from sidedoor.web.access.guard import Guard, Reach
from sidedoor.web.access.provider import Provider
from sidedoor.web.access.rates import Tries
from sidedoor.web.api import document
from sidedoor.web.pages import (
    about,
    alerts,
    edge,
    oidc,
    plan,
    quarantine,
    records,
    reference,
    senders,
    sign_in,
    tenants,
    today,
    tokens,
    what_if,
)
from sidedoor.web.pages.common import sign_in_first
from sidedoor.web.problems import Problem, answer, wants_json
from sidedoor.web.site import Site
from sidedoor.web.streams import Streams

_log = logging.getLogger(__name__)


PAGES = (
    about,
    alerts,
    edge,
    oidc,
    plan,
    quarantine,
    records,
    reference,
    senders,
    sign_in,
    tenants,
    today,
    tokens,
    what_if,
)
ROUTERS = (*(page.router for page in PAGES), document.router, *document.ROUTERS)
"""Everything that is served; each endpoint in them declares its role (`access.needs`), or is refused to everybody."""


def make_app(site: Site, reach: Reach) -> FastAPI:
    """The application for a site that browsers reach in this way."""
    app = FastAPI(
        title="Sidedoor",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        dependencies=[Depends(admit), Depends(unforged)],
    )
    app.state.site, app.state.reach, app.state.tries = site, reach, Tries()
    app.state.streams = Streams()
    app.state.provider = None if site.settings.oidc is None else Provider(site.settings.oidc)
    for router in ROUTERS:
        app.include_router(router)
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(SidedoorError, _ours)
    app.add_middleware(Guard, reach=reach)
    return app


def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    if isinstance(error, SignInNeeded) and not wants_json(request.scope):
        return sign_in_first(request)
    return answer(request.scope, error)


def _http(request: Request, error: Exception) -> Response:
    """What the framework itself refuses; its words are not for people."""
    assert isinstance(error, HTTPException)
    said = {404: "There is nothing at this address.", 405: "This address does not take such a request."}
    detail = said.get(error.status_code, "The request cannot be read.")
    return answer(request.scope, Problem(error.status_code, detail, headers=error.headers))


def _invalid(request: Request, error: Exception) -> Response:
    """Values that do not fit: which, and why; never the value itself."""
    assert isinstance(error, RequestValidationError)
    found = {".".join(str(part) for part in each["loc"][1:]): str(each["msg"]) for each in error.errors()[:20]}
    detail = "; ".join(f"{name}: {why}" if name else why for name, why in found.items())
    return answer(request.scope, Problem(422, detail, errors=found))


def _ours(request: Request, error: Exception) -> Response:
    """What can be told in a sentence; the sentence may name files, so it goes to the log and not to the page."""
    _log.warning("%s: %s", request.url.path, error)
    detail = (
        "The store does not answer." if isinstance(error, UnreachableError) else "A file or the store cannot be used."
    )
    return answer(request.scope, Problem(503, f"{detail} The server's log says more.", headers={"Retry-After": "30"}))
