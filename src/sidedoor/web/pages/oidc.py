"""Signing in with OpenID Connect: there and back again."""

from __future__ import annotations

import logging

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from sidedoor.web.access import oidc, sessions
from sidedoor.web.access.access import client_of, life_of, set_cookie
from sidedoor.web.access.needs import needs
from sidedoor.web.access.provider import Provider
from sidedoor.web.access.roles import Role
from sidedoor.web.pages.common import TheSite, Who, local
from sidedoor.web.problems import Problem
from sidedoor.web.render import page

router = APIRouter(include_in_schema=False)
_log = logging.getLogger(__name__)
_COOKIE, _SECURE_COOKIE = "sidedoor_oidc", "__Host-sidedoor_oidc"
_BACK = "/sign-in/callback"


def _provider(request: Request) -> Provider:
    """Where people sign in. Raises Problem where nowhere is."""
    found: Provider | None = request.app.state.provider
    if found is None:
        raise Problem(404, "There is nothing at this address.")
    if not request.app.state.tries.allowed("oidc", client_of(request), many=True):
        raise Problem(429, "Too many tries; wait a minute.", headers={"Retry-After": "60"})
    return found


def _cookie(request: Request) -> str:
    return _SECURE_COOKIE if request.app.state.reach.secure else _COOKIE


def _redirect_uri(site: TheSite) -> str:
    return f"{site.settings.public_url}{_BACK}"


@router.get("/sign-in/oidc")
@needs(Role.NOBODY)
def there(request: Request, site: TheSite, next: str = "/") -> Response:  # noqa: A002
    """To the provider. The cookie comes back with a navigation from there, so it is Lax; it opens nothing by itself."""
    begun = oidc.begin(_provider(request), site.sessions, _redirect_uri(site), local(next), site.clock())
    response = RedirectResponse(begun.url, 303)
    response.set_cookie(
        _cookie(request), begun.browser, max_age=int(oidc.LASTS.total_seconds()), path="/",
        secure=request.app.state.reach.secure, httponly=True, samesite="lax",
    )  # fmt: skip
    return response


@router.get(_BACK)
@needs(Role.NOBODY)
def back_again(request: Request, site: TheSite, visitor: Who) -> Response:
    """From the provider: in, if it says who this is and a role was given to them."""
    provider, browser = _provider(request), request.cookies.get(_cookie(request), "")
    answer = {name: request.query_params[name] for name in ("state", "code", "iss") if name in request.query_params}
    person = oidc.finish(provider, site.sessions, _redirect_uri(site), answer, browser=browser, now=site.clock())
    grants = site.settings.granted(person.values)
    if not grants:
        _log.warning("sign-in of %s refused: no grant in web.toml fits", person.name)
        raise Problem(403, "You are known, but nobody has given you a role here.")
    sessions.end(site.sessions, visitor)
    secret = sessions.begin(site.sessions, person.name, grants, life_of(site.settings), site.clock())
    _log.info("%s signed in: %s", person.name, ", ".join(map(str, grants)))
    # A redirect would still count as the provider's navigation, and the browser would keep back the strict cookie.
    response = HTMLResponse(page("bounce.html.j2", target=person.onward))
    set_cookie(request, response, secret)
    response.delete_cookie(_cookie(request), path="/", secure=request.app.state.reach.secure, httponly=True)
    return response
