"""The one place where HTTP is spoken: tokens, pacing, waiting, repeating, redirects; nothing about what is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeVar

import httpx

from sidedoor.errors import UnreachableError
from sidedoor.exchange.clock import Clock
from sidedoor.exchange.links import is_other_port, joined, origin, stays
from sidedoor.exchange.pacing import Pacer, backoff, retry_after
from sidedoor.exchange.tokens import NoTokenError, Tokens
from sidedoor.exchange.wire import Refusal, RefusedError, Row, is_answer, is_throttled, parse_object, refusal_of

T = TypeVar("T")
_ATTEMPTS, _FIRST_ATTEMPTS = 7, 2  # a network that has never answered is not waited for
_WRITE_ATTEMPTS = 3
_LONGEST_THROTTLE = 3_600.0  # seconds of waiting in all, for one request
_SOON_THROTTLED = 4  # so often a short Retry-After is believed
_MOST_REDIRECTS = 5
TIMEOUT = 100.0  # seconds; what Microsoft's own Graph libraries wait for an answer
_WHOLE = 3  # so many time-outs for all of an answer: one that drips is cut off too
_CONNECT = 20.0
_REDIRECTS = frozenset({301, 302, 307, 308})
_MOST_BODY = 64 << 20  # 5,000 rows are some 5 MB
_SCRUBBED = b"[token removed]"


class BrokenError(UnreachableError):
    """The service is there and fails again and again at this very request."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request. scope: of its token. `key`: where the answer's rows must stand, "" where any object will do.

    hosts: suffixes (with their dot) of hosts that a link may lead to. `anchor` gives X-AnchorMailbox, when there is a
    token. seconds: how long the service may take. most: bytes of the answer; `first`: more of it is left, not refused.
    writes: a change of the tenant, which may be repeated: its answer may be without a body, and after a few failures
    whoever asked should look what came of it instead of asking on.
    """

    method: str
    url: str
    scope: str
    body: Mapping[str, object] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    hosts: tuple[str, ...] = ()
    key: str = ""
    anchor: Callable[[], str] | None = None
    seconds: float = 0.0
    most: int = _MOST_BODY
    first: bool = False
    writes: bool = False


class _Answer(NamedTuple):
    status: int
    headers: httpx.Headers
    content: bytes


@dataclass(slots=True)
class _Patience:
    """What has gone wrong with one request so far."""

    failed: int = 0
    throttled: int = 0
    waited: float = 0.0
    renewed: bool = False
    fresh: bool = False  # the next token is to be another one


def _client(seconds: float) -> httpx.Client:
    """Nothing that is for this machine goes through a proxy, whose leg is not encrypted."""
    trusted = httpx.create_ssl_context()  # which takes longer than all the rest, so that it is made once
    here = dict.fromkeys(
        (f"all://{host}" for host in ("127.0.0.1", "localhost", "[::1]")), httpx.HTTPTransport(verify=trusted)
    )
    return httpx.Client(verify=trusted, mounts=here, timeout=seconds, follow_redirects=False)


class Http:
    """`ask` repeats what may be repeated: all we ask is reading. A token is in no log and in no error."""

    def __init__(
        self,
        tokens: Tokens,
        clock: Clock,
        say: Callable[[str], None],
        transport: httpx.BaseTransport | None = None,
        seconds: float = TIMEOUT,
    ) -> None:
        """`transport`: what speaks HTTP, httpx's own if None. `seconds`: how long an answer may take, at least."""
        self._tokens, self._clock, self._say, self._seconds = tokens, clock, say, seconds
        self._client = (
            httpx.Client(transport=transport, timeout=seconds, follow_redirects=False)
            if transport
            else _client(seconds)
        )
        self._reached = False
        self._moved: set[tuple[str, str, int]] = set()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def allowed(self, url: str, call: Call) -> bool:
        """Whether a link to a further page stays with the service, or with a region that it has sent us to."""
        return stays(url, call.url, call.hosts) or origin(url) in self._moved

    def ask(self, call: Call, pacer: Pacer | None = None) -> Row:
        """The answer's JSON object. Raises RefusedError, and UnreachableError where patience has ended."""

        def read(answer: _Answer) -> Row | None:
            body = parse_object(answer.content)
            if call.writes:
                return body or {}
            return body if is_answer(body, call.key) else None

        return self._answer(call, pacer, read)

    def fetch(self, call: Call, pacer: Pacer | None = None, most: int = _MOST_BODY) -> bytes:
        """The answer's content as it is, its first `most` bytes. Raises as `ask`."""
        return self._answer(replace(call, most=most, first=True), pacer, lambda answer: answer.content or None)

    def _answer(self, call: Call, pacer: Pacer | None, read: Callable[[_Answer], T | None]) -> T:
        """What `read` makes of an answer that is none of a failure's."""
        patience = _Patience()
        while True:
            if pacer is not None:
                pacer.wait()
            trouble, answer = self._tried(call, patience)
            if answer is None:
                self._again(patience, call, trouble)
                continue
            if answer.status < 300 and (found := read(answer)) is not None:
                return found
            self._bear(patience, call, answer)

    def _tried(self, call: Call, patience: _Patience) -> tuple[str, _Answer | None]:
        """The answer, or why there is none. Errors of the library, whose texts may quote what was sent, end here."""
        try:
            if patience.fresh:
                self._tokens.token(call.scope, fresh=True)
                patience.fresh = False
            return "", self._send(call)
        except (httpx.HTTPError, httpx.StreamError) as error:
            return type(error).__name__, None
        except httpx.InvalidURL:
            # httpx looks where a redirect leads, although it is not to follow it.
            raise RefusedError(Refusal.REDIRECTED, 302, "to no address") from None
        except NoTokenError as error:
            if error.final:
                raise
            return str(error), None

    def _bear(self, patience: _Patience, call: Call, answer: _Answer) -> None:
        """Wait, or want another token, so that the request can be repeated. Raises RefusedError, UnreachableError."""
        status, body = answer.status, parse_object(answer.content)
        if is_throttled(status, body):
            self._throttled(patience, call, answer.headers)
        elif status == 401 and not patience.renewed:
            # A token that ended in the middle; the same answer to a new one is meant.
            patience.renewed = patience.fresh = True
        elif status < 300 or status >= 500 or status == 408:
            told = f"HTTP {status}" if status >= 400 else "an unreadable answer"
            self._again(patience, call, told, answer.headers, broken=True)
        else:
            raise refusal_of(status, body)

    def _again(
        self, patience: _Patience, call: Call, what: str, headers: Mapping[str, str] | None = None, *,
        broken: bool = False,
    ) -> None:  # fmt: skip
        """Wait before the next attempt. Raises UnreachableError."""
        patience.failed += 1
        attempts = _WRITE_ATTEMPTS if call.writes else _ATTEMPTS
        if patience.failed >= (attempts if self._reached else _FIRST_ATTEMPTS):
            kind = BrokenError if broken else UnreachableError
            host = (origin(call.url) or ("", "?"))[1]
            raise kind(f"{host}: {what}, {patience.failed} times")
        seconds = backoff(patience.failed)
        if headers is not None and "Retry-After" in headers:
            seconds = max(seconds, self._asked_for(headers))
        self._say(f"{what}; again in {seconds:.0f} s")
        self._clock.sleep(seconds)

    def _throttled(self, patience: _Patience, call: Call, headers: Mapping[str, str]) -> None:
        if patience.waited >= _LONGEST_THROTTLE or (call.writes and patience.throttled >= _WRITE_ATTEMPTS):
            raise UnreachableError(f"the service throttles every request, for {patience.waited / 60:.0f} minutes now")
        patience.throttled += 1
        # A service that says "in a second" again and again is asked less and less often.
        fewer = 2.0 ** min(max(0, patience.throttled - _SOON_THROTTLED), 8)
        seconds = max(self._asked_for(headers), fewer)
        self._say(f"throttled by the service; again in {seconds:.0f} s")
        self._clock.sleep(seconds)
        patience.waited += seconds

    def _asked_for(self, headers: Mapping[str, str]) -> float:
        return retry_after(headers.get("Retry-After"), headers.get("Date"), self._clock.now())

    def _send(self, call: Call) -> _Answer:
        """One request with its redirects. The token goes to the host it is meant for and to no other."""
        url, seconds = call.url, max(call.seconds, self._seconds)
        timeout = httpx.Timeout(seconds, connect=min(_CONNECT, seconds))
        for _ in range(_MOST_REDIRECTS):
            token = self._tokens.token(call.scope)
            headers = {**call.headers, "Authorization": f"Bearer {token}"}
            if call.anchor is not None:
                headers["X-AnchorMailbox"] = call.anchor()
            with self._client.stream(call.method, url, json=call.body, headers=headers, timeout=timeout) as answer:
                self._reached = True
                if answer.status_code not in _REDIRECTS:
                    content = self._read(answer, call, self._clock.steady() + seconds * _WHOLE)
                    return _Answer(answer.status_code, answer.headers, content.replace(token.encode(), _SCRUBBED))
                status, location = answer.status_code, answer.headers.get("Location", "")
            url = self._followed(joined(url, location), call, status)
        raise RefusedError(Refusal.REDIRECTED, status, "in a circle")

    def _followed(self, url: str, call: Call, status: int) -> str:
        """Where a redirect leads. Raises RefusedError where that is not the service."""
        found = origin(url)
        if found is None:
            raise RefusedError(Refusal.REDIRECTED, status, "to no address")
        if not (stays(url, call.url, call.hosts) or is_other_port(url, call.url)):
            raise RefusedError(Refusal.REDIRECTED, status, f"{found[0]}://{found[1]}:{found[2]}"[:100])
        self._moved.add(found)
        return url

    def _read(self, answer: httpx.Response, call: Call, until: float) -> bytes:
        """The body, bounded in time, and after decompression in size."""
        parts, size = [], 0
        for part in answer.iter_bytes():
            parts.append(part)
            size += len(part)
            if size > call.most and call.first:
                return b"".join(parts)[: call.most]
            if size > call.most:
                raise RefusedError(Refusal.GARBLED, answer.status_code, f"more than {call.most >> 20} MB")
            if self._clock.steady() > until:
                raise httpx.ReadTimeout("the answer drips")
        return b"".join(parts)
