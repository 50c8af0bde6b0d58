"""The one place where HTTP is spoken: tokens, pacing, waiting, repeating, redirects; nothing about what is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TypeVar
from urllib.parse import urljoin, urlsplit

import httpx

from sidedoor.errors import UnreachableError, UsageError
from sidedoor.exchange.clock import Clock
from sidedoor.exchange.pacing import Pacer, backoff, retry_after
from sidedoor.exchange.tokens import Tokens
from sidedoor.exchange.wire import Refusal, RefusedError, Row, is_throttled, parse_object, refusal_of

T = TypeVar("T")
_MOST_BODY = 256 << 20  # 100,000 rows of hunting are some 100 MB
_ATTEMPTS, _FIRST_ATTEMPTS = 7, 2  # a network that has never answered is not waited for
_MOST_THROTTLED = 24
_WRITE_ATTEMPTS = 3
_MOST_REDIRECTS = 5
_TIMEOUT = httpx.Timeout(180.0, connect=20.0)  # hunting may take three minutes
_WRITE_TIMEOUT = httpx.Timeout(60.0, connect=20.0)
_REDIRECTS = frozenset({301, 302, 307, 308})


class BrokenError(UnreachableError):
    """The service is there and fails again and again at this very request."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request. scope: of its token. `hosts`: suffixes (with their dot) of hosts that a redirect may lead to.

    writes: a change of the tenant, which may be repeated: its answer may be without a body, and after a few failures
    whoever asked should look what came of it instead of asking on.
    """

    method: str
    url: str
    scope: str
    body: Mapping[str, object] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    hosts: tuple[str, ...] = ()
    writes: bool = False


class Http:
    """`ask` repeats what may be repeated, which is all we ask. A token is in no log and in no error."""

    def __init__(
        self, tokens: Tokens, clock: Clock, say: Callable[[str], None], transport: httpx.BaseTransport | None = None
    ) -> None:
        self._tokens, self._clock, self._say = tokens, clock, say
        self._client = httpx.Client(transport=transport, timeout=_TIMEOUT, follow_redirects=False)
        self._reached = False

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def ask(self, call: Call, pacer: Pacer | None = None) -> Row:
        """The answer's JSON object. Raises RefusedError, and UnreachableError where patience has ended."""
        return self._answer(call, pacer, _written if call.writes else parse_object)

    def fetch(self, call: Call, pacer: Pacer | None = None, most: int = _MOST_BODY) -> bytes:
        """The answer's content as it is, its first `most` bytes. Raises as `ask`."""
        return self._answer(call, pacer, lambda content: content or None, most)

    def _answer(self, call: Call, pacer: Pacer | None, read: Callable[[bytes], T | None], most: int | None = None) -> T:
        failed = throttled = 0
        renewed = False
        while True:
            if pacer is not None:
                pacer.wait()
            try:
                status, headers, content = self._send(call, most)
            except httpx.HTTPError as error:
                failed = self._again(failed, call, type(error).__name__)
                continue
            if status < 300 and (found := read(content)) is not None:
                return found
            body = parse_object(content)
            if is_throttled(status, body):
                throttled = self._throttled(throttled, headers.get("Retry-After"), call)
            elif status == 401 and not renewed:
                renewed = True  # a token that ended in the middle; the same answer to a new one is meant
                self._tokens.token(call.scope, fresh=True)
            elif status < 300 or status >= 500 or status == 408:
                failed = self._again(failed, call, f"HTTP {status}" if status >= 400 else "an unreadable answer")
            else:
                raise refusal_of(status, body)

    def _again(self, failed: int, call: Call, what: str) -> int:
        """Wait before the next attempt. Raises UnreachableError."""
        failed += 1
        attempts = _WRITE_ATTEMPTS if call.writes else _ATTEMPTS
        if failed >= (attempts if self._reached else _FIRST_ATTEMPTS):
            kind = BrokenError if what.startswith("HTTP") else UnreachableError
            raise kind(f"{urlsplit(call.url).hostname}: {what}, {failed} times")
        seconds = backoff(failed)
        self._say(f"{what}; again in {seconds:.0f} s")
        self._clock.sleep(seconds)
        return failed

    def _throttled(self, times: int, header: str | None, call: Call) -> int:
        if times >= (_WRITE_ATTEMPTS if call.writes else _MOST_THROTTLED):
            raise UnreachableError("the service throttles every request")
        seconds = retry_after(header, self._clock.now())
        self._say(f"throttled by the service; again in {seconds:.0f} s")
        self._clock.sleep(seconds)
        return times + 1

    def _send(self, call: Call, most: int | None) -> tuple[int, httpx.Headers, bytes]:
        """One request with its redirects. The token goes to the host it is meant for and to no other."""
        url = call.url
        for _ in range(_MOST_REDIRECTS):
            headers = {**call.headers, "Authorization": f"Bearer {self._tokens.token(call.scope)}"}
            patience = _WRITE_TIMEOUT if call.writes else _TIMEOUT
            with self._client.stream(call.method, url, json=call.body, headers=headers, timeout=patience) as answer:
                self._reached = True
                if answer.status_code not in _REDIRECTS:
                    return answer.status_code, answer.headers, _read(answer, most)
                url = urljoin(url, answer.headers.get("Location", ""))
                status = answer.status_code
            if not allowed(url, call):
                raise RefusedError(Refusal.REDIRECTED, status, (urlsplit(url).hostname or "")[:100])
        raise RefusedError(Refusal.REDIRECTED, status, "in a circle")


def _written(content: bytes) -> Row:
    """A change is often answered without a body."""
    return parse_object(content) or {}


def _read(answer: httpx.Response, most: int | None) -> bytes:
    """The body, bounded after decompression; its first `most` bytes where that is wanted."""
    parts, size = [], 0
    for part in answer.iter_bytes():
        parts.append(part)
        size += len(part)
        if most is not None and size >= most:
            return b"".join(parts)[:most]
        if size > _MOST_BODY:
            raise RefusedError(Refusal.GARBLED, answer.status_code, f"more than {_MOST_BODY >> 20} MB")
    return b"".join(parts)


def allowed(url: str, call: Call) -> bool:
    """Whether a link or a redirect stays with the service: the same origin, or HTTPS to one of its hosts."""
    try:
        there, here = urlsplit(url), urlsplit(call.url)
        if (there.scheme, there.hostname, there.port) == (here.scheme, here.hostname, here.port):
            return True
        host = there.hostname or ""
        return there.scheme == "https" and there.port in {None, 443} and f".{host}".endswith(call.hosts or ("\0",))
    except ValueError:
        return False


def checked_base(text: str) -> str:
    """A base address without a slash at its end. Raises UsageError: a token goes over HTTPS, or to loopback."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise UsageError(f"{text}: no address of a service") from error
    if not host or parts.query or parts.fragment or parts.username or parts.scheme not in {"http", "https"}:
        raise UsageError(f"{text}: not https://HOST[:PORT]")
    if parts.scheme == "http" and not _is_loopback(host):
        raise UsageError(f"{text}: a token goes over HTTPS only, or over HTTP to this machine")
    return text.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
