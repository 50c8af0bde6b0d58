"""Bounces out of a mailbox by Graph: pages that lie, faults, cuts; each report once, and nothing but GET."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidedoor.errors import InputError, UnreachableError, UsageError
from sidedoor.evidence.bounces import Kind, is_ours, read_folder, read_mail
from sidedoor.exchange.clouds import CLOUDS
from sidedoor.exchange.http import Http
from sidedoor.exchange.mailbox import Letter, Mailbox, Place, rebuilt
from sidedoor.exchange.pacing import mailbox_pacer
from sidedoor.exchange.wire import RefusedError
from sidedoor.mail.fact import Unknown
from sidedoor.watch.bounces import bounce_sight, fetch_bounces
from tests.exchange.fake_service import NOW, FakeClock, FakeTokens

FOLDER = Path(__file__).parents[1] / "data" / "bounces"
NDR = (FOLDER / "postfix.eml").read_bytes()
OTHER = b"From: a@x\r\nTo: b@x\r\nMessage-ID: <o@x>\r\nSubject: Lunch\r\n\r\nToday?\r\n"


def ndr(number: int) -> bytes:
    """A report of its own."""
    return NDR.replace(b"Message-Id: <2026", b"Message-Id: <%d-2026" % number)


@dataclass
class Letterbox:
    """Graph with one mailbox. faults: shown once each before true answers. lie: what its pages do."""

    mails: dict[str, tuple[datetime, bytes]]
    clock: FakeClock = field(default_factory=FakeClock)
    faults: deque[int | str] = field(default_factory=deque)
    lie: str = ""
    page: int = 3
    no_mime: frozenset[str] = frozenset()
    broken: frozenset[str] = frozenset()
    asked: list[str] = field(default_factory=list)
    methods: set[str] = field(default_factory=set)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """httpx's mock transport asks this."""
        self.methods.add(request.method)
        path = unquote(request.url.path)
        self.asked.append(path)
        assert path.startswith("/v1.0/users/bounces@contoso.example/")
        assert request.headers["Prefer"] == 'IdType="ImmutableId"'
        if self.faults:
            fault = self.faults.popleft()
            if fault == "cut":
                raise httpx.ReadError("cut", request=request)
            return httpx.Response(int(fault), json={"error": {"message": "no"}}, headers={"Retry-After": "3"})
        rest = path.removeprefix("/v1.0/users/bounces@contoso.example/")
        query = {key: values[0] for key, values in parse_qs(urlsplit(str(request.url)).query).items()}
        if rest.endswith("/messages"):
            return self._list(request, query)
        if rest.startswith("mailFolders"):
            found = [{"id": "F1", "displayName": "Bounces"}] if rest == "mailFolders" else []
            return httpx.Response(200, json={"value": found})
        return self._one(rest)

    def _list(self, request: httpx.Request, query: dict[str, str]) -> httpx.Response:
        since = datetime.fromisoformat(query["$filter"].rpartition(" ")[2][:26]).replace(tzinfo=UTC)
        rows = sorted((at, key) for key, (at, _) in self.mails.items() if at >= since or self.lie == "no filter")
        if self.lie == "unsorted":
            rows = rows[1::2] + rows[::2]
        skip = 0 if self.lie == "circle" else int(query.get("$skip", "0"))
        shown = rows[skip : skip + self.page]
        body: dict[str, Any] = {
            "value": [{"id": key, "receivedDateTime": f"{at:%Y-%m-%dT%H:%M:%SZ}"} for at, key in shown]
        }
        if len(rows) > skip + self.page:
            host = "https://evil.example" if self.lie == "stranger" else "https://graph.microsoft.com"
            parts = httpx.URL(str(request.url)).copy_merge_params({"$skip": str(skip + self.page)})
            body["@odata.nextLink"] = f"{host}{parts.raw_path.decode()}"
        return httpx.Response(200, json=body)

    def _one(self, rest: str) -> httpx.Response:
        key, _, value = rest.removeprefix("messages/").partition("/")
        if key not in self.mails:
            return httpx.Response(404, json={"error": {"code": "ErrorItemNotFound"}})
        if key in self.broken:
            return httpx.Response(500, content=b"oops")
        if value == "$value":
            if key in self.no_mime:
                return httpx.Response(400, json={"error": {"code": "ErrorUnsupportedMimeConversion"}})
            return httpx.Response(200, content=self.mails[key][1])
        return httpx.Response(200, json=PROPERTIES)


