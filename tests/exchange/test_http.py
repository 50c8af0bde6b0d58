"""One request: redirects, tokens, waiting; whom the token reaches, and what is said."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import format_datetime

import httpx
import pytest

from sidedoor.errors import UnreachableError, UsageError
from sidedoor.exchange.clouds import CLOUDS
from sidedoor.exchange.http import BrokenError, Call, Http
from sidedoor.exchange.links import checked_base, hosts_of, joined, origin, stays
from sidedoor.exchange.tokens import NoTokenError
from sidedoor.exchange.wire import Refusal, RefusedError
from tests.exchange.fake_service import NOW, FakeClock, FakeTokens

HOSTS = CLOUDS["global"].hosts
URL = "https://outlook.office365.com/adminapi"
OK = httpx.Response(200, json={"value": []})


@dataclass
class Line:
    """A conversation: answers in order, the last one for ever. Remembers whom the token reached."""

    answers: list[httpx.Response | Exception]
    clock: FakeClock = field(default_factory=FakeClock)
    tokens: FakeTokens = field(default_factory=FakeTokens)
    said: list[str] = field(default_factory=list)
    reached: list[str] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if "SECRET" in request.headers.get("Authorization", ""):
            self.reached.append(f"{request.url.scheme}://{request.url.netloc.decode()}")
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(found, Exception):
            raise found
        return httpx.Response(found.status_code, headers=found.headers, content=found.content)

    def http(self) -> Http:
        return Http(self.tokens, self.clock, self.said.append, httpx.MockTransport(self))

    def ask(self, url: str = URL, hosts: tuple[str, ...] = HOSTS) -> object:
        return self.http().ask(Call("POST", url, "scope", {}, hosts=hosts, key="value"))


def to(location: str, status: int = 302) -> httpx.Response:
    return httpx.Response(status, headers={"Location": location})


@pytest.mark.parametrize(
    ("url", "location"),
    [
        (URL, "https://eurprd03.prod.outlook.com/adminapi"),
        (URL, "/elsewhere"),
        (URL, "https://outlook.office365.com:443/x"),
        ("http://127.0.0.1:8080/adminapi", "http://127.0.0.1:8081/adminapi"),  # a stand-in's other region
    ],
)
def test_a_region_of_the_service_gets_the_token(url: str, location: str) -> None:
    line = Line([to(location), OK])
    assert line.ask(url) == {"value": []}
    assert len(line.reached) == 2


@pytest.mark.parametrize(
    "location",
    [
        "https://evil.example/", "https://outlook.com.evil.example/", "https://eviloutlook.com/", "//evil.example/x",
        "http://outlook.office365.com/", "https://outlook.office365.com:8443/", "https://outlook.office365.com@evil.example/",
        "https://user:pass@eurprd03.prod.outlook.com/", "https://evil.example\\.prod.outlook.com/", "http://127.0.0.1:8080/",
        "http://[zz", "", "javascript:alert(1)", "file:///etc/passwd", "https://evil.example%2f.outlook.com/",
    ],
)  # fmt: skip
def test_nobody_else_does(location: str) -> None:
    line = Line([to(location), OK])
    with pytest.raises(RefusedError) as caught:
        line.ask()
    assert caught.value.refusal is Refusal.REDIRECTED
    assert line.reached == ["https://outlook.office365.com"]


def test_a_stand_in_on_this_machine_leads_to_its_own_address_only() -> None:
    for location in ("http://127.0.0.2:8081/", "http://localhost:8081/", "http://192.0.2.1/", "https://evil.example/"):
        line = Line([to(location), OK])
        with pytest.raises(RefusedError):
            line.ask("http://127.0.0.1:8080/x", ())
        assert len(line.reached) == 1


def test_redirects_in_a_circle_end() -> None:
    with pytest.raises(RefusedError, match="circle"):
        Line([to(URL)]).ask()


def test_a_page_may_lie_where_the_service_has_sent_us_and_nowhere_else() -> None:
    line = Line([to("http://127.0.0.1:8081/x"), OK])
    http, call = line.http(), Call("POST", "http://127.0.0.1:8080/x", "scope", {}, key="value")
    assert not http.allowed("http://127.0.0.1:8081/next", call)
    http.ask(call)
    assert http.allowed("http://127.0.0.1:8081/next", call)
    assert not http.allowed("http://127.0.0.1:8082/next", call)


def http_date(seconds: float) -> str:
    return format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("status", "headers", "waited"),
    [
        (429, {"Retry-After": "30"}, 30),
        (429, {"Retry-After": http_date(90)}, 90),
        (429, {}, 60),
        (429, {"Retry-After": "soon"}, 60),
        (429, {"Retry-After": "-5"}, 60),
        (429, {"Retry-After": "0"}, 1),
        (429, {"Retry-After": "9" * 400}, 3600),
        (429, {"Retry-After": http_date(-90)}, 1),
        (429, {"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}, 3600),
        (503, {"Retry-After": "45"}, 45),
        (503, {"Retry-After": http_date(45)}, 45),
        (503, {}, 1),
        (500, {}, 1),
    ],
)
def test_it_waits_as_it_is_told(status: int, headers: dict[str, str], waited: float) -> None:
    line = Line([httpx.Response(status, headers=headers), OK])
    line.ask()
    assert line.clock.slept == waited


def test_the_service_s_own_clock_counts_where_ours_is_wrong() -> None:
    headers = {"Retry-After": http_date(40), "Date": http_date(0)}
    line = Line([httpx.Response(429, headers=headers), OK], FakeClock(set_back=timedelta(days=3)))
    line.ask()
    assert line.clock.slept == 40


def test_a_service_that_throttles_for_ever_is_given_up_and_asked_less_and_less() -> None:
    line = Line([httpx.Response(429, headers={"Retry-After": "1"})])
    with pytest.raises(UnreachableError, match="throttles"):
        line.ask()
    assert 3_600 <= line.clock.slept < 8_000
    assert len(line.reached) < 50


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500), httpx.Response(200, content=b"\0" * 99), httpx.Response(200, content=b'{"value": [{'),
        httpx.Response(200, json={"error": {"message": "late"}}), httpx.Response(200, json={"value": {"a": 1}}),
        httpx.Response(200, json={"value": [1]}), httpx.Response(200, content=b"[" * 100_000), httpx.Response(204),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_asked_again_and_then_broken(answer: httpx.Response) -> None:
    assert Line([answer, answer, OK]).ask() == {"value": []}
    line = Line([OK, answer])
    http, call = line.http(), Call("POST", URL, "scope", {}, hosts=HOSTS, key="value")
    http.ask(call)
    with pytest.raises(BrokenError, match="7 times"):
        http.ask(call)
    assert line.clock.slept == 63


def test_a_change_needs_no_answer_s_body_and_is_not_asked_for_on_and_on() -> None:
    for nothing in (httpx.Response(204), httpx.Response(200, content=b""), httpx.Response(200, content=b"\0")):
        assert Line([nothing]).http().ask(Call("POST", URL, "scope", writes=True)) == {}
    line = Line([OK, httpx.Response(500)])
    http, call = line.http(), Call("POST", URL, "scope", writes=True)
    http.ask(call)
    with pytest.raises(BrokenError, match="3 times"):
        http.ask(call)
    with pytest.raises(UnreachableError, match="throttles"):
        Line([httpx.Response(429, headers={"Retry-After": "1"})]).http().ask(call)


def test_a_network_that_never_answered_is_not_waited_for() -> None:
    line = Line([httpx.ConnectError("no")])
    with pytest.raises(UnreachableError):
        line.ask()
    assert line.clock.slept == 1


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_service_that_says_our_token_back_is_not_quoted(status: int) -> None:
    echo = httpx.Response(status, json={"error": {"message": "no right with SECRET-0 or SECRET-1"}})
    with pytest.raises(RefusedError) as caught:
        Line([echo]).ask()
    assert "SECRET-1" not in str(caught.value) or status != 401
    assert f"SECRET-{1 if status == 401 else 0}" not in str(caught.value)
    rows = httpx.Response(200, json={"value": [{"a": "SECRET-0"}]})
    assert "SECRET" not in str(Line([rows]).ask())


def test_no_error_of_the_library_comes_along() -> None:
    """`--debug` prints the whole chain, and the library quotes headers that it cannot send."""
    line = Line([OK, httpx.LocalProtocolError("Illegal header value b'Bearer SECRET-0'")])
    http, call = line.http(), Call("POST", URL, "scope", {}, key="value")
    http.ask(call)
    with pytest.raises(UnreachableError) as caught:
        http.ask(call)
    assert "SECRET" not in "".join(traceback.format_exception(caught.value)) + "".join(line.said)


class Dripping(httpx.SyncByteStream):
    """Bytes that come, and come, and never end."""

    def __init__(self, clock: FakeClock, seconds: float, size: int) -> None:
        self.clock, self.seconds, self.size, self.given = clock, seconds, size, 0

    def __iter__(self) -> Iterator[bytes]:
        while True:
            self.clock.at += timedelta(seconds=self.seconds)
            self.given += self.size
            yield b" " * self.size


def streaming(make: Callable[[], Dripping], clock: FakeClock) -> tuple[Http, list[Dripping]]:
    given: list[Dripping] = []

    def answer(_: httpx.Request) -> httpx.Response:
        given.append(make())
        return httpx.Response(200, stream=given[-1])

    return Http(FakeTokens(), clock, lambda _: None, httpx.MockTransport(answer)), given


def test_an_answer_that_drips_is_cut_off() -> None:
    clock = FakeClock()
    http, given = streaming(lambda: Dripping(clock, 30.0, 1), clock)
    with pytest.raises(UnreachableError, match="ReadTimeout"):
        http.ask(Call("GET", URL, "scope"))
    assert len(given) == 7


def test_an_answer_without_end_is_refused_or_its_beginning_taken() -> None:
    clock = FakeClock()
    http, given = streaming(lambda: Dripping(clock, 0.0, 1 << 16), clock)
    with pytest.raises(RefusedError, match="1 MB"):
        http.ask(Call("GET", URL, "scope", most=1 << 20))
    assert given[0].given <= (1 << 20) + (1 << 17)
    assert len(http.fetch(Call("GET", URL, "scope"), most=1000)) == 1000


def test_a_token_that_cannot_be_had_for_now_is_asked_for_again() -> None:
    class Failing(FakeTokens):
        left = 2
        final = False

        def token(self, scope: str, *, fresh: bool = False) -> str:
            self.left -= 1
            if self.left >= 0:
                raise NoTokenError("the authority is not reached", final=self.final)
            return super().token(scope, fresh=fresh)

    line = Line([OK])
    line.ask()
    line.tokens = Failing()
    http = line.http()
    http._reached = True  # an earlier request went well
    assert http.ask(Call("GET", URL, "scope", key="value")) == {"value": []}
    line.tokens.final, line.tokens.left = True, 1
    with pytest.raises(NoTokenError):
        http.ask(Call("GET", URL, "scope", key="value"))


def test_nothing_for_this_machine_goes_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("ALL_PROXY", "http://proxy.example:3128")
    http = Http(FakeTokens(), FakeClock(), lambda _: None)
    for url in ("http://127.0.0.1:8080/", "http://localhost:8080/", "http://[::1]:8080/"):
        chosen = http._client._transport_for_url(httpx.URL(url))
        assert "Proxy" not in type(chosen._pool).__name__, url  # type: ignore[attr-defined]
    http.close()


@pytest.mark.parametrize(
    "text",
    [
        "http://outlook.office365.com", "ftp://x", "outlook.office365.com", "https://", "https://u:p@x.example",
        "https://x/?q", "https://x/#f", "https://[zz", "http://127.0.0.1.evil.example",
        "http://localhost.evil.example", "https://x\n", "",
    ],
)  # fmt: skip
def test_bases_that_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        checked_base(text)


@pytest.mark.parametrize(
    "text",
    [
        "https://outlook.example",
        "https://x.example:8443/a/",
        "http://127.0.0.1:1",
        "http://localhost:1",
        "http://[::1]:1",
    ],
)
def test_bases_that_are_taken(text: str) -> None:
    assert checked_base(text) == text.rstrip("/")


def test_hosts_below_a_base_of_the_user_s_own() -> None:
    base = "https://outlook.cloud.example"
    assert stays("https://eur1.outlook.cloud.example/x", base, hosts_of(base))
    assert not stays("https://cloud.example/x", base, hosts_of(base))
    for none in ("http://127.0.0.1:1", "https://localhost", "https://192.0.2.1", "https://intranet"):
        assert hosts_of(none) == ()
    assert origin("https://a.example") == origin("https://A.example:443/x") == ("https", "a.example", 443)
    assert joined("https://a.example/x", "http://[zz") != "https://a.example/x"
