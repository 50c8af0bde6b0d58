"""What all pages share: the frame, the tenant of the address, and what was done a moment ago."""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import Depends, Path, Request
from pydantic import BeforeValidator
from starlette.responses import HTMLResponse, RedirectResponse, Response

from sidedoor.web.access.access import admit, site_of
from sidedoor.web.access.roles import Role
from sidedoor.web.access.visitor import NOBODY, Visitor
from sidedoor.web.book import Book
from sidedoor.web.problems import Problem
from sidedoor.web.render import page
from sidedoor.web.site import Site
from sidedoor.web.tenant import Tenant

# What a page says was done just now: by code, so that no text travels in addresses.
DONE: Mapping[str, str] = {
    "decided": "Kept.",
    "acknowledged": "Noted that you know of it.",
    "accepted": "Taken into the baseline: the next run does not find it any more.",
    "snoozed": "No message about it until then.",
    "awake": "Messages about it go out again.",
    "ticked": "Ticked.",
    "unticked": "Not ticked any more.",
    "planned": "Planned anew.",
    "released": "Released; the edge delivers it within moments.",
    "deleted": "Deleted for good.",
    "revoked": "That token is worthless now.",
    "ended": "Their sessions are over.",
    "signed-out": "You are signed out.",
}


def tenant_of(
    request: Request, tenant: Annotated[str, Path(description="The tenant's domain.", max_length=253)]
) -> Tenant:
    """The tenant that the address names; `admit` has seen to it that there is one."""
    return site_of(request).tenants[tenant]


Here = Annotated[Tenant, Depends(tenant_of)]
Who = Annotated[Visitor, Depends(admit)]
TheSite = Annotated[Site, Depends(site_of)]


def book_of(tenant: Here) -> Book | None:
    """The tenant's newest report."""
    return tenant.book()


Report = Annotated[Book | None, Depends(book_of)]


def render(request: Request, template: str, status: int = 200, **context: Any) -> HTMLResponse:
    """A page in the frame: who is signed in, what was done, and for a tenant what its menu counts."""
    visitor: Visitor = getattr(request.state, "visitor", NOBODY)
    name = request.path_params.get("tenant")
    tenant = site_of(request).tenants.get(name) if name and visitor.may(Role.READER, name) else None
    frame = {
        "visitor": visitor,
        "operator": visitor.may(Role.OPERATOR, name),
        "admin": visitor.may(Role.ADMIN),
        "tenant": tenant,
        "tenants": [each for each in site_of(request).tenants if visitor.may(Role.READER, each)],
        "counts": _counts(tenant) if tenant is not None else {},
        "done": DONE.get(request.query_params.get("done", "")),
        "now": site_of(request).clock(),
        "path": request.url.path,
    }
    return HTMLResponse(page(template, **frame | context), status)


def _counts(tenant: Tenant) -> dict[str, int]:
    book = tenant.book()
    new = [alert for alert in tenant.open_alerts() if alert.acknowledged_at is None]
    return {"alerts": len(new), "senders": 0 if book is None else len(tenant.roll(book).waiting)}


def no_report(request: Request) -> HTMLResponse:
    """What stands in place of a page while there is no report yet."""
    return render(request, "first.html.j2")


def back(path: str, done: str, **query: str) -> RedirectResponse:
    """After a change: to the page that shows it, by GET, so that reloading does not change again."""
    return RedirectResponse(f"{path}?{urlencode(query | {'done': done})}", 303)


def at(tenant: Tenant, *parts: str) -> str:
    """The address of a page of a tenant."""
    return "/".join(("", "t", quote(tenant.name, safe=""), *(quote(part, safe="") for part in parts)))


def sign_in_first(request: Request) -> Response:
    """To the page for signing in, and after that to where somebody was going.

    The session's cookie is not sent along when a link on another site leads here (SameSite=Strict). Such a request is
    asked again from a page of ours, and then comes with the cookie if there is one.
    """
    target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if request.method == "GET" and request.headers.get("sec-fetch-site") == "cross-site":
        return HTMLResponse(page("bounce.html.j2", target=target))
    onward = target if request.method == "GET" else "/"
    return RedirectResponse(f"/sign-in?{urlencode({'next': onward})}", 303)


def local(target: str) -> str:
    """An address on this server, "/" for anything else: nobody is sent elsewhere after signing in."""
    plain = target.startswith("/") and not target.startswith("//") and "\\" not in target and target.isprintable()
    return target if plain and len(target) <= 2_000 else "/"


def must(found: Any, what: str) -> Any:
    """What was found. Raises Problem where there is none."""
    if found is None:
        raise Problem(404, what)
    return found


def linked(path: str, **usual: str) -> Callable[..., str]:
    """Makes addresses of a page: its own values, with some of them changed; empty ones are left out."""

    def link(**changes: object) -> str:
        values = {name: str(value) for name, value in (usual | changes).items() if value not in {"", None}}
        return f"{path}{'?' if values else ''}{urlencode(values)}"

    return link


def attachment(name: str) -> dict[str, str]:
    """Headers of a file to be kept; its name is plain ASCII, so that no header can be forged by it."""
    safe = "".join(letter if letter in _PLAIN else "_" for letter in name)[:150]
    return {"Content-Disposition": f'attachment; filename="{safe}"'}


_PLAIN = frozenset(string.ascii_letters + string.digits + "._-")


def download(content: bytes, name: str, media_type: str) -> Response:
    """A file to be kept, never to be shown by the browser."""
    return Response(content, media_type=media_type, headers=attachment(name))


def _emptied(value: object) -> object:
    """A form sends a field that nobody filled in as an empty text."""
    return None if value == "" else value


Empty = BeforeValidator(_emptied)