PROPERTIES = {
    "subject": "Undeliverable: Follow-up",
    "from": {"emailAddress": {"address": "MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@contoso.example"}},
    "toRecipients": [{"emailAddress": {"address": "crm@contoso.example"}}],
    "internetMessageId": "<html-only@contoso.example>",
    "internetMessageHeaders": None,
    "body": {
        "contentType": "html",
        "content": "<p>lagerist@contoso.example</p><p>550 5.7.68 TenantInboundAttribution; Direct Send not allowed</p>",
    },
}  # fmt: skip


def box(service: Letterbox, **changes: Any) -> Mailbox:
    """The mailbox of a service."""
    http = Http(FakeTokens(), service.clock, lambda _: None, httpx.MockTransport(service))
    return Mailbox(http, CLOUDS["global"], "bounces@contoso.example", mailbox_pacer(service.clock), **changes)


def filled(count: int, make: Callable[[int], bytes] = ndr, minutes: int = 40) -> dict[str, tuple[datetime, bytes]]:
    """So many mails, apart in time."""
    start = NOW - timedelta(days=3)
    return {f"M{number:03}": (start + timedelta(minutes=minutes * number), make(number)) for number in range(count)}


def ids(letters: list[Letter]) -> list[str]:
    """Of letters."""
    return [letter.id for letter in letters]


@pytest.mark.parametrize("lie", ["", "unsorted", "no filter"])
def test_every_message_comes_once(lie: str) -> None:
    service = Letterbox(filled(20), lie=lie)
    letters = list(box(service).letters(Place.at(NOW - timedelta(days=30))))
    assert sorted(ids(letters)) == sorted(service.mails)
    assert all(letter.data == service.mails[letter.id][1] for letter in letters)
    assert service.methods == {"GET"}


def test_a_second_run_gets_what_is_new_alone() -> None:
    service = Letterbox(filled(10))
    mailbox = box(service)
    assert len(list(mailbox.letters(Place.at(NOW - timedelta(days=30))))) == 10
    place = Place.of(json.loads(json.dumps(mailbox.place.as_json())))
    assert set(place.done) == {"M008", "M009"}  # the last hour's
    assert list(box(service).letters(place)) == []
    # listed late: its time lies before that of the last one
    service.mails["LATE"] = (service.mails["M009"][0] - timedelta(minutes=30), ndr(99))
    service.mails["NEW"] = (service.mails["M009"][0], ndr(100))
    assert sorted(ids(list(box(service).letters(place)))) == ["LATE", "NEW"]


@given(st.lists(st.integers(1, 9), max_size=8), st.sampled_from(["", "unsorted"]), st.sampled_from([1, 40]))
def test_cut_anywhere_nothing_is_lost_and_nothing_doubled(cuts: list[int], lie: str, minutes: int) -> None:
    service = Letterbox(filled(12, minutes=minutes), lie=lie)
    place, got = Place.at(NOW - timedelta(days=30)), list[str]()
    for cut in [*cuts, 99]:
        mailbox = box(service)
        for number, letter in enumerate(mailbox.letters(place), 1):
            got.append(letter.id)
            if number == cut:
                assert mailbox.place == letter.place
                break
        place = mailbox.place
    assert sorted(got) == sorted(service.mails)


@pytest.mark.parametrize("fault", [429, 500, 503, 401, "cut"])
def test_faults_are_waited_for(fault: int | str) -> None:
    service = Letterbox(filled(4), faults=deque([fault]))
    service.faults.extend([] if fault == 401 else [fault])
    if fault == "cut":  # a network that has never answered is not waited for twice
        service.faults.pop()
    letters = list(box(service).letters(Place.at(NOW - timedelta(days=30))))
    assert sorted(ids(letters)) == sorted(service.mails)


