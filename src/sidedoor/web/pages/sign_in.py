"""Signing in by a link, signing out, and what is served to everybody: the stylesheet, the script, a sign of life."""

from __future__ import annotations

from fastapi import APIRouter, Form, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from sidedoor.web.access import sessions
from sidedoor.web.access.access import clear_cookie, client_of, life_of, set_cookie
from sidedoor.web.access.links import use_link
from sidedoor.web.access.needs import needs
from sidedoor.web.access.roles import Role
from sidedoor.web.pages.common import TheSite, Who, back, local, render
from sidedoor.web.problems import Problem
from sidedoor.web.static import static_files

router = APIRouter(include_in_schema=False)


@router.get("/sign-in")
@needs(Role.NOBODY)
def sign_in(request: Request, site: TheSite, visitor: Who, next: str = "/", token: str = "") -> Response:  # noqa: A002
    """The page for signing in; with a link's token, in."""
    if token:
        return _by_link(request, site, visitor, token)
    if visitor.known:
        return RedirectResponse(local(next), 303)
    return render(request, "sign_in.html.j2", oidc=site.settings.oidc is not None, next=local(next), wrong=False)


@router.post("/sign-in")
@needs(Role.NOBODY)
def sign_in_by_form(request: Request, site: TheSite, visitor: Who, token: str = Form("", max_length=2_000)) -> Response:
    """A link's token, pasted; the whole link will do too."""
    return _by_link(request, site, visitor, token.strip().rpartition("token=")[2])


def _by_link(request: Request, site: TheSite, visitor: Who, token: str) -> Response:
    if not request.app.state.tries.allowed("sign-in", client_of(request)):
        raise Problem(429, "Too many tries; wait a minute.", headers={"Retry-After": "60"})
    found = use_link(site.sessions, token, site.clock())
    if found is None:
        if visitor.known:  # the link opened a second time, in the browser that it signed in
            return RedirectResponse("/", 303)
        oidc = site.settings.oidc is not None
        return render(request, "sign_in.html.j2", 403, oidc=oidc, next="/", wrong=True)
    sessions.end(site.sessions, visitor)
    secret = sessions.begin(site.sessions, *found, life_of(site.settings), site.clock())
    response = RedirectResponse("/", 303)
    set_cookie(request, response, secret)
    return response


@router.post("/sign-out")
@needs(Role.READER)
def sign_out(request: Request, site: TheSite, visitor: Who) -> Response:
    """End the session, here and in the store."""
    sessions.end(site.sessions, visitor)
    response = back("/sign-in", "signed-out")
    clear_cookie(request, response)
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


@router.get("/static/{digest}/{name}")
@needs(Role.NOBODY)
def static(digest: str, name: str) -> Response:
    """A file; its name changes with its content, so that browsers may keep it."""
    found = static_files().get(name)
    if found is None or found.digest != digest:
        raise Problem(404, "There is no such file.")
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(found.content, media_type=found.media_type, headers=headers)


@router.get("/healthz")
@needs(Role.NOBODY)
def healthz() -> Response:
    """Whether the server answers; for whoever starts it again when it does not."""
    return PlainTextResponse("ok\n")
