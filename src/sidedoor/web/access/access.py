"""Every request passes here: who asks, whether they may, and whether a change comes from our own page."""

from __future__ import annotations

import hmac
from datetime import timedelta

from fastapi import Request
from starlette.datastructures import FormData
from starlette.responses import Response

from sidedoor.web.access import bearer, sessions
from sidedoor.web.access.needs import needed
from sidedoor.web.access.roles import Role
from sidedoor.web.access.sessions import Life
from sidedoor.web.access.visitor import NOBODY, Visitor
from sidedoor.web.problems import Problem, wants_json
from sidedoor.web.settings import WebSettings
from sidedoor.web.site import Site

COOKIE, SECURE_COOKIE = "sidedoor_session", "__Host-sidedoor_session"
FIELD, HEADER = "csrf", "x-csrf-token"
_READING = frozenset({"GET", "HEAD", "OPTIONS"})


class SignInNeeded(Problem):  # as Problem
    """Nobody is known to ask."""

    def __init__(self) -> None:
        super().__init__(401, "Sign in, or show a token.", headers={"WWW-Authenticate": "Bearer"})


def life_of(settings: WebSettings) -> Life:
    """How long sessions last."""
    return Life(timedelta(minutes=settings.idle_minutes), timedelta(hours=settings.hours))


def site_of(request: Request) -> Site:
    """What the server holds."""
    site: Site = request.app.state.site
    return site


def client_of(request: Request) -> str:
    """The client's address, for counting."""
    return request.client.host if request.client else ""


def cookie_name(request: Request) -> str:
    """The prefix makes browsers refuse the cookie from other hosts and without TLS (RFC 6265bis section 4.1.3)."""
    return SECURE_COOKIE if request.app.state.reach.secure else COOKIE


def set_cookie(request: Request, response: Response, secret: str) -> None:
    """Give the session to the browser, and to no script and no other site."""
    response.set_cookie(
        cookie_name(request), secret, max_age=None, path="/", secure=request.app.state.reach.secure, httponly=True,
        samesite="strict",
    )  # fmt: skip


def clear_cookie(request: Request, response: Response) -> None:
    """Take the session back from the browser."""
    response.delete_cookie(
        cookie_name(request), path="/", secure=request.app.state.reach.secure, httponly=True, samesite="strict"
    )


def identify(request: Request) -> Visitor:
    """Who asks: the bearer of a token, else the owner of a session, else nobody. A wrong token never falls back."""
    given = request.headers.get("authorization")
    return _by_cookie(request) if given is None else _by_token(request, site_of(request), given)


def _by_cookie(request: Request) -> Visitor:
    site = site_of(request)
    secret = request.cookies.get(cookie_name(request), "")
    return sessions.find(site.sessions, secret, life_of(site.settings), site.clock()) if secret else NOBODY


def _by_token(request: Request, site: Site, given: str) -> Visitor:
    scheme, _, secret = given.partition(" ")
    tries, client = request.app.state.tries, client_of(request)
    if tries.exhausted("token", client):
        raise Problem(429, "Too many wrong tokens; try again in a minute.", headers={"Retry-After": "60"})
    found = bearer.find_bearer(site.sessions, secret.strip(), site.clock()) if scheme.lower() == "bearer" else NOBODY
    if not found.known:
        tries.allowed("token", client)
        raise SignInNeeded
    return found


def admit(request: Request) -> Visitor:
    """The visitor, if the page is for them. Raises Problem: what declares no role is for nobody."""
    role = needed(request.scope["endpoint"])
    if role is None:
        raise Problem(403, "Nobody may do this.")
    visitor = _by_cookie(request) if role is Role.NOBODY else identify(request)
    request.state.visitor = visitor
    if role is Role.NOBODY:
        return visitor
    if not visitor.known:
        raise SignInNeeded
    _in_tenant(request, visitor)
    if not visitor.may(role, request.path_params.get("tenant")):
        raise Problem(403, f"This takes the role {role.word}.")
    return visitor


def _in_tenant(request: Request, visitor: Visitor) -> None:
    """Whoever may not read a tenant is not told whether it is there."""
    name = request.path_params.get("tenant")
    if name is None:
        return
    if name not in site_of(request).tenants or not visitor.may(Role.READER, name):
        raise Problem(404, "There is no such tenant.")


async def unforged(request: Request) -> None:
    """A change under a session must show that session's token, which no other site can read. Raises Problem."""
    visitor: Visitor = request.state.visitor
    if request.method in _READING or not visitor.session:
        return
    if wants_json(request.scope):
        shown = request.headers.get(HEADER, "")
    else:
        form: FormData = await request.form()
        shown = str(form.get(FIELD, ""))
    if not hmac.compare_digest(shown.encode(), visitor.csrf.encode()):
        raise Problem(403, "The form is of an earlier session. Go back, load the page again, and try once more.")