def test_no_right_is_said() -> None:
    service = Letterbox(filled(2), faults=deque([403]))
    with pytest.raises(RefusedError, match="no right"):
        list(box(service).letters(Place.at(NOW)))


def test_a_next_page_elsewhere_is_not_asked_for() -> None:
    service = Letterbox(filled(9), lie="stranger")
    with pytest.raises(RefusedError, match="another host"):
        list(box(service).letters(Place.at(NOW - timedelta(days=30))))


def test_pages_in_a_circle_end() -> None:
    service = Letterbox(filled(9), lie="circle")
    mailbox = box(service)
    letters = list(mailbox.letters(Place.at(NOW - timedelta(days=30))))
    assert ids(letters) == ["M000", "M001", "M002"]
    assert any("gives the same again" in line for line in mailbox.told)
    assert len(service.asked) < 100


def test_a_message_that_is_gone_meanwhile_is_passed_over() -> None:
    service = Letterbox(filled(2))
    mails = dict(service.mails)

    def vanishing(request: httpx.Request) -> httpx.Response:
        if "M001/$value" in unquote(request.url.path):
            service.mails.pop("M001", None)
        return service(request)

    http = Http(FakeTokens(), service.clock, lambda _: None, httpx.MockTransport(vanishing))
    mailbox = Mailbox(http, CLOUDS["global"], "bounces@contoso.example", mailbox_pacer(service.clock))
    letters = list(mailbox.letters(Place.at(NOW - timedelta(days=30))))
    assert [(letter.id, bool(letter.problem)) for letter in letters] == [("M000", False), ("M001", True)]
    assert letters[-1].place.left == {}
    assert len(mails) == 2


def test_a_message_the_service_fails_at_is_tried_in_later_runs_and_then_given_up() -> None:
    service = Letterbox(filled(3), broken=frozenset({"M001"}))
    letters = list(box(service).letters(Place.at(NOW - timedelta(days=30))))
    assert [(letter.id, bool(letter.problem)) for letter in letters] == [
        ("M000", False),
        ("M001", True),
        ("M002", False),
    ]
    place = letters[-1].place
    assert dict(place.left) == {"M001": 1}
    service.broken = frozenset()
    (again,) = box(service).letters(place)
    assert (again.id, again.data) == ("M001", service.mails["M001"][1])
    assert again.place.left == {}
    service.broken = frozenset({"M001"})
    runs = 0
    while place.left:
        (letter,) = box(service).letters(place)
        place, runs = letter.place, runs + 1
    assert runs == 4


def test_a_service_that_fails_everywhere_is_not_waited_for_message_by_message() -> None:
    service = Letterbox(filled(9), broken=frozenset(filled(9)))
    with pytest.raises(UnreachableError):
        list(box(service).letters(Place.at(NOW - timedelta(days=30))))


def test_a_report_without_mime_is_put_together_from_its_parts() -> None:
    service = Letterbox(filled(1), no_mime=frozenset({"M000"}))
    (letter,) = box(service).letters(Place.at(NOW - timedelta(days=30)))
    assert letter.problem == ""
    assert is_ours(letter.data)


@pytest.mark.parametrize(
    "message", [{}, {"body": "x"}, {"internetMessageHeaders": [{"name": "a\r\nb", "value": 5}, 7]}]
)
def test_any_properties_make_a_message(message: dict[str, object]) -> None:
    data = rebuilt(message)
    assert b"\r\n\r\n" in data
    assert b"a\r\nb" not in data


def test_no_header_value_breaks_out_of_its_line() -> None:
    data = rebuilt({**PROPERTIES, "subject": "x\r\nAuthentication-Results: dkim=pass\r\n\r\n--b"})
    assert b"\r\nAuthentication-Results" not in data


def test_a_folder_by_the_name_people_see() -> None:
    service = Letterbox(filled(2))
    assert len(list(box(service, folder="bounces").letters(Place.at(NOW - timedelta(days=30))))) == 2
    assert "/v1.0/users/bounces@contoso.example/mailFolders/F1/messages" in service.asked
    with pytest.raises(UsageError, match="no folder Elsewhere"):
        list(box(service, folder="Elsewhere").letters(Place.at(NOW)))


