"""What is refused before any page is asked, and what every answer says to the browser.

Host against DNS rebinding, Origin and Sec-Fetch-Site against forged requests, a bound on bodies, and the headers that
tell a browser to run nothing but our own files (Content Security Policy Level 3).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sidedoor.web.problems import refusal

_log = logging.getLogger(__name__)
MOST_BODY = 64 * 1024  # octets; the longest form has a note of 4,000 characters
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: then browsers write `Origin: null` into our own forms (Fetch Standard, section 3.2).
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=(), browsing-topics=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "X-Robots-Tag": "noindex",
}
_HSTS = "max-age=31536000"


@dataclass(frozen=True, slots=True)
class Reach:
    """How browsers reach the server. origins: `https://HOST[:PORT]`, of which the hosts may stand in Host."""

    origins: frozenset[str]
    hosts: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "hosts", frozenset(urlsplit(origin).netloc.lower() for origin in self.origins))

    @property
    def secure(self) -> bool:
        """Whether browsers come by TLS alone."""
        return all(origin.startswith("https://") for origin in self.origins)


def reach_of(listened: Iterable[str], public_url: str) -> Reach:
    """public_url where there is one; else the addresses that are listened at, by all names of this machine."""
    return Reach(frozenset({public_url.lower()} if public_url else listened))


class Guard:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, reach: Reach) -> None:
        self._app, self._reach = app, reach

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        told = _Told(send, secure=self._reach.secure)
        problem = self._problem(scope["method"], headers)
        if problem is not None:
            await refusal(scope, *problem)(scope, receive, told)
            return
        if scope["method"] in _READING:
            await self._pass_on(scope, receive, told)
            return
        body = await _whole(receive)
        if body is None:
            await refusal(scope, 413, "The request is too large.")(scope, receive, told)
        else:
            await self._pass_on(scope, _Again(body, receive), told)

    async def _pass_on(self, scope: Scope, receive: Receive, told: _Told) -> None:
        """To the pages; what none of them foresaw goes into the log, and nothing of it to the browser."""
        try:
            await self._app(scope, receive, told)
        except Exception as error:  # noqa: BLE001  # the last stop
            _log.error("%s: %s", scope["path"], type(error).__name__, exc_info=error)
            if not told.started:
                await refusal(scope, 500, "The server's log says more.")(scope, receive, told)

    def _problem(self, method: str, headers: Headers) -> tuple[int, str] | None:
        """Status and reason of a request that no page should see."""
        if headers.get("host", "").lower() not in self._reach.hosts:
            return 421, "This server does not answer to that name."
        length = headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit():
            return 400, "The request cannot be read."
        if int(length[:12]) > MOST_BODY:
            return 413, "The request is too large."
        if method not in _READING:
            return self._forged(headers)
        # Pages are for people who look at them, never parts of somebody else's page (Fetch Metadata).
        if headers.get("sec-fetch-site") == "cross-site" and headers.get("sec-fetch-mode") not in {None, "navigate"}:
            return 403, "Another site asked for this."
        return None

    def _forged(self, headers: Headers) -> tuple[int, str] | None:
        """A change must come from our own pages, or from a program that shows a token and no cookie."""
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if origin is not None and origin.lower() not in self._reach.origins:
            return 403, "Another site asked for this."
        if site not in {None, "same-origin"}:
            return 403, "Another site asked for this."
        if origin is None and site is None and "cookie" in headers:
            return 403, "The browser does not say which page asked for this."
        return None


async def _whole(receive: Receive) -> bytes | None:
    """The body, None where it is too long: a request need not say how long it is."""
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return body  # the client is gone; whoever reads on will be told
        part: bytes = message.get("body", b"")
        body += part
        if len(body) > MOST_BODY:
            return None
        if not message.get("more_body", False):
            return body


class _Again:
    """Gives a body that was read already, and then what comes after it."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


class _Told:
    """Adds the headers to whatever answers."""

    def __init__(self, send: Send, *, secure: bool) -> None:
        self._send, self._secure = send, secure
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers[name] = value
            headers.setdefault("Cache-Control", "no-store")
            if self._secure:
                headers["Strict-Transport-Security"] = _HSTS
            if "server" in headers:
                del headers["server"]
        await self._send(message)