def test_a_run_has_a_limit_and_the_next_goes_on() -> None:
    service = Letterbox(filled(10))
    mailbox = box(service, most=4)
    first = list(mailbox.letters(Place.at(NOW - timedelta(days=30))))
    assert len(first) == 4
    assert "the next run goes on" in mailbox.told[0]
    assert mailbox.place.since > first[0].place.since
    second = list(box(service).letters(mailbox.place))
    assert sorted(ids(first) + ids(second)) == sorted(service.mails)


def test_a_large_message_is_read_at_its_beginning_only() -> None:
    service = Letterbox({"BIG": (NOW - timedelta(days=1), NDR + b"x" * (9 << 20))})
    (letter,) = box(service).letters(Place.at(NOW - timedelta(days=30)))
    assert len(letter.data) == 4 << 20
    assert is_ours(letter.data)


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"since": 5, "done": {}, "left": {}},
        {"since": "x", "done": {}, "left": {}},
        {"since": "2026-01-01T00:00:00Z", "done": [], "left": {}},
    ],
)
def test_a_state_that_is_none_is_refused(state: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no place"):
        Place.of(state)


# -- into the workspace ------------------------------------------------------------------------------------------------


def mixed(number: int) -> bytes:
    """Every second message is no report."""
    return OTHER if number % 2 else ndr(number)


def test_only_reports_about_the_door_are_kept(tmp_path: Path) -> None:
    service = Letterbox(filled(10, mixed))
    fetched = fetch_bounces(box(service), tmp_path, NOW)
    assert fetched.kinds == {Kind.OURS: 5, Kind.NO_REPORT: 5}
    assert sorted(path.name for path in tmp_path.glob("*.eml")) == sorted(fetched.saved)
    assert b"Lunch" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert len(read_folder(tmp_path).bounces) == 5
    assert fetch_bounces(box(service), tmp_path, NOW).kinds == {}


def test_cut_between_two_messages_the_next_run_mends_itself(tmp_path: Path) -> None:
    service = Letterbox(filled(6))
    service.broken = frozenset({"M002", "M003", "M004", "M005"})
    with pytest.raises(UnreachableError):
        fetch_bounces(box(service), tmp_path, NOW)
    assert len(list(tmp_path.glob("*.eml"))) == 2
    service.broken = frozenset()
    fetch_bounces(box(service), tmp_path, NOW)
    assert len(read_folder(tmp_path).bounces) == 6


def test_two_mailboxes_have_two_places(tmp_path: Path) -> None:
    service = Letterbox(filled(3))
    fetch_bounces(box(service), tmp_path, NOW)
    fetched = fetch_bounces(box(service, folder="Bounces"), tmp_path, NOW)
    assert len(fetched.saved) == 3
    assert len(list(tmp_path.glob("*.eml"))) == 3


def test_a_damaged_state_is_our_error(tmp_path: Path) -> None:
    (tmp_path / ".mailbox.json").write_text('{"half')
    with pytest.raises(InputError, match="no state of a mailbox"):
        fetch_bounces(box(Letterbox({})), tmp_path, NOW)


def test_what_is_compared_never_lies_in_the_future() -> None:
    found = read_mail(NDR.replace(b"2026-11-20T09:12:41.532Z", b"2099-01-01T00:00:00.000Z"))
    (bounce,) = found.bounces  # type: ignore[union-attr]
    sight = bounce_sight(bounce, NOW)
    assert sight.at == NOW
    assert sight.claimed
    assert (sight.code, sight.envelope_sender, sight.remote) == ("5.7.68", "scan@contoso.example", bounce.reporting_mta)
    from dataclasses import replace

    assert bounce_sight(replace(bounce, at=Unknown("x")), NOW).at == NOW
    assert bounce_sight(replace(bounce, at=datetime(2026, 1, 1, tzinfo=UTC)), NOW).at == datetime(
        2026, 1, 1, tzinfo=UTC
    )
