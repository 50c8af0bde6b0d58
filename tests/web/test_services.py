"""The parts beneath the pages: the door's state, queries, mail as text, reports read again."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from starlette.requests import Request

from sidedoor.audit.model import Verdict
from sidedoor.mail.fact import Unknown
from sidedoor.report import json_report, kept_audit
from sidedoor.report.text import clean
from sidedoor.store.changes import Changes, RunEnd
from sidedoor.store.model import Decision, Word
from sidedoor.watch.workspace import open_workspace
from sidedoor.web.access.access import identify
from sidedoor.web.access.roles import Role
from sidedoor.web.book import Library, Shelf
from sidedoor.web.pages import edge
from sidedoor.web.query import Decided, DueFilter, Order, SenderQuery, find
from sidedoor.web.roll import Due, Entry, Refused, Roll, decided_anew, entry_of
from sidedoor.web.service.door import DoorState, Proof, by_probe, by_settings, door
from sidedoor.web.service.mail_view import view_of
from sidedoor.web.settings import WebSettings
from tests.report.example import empty_audit, rich_audit, sender
from tests.web.kit import Served, served
from tests.web.world import NOW

DAY = timedelta(days=1)
CLOSED, OPEN = by_settings(True, NOW), by_settings(False, NOW)
UNTOLD = by_settings(Unknown("no export"), NOW)


@pytest.mark.parametrize(
    ("proofs", "state"),
    [
        ([CLOSED], DoorState.CLOSED),
        ([OPEN], DoorState.OPEN),
        ([UNTOLD], DoorState.UNKNOWN),
        ([UNTOLD, by_probe("closed", (), NOW)], DoorState.CLOSED),
        ([UNTOLD, by_probe("undetermined", (), NOW)], DoorState.UNKNOWN),
        ([CLOSED, by_probe("closed", (), NOW + DAY)], DoorState.CLOSED),
        ([CLOSED, by_probe("open", (), NOW + DAY)], DoorState.UNKNOWN),
        ([CLOSED, by_probe("open", (), NOW - DAY)], DoorState.CLOSED),
        ([OPEN, by_probe("closed", (), NOW - DAY)], DoorState.OPEN),
        ([OPEN, by_probe("closed", (), NOW + DAY)], DoorState.UNKNOWN),
        ([CLOSED, by_probe("undetermined", (), NOW + DAY)], DoorState.CLOSED),
        ([], DoorState.UNKNOWN),
    ],
)
def test_how_the_door_stands(proofs: list[Proof], state: DoorState) -> None:
    found = door(proofs, closed_since=NOW - DAY)
    assert found.state is state
    assert found.since == (NOW - DAY if state is DoorState.CLOSED else None)
    assert found.proofs == tuple(proofs)


verdicts, words = st.sampled_from(Verdict), st.sampled_from(Word)


@st.composite
def entries(draw: st.DrawFn) -> list[Entry]:
    """Senders as a roll has them, in its order."""
    made = []
    for n in range(draw(st.integers(0, 12))):
        of = sender(
            n, assessment=draw(verdicts), messages=draw(st.integers(1, 5)), would_reject=draw(st.integers(0, 1)),
            would_reject_unknown=draw(st.integers(0, 1)), last_seen=NOW - DAY * draw(st.integers(0, 9)),
        )  # fmt: skip
        due = draw(st.none() | st.dates(date(2026, 11, 10), date(2026, 12, 10)))
        said = Decision(
            of.id, draw(words), note=draw(st.sampled_from(["", "Printer"])), due=due, version=draw(st.integers(0, 2))
        )
        made.append(entry_of(of, said, blocks=False, searched=of.name.casefold()))
    return made


def maybe(kind: Any) -> Any:
    return st.none() | st.sampled_from(kind)


queries = st.builds(
    SenderQuery, st.sampled_from(["", "device", "PRINTER", "device 1", "nobody"]), maybe(Verdict), maybe(Decided),
    st.none(), maybe(Refused), maybe(DueFilter), st.none() | st.dates(date(2026, 11, 10), date(2026, 11, 22)),
    st.none(),
    st.sampled_from(Order), st.booleans(), st.integers(1, 4), st.integers(1, 5),
)  # fmt: skip


@given(entries(), queries)
def test_pages_of_a_query_hold_each_fitting_sender_once(made: list[Entry], query: SenderQuery) -> None:
    today = NOW.date()
    pages = [find(made, replace(query, page=n), today) for n in range(1, find(made, query, today).pages + 1)]
    found = [entry for page in pages for entry in page.entries]
    assert len(found) == len({entry.key for entry in found}) == pages[0].total
    for entry in made:
        fits = (
            all(entry.has(word) for word in query.search.casefold().split())
            and query.assessment in {None, entry.assessment}
            and query.refused in {None, entry.refused}
            and (query.decided is not Decided.YES or entry.decided)
            and (query.decided is not Decided.NO or not entry.decided)
            and (query.decided is not Decided.OPEN or entry.must_be_judged)
            and (query.due is not DueFilter.OVERDUE or entry.due(today) is Due.OVERDUE)
            and (query.due is not DueFilter.NONE or entry.decision.due is None)
            and (query.due is not DueFilter.ANY or entry.decision.due is not None)
            and (query.seen_since is None or entry.sender.last_seen.date() >= query.seen_since)
        )
        if query.due is not DueFilter.SOON:
            assert (entry in found) is fits


@given(entries(), st.data())
def test_a_roll_decided_anew_is_as_one_made_anew(made: list[Entry], data: st.DataObject) -> None:
    ordered = sorted(made, key=lambda each: (not each.must_be_judged, -each.sender.messages, each.key))
    roll = Roll(tuple(ordered))
    decisions = {each.key: each.decision for each in made if each.decision.version}
    for entry in made:
        if data.draw(st.booleans()):
            decisions[entry.key] = Decision(entry.key, data.draw(words), version=entry.decision.version + 1)
        elif data.draw(st.booleans()):
            decisions.pop(entry.key, None)
    fresh = [
        entry_of(each.sender, decisions.get(each.key) or Decision(each.key), blocks=False, searched=each.searched)
        for each in made
    ]
    # One that never had a version holds nothing that the store would have.
    untouched = {each.key for each in made if not each.decision.version and each.key not in decisions}
    expected = sorted(
        (next(e for e in made if e.key == each.key) if each.key in untouched else each for each in fresh),
        key=lambda each: (not each.must_be_judged, -each.sender.messages, each.key),
    )
    assert decided_anew(roll, decisions).entries == tuple(expected)


@given(st.binary(max_size=2_000))
def test_any_octets_are_shown_as_text(content: bytes) -> None:
    seen = view_of(content)
    for field in seen.fields:
        assert len(field.value) <= 500
        clean(field.value)
    assert len(seen.text) <= 20_000


def test_deep_and_large_mails_are_bounded() -> None:
    deep = b"".join(b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (n, n) for n in range(3_000))
    assert view_of(deep).parts is not None
    assert view_of(b"Subject: x\r\n" * 5_000 + b"\r\nbody").fields.__len__() == 60
    huge = view_of(b"Content-Type: text/plain\r\n\r\n" + b"x" * 2_000_000)
    assert huge.cut
    assert len(huge.text) == 20_000


def test_parts_of_a_mail_are_named_and_none_is_opened() -> None:
    mail = (
        b'Content-Type: multipart/mixed; boundary="b"\r\nSubject: =?utf-8?q?=3Cb=3E?=\r\n\r\n--b\r\n'
        b"Content-Type: text/html\r\n\r\n<script>alert(1)</script>\r\n--b\r\n"
        b'Content-Type: application/pdf; name="a.pdf"\r\nContent-Disposition: attachment; filename="../../a.pdf"\r\n'
        b"\r\n"
        b"%PDF\r\n--b\r\nContent-Type: text/plain; charset=no-such\r\n\r\nhello\r\n--b--\r\n"
    )
    seen = view_of(mail)
    assert (seen.text, seen.is_source) == ("hello", False)
    assert [(part.type, part.name) for part in seen.parts] == [
        ("text/html", ""), ("application/pdf", "../../a.pdf"), ("text/plain", ""),
    ]  # fmt: skip
    assert ("Subject", "<b>") in [(field.name, field.value) for field in seen.fields]


@pytest.mark.parametrize("audit", [rich_audit(), empty_audit()], ids=["rich", "empty"])
def test_a_report_is_read_again_as_it_was_written(audit: Any, tmp_path: Path) -> None:
    json_report.write(audit, tmp_path / "report.json")
    assert json_report.render(kept_audit.read(tmp_path)) == json_report.render(audit)


@pytest.fixture
def filled(busy_workspace: Path) -> Iterator[Served]:
    with served([busy_workspace], busy_workspace.parent) as one:
        yield one


def test_a_newer_report_is_shown(filled: Served) -> None:
    """The page notices by itself that `watch` has put another report in place."""
    tenant = filled.site.tenants["contoso.com"]
    first = tenant.book()
    assert first is not None
    report = tenant.workspace.report / "report.json"
    text = report.read_text().replace("MFP-HQ3", "MFP-HQ9")
    with tenant.workspace.publishing():
        report.write_text(text)
    html = ""
    until = datetime.now(UTC) + timedelta(seconds=20)
    while "MFP-HQ9" not in html and datetime.now(UTC) < until:
        html = filled.browser(Role.READER).get("/t/contoso.com/senders").text
    assert "MFP-HQ9" in html
    assert tenant.book() is not first


def test_senders_keep_what_was_said_when_their_id_changes(filled: Served) -> None:
    """Decisions are by lasting key; the report of the next run may know the sender by another id."""
    tenant = filled.site.tenants["contoso.com"]
    known = next(each for each in tenant.store.known_senders().values() if "MFP-HQ3 (203" in each.name)
    tenant.store.decide(Decision(known.key, Word.LEGITIMATE, note="Ours.", version=1), "bo", "web", NOW)
    number = tenant.store.begin_run(NOW)
    tenant.store.apply(Changes(NOW, senders=(replace(known, id="0123456789"),), end=RunEnd(number, NOW, "done")))
    report = tenant.workspace.report / "report.json"
    report.write_text(report.read_text().replace(known.id, "0123456789"))
    filled.site.tenants["contoso.com"]._shelf._book = None
    page = filled.browser(Role.READER).get(f"/t/contoso.com/senders/{known.key}").text
    assert "Ours." in page
    assert "0123456789" in page


def test_figures_for_prometheus(filled: Served) -> None:
    answer = filled.browser().get("/metrics")
    assert answer.status_code == 403  # TestClient's address is no loopback address
    client = filled.browser()
    client._transport.client = ("127.0.0.1", 1)
    families = {each.name: each for each in text_string_to_metric_families(client.get("/metrics").text)}
    assert families["sidedoor_direct_send_open"].samples[0].value == 1
    assert sum(sample.value for sample in families["sidedoor_senders"].samples) == 20


def test_with_a_token_figures_are_for_whoever_shows_it(workspace: Path) -> None:
    with served([workspace], workspace.parent, WebSettings(metrics_token="x" * 20)) as one:
        assert one.browser().get("/metrics").status_code == 401
        assert one.browser().get("/metrics", headers={"Authorization": "Bearer y"}).status_code == 401
        assert one.browser().get("/metrics", headers={"Authorization": f"Bearer {'x' * 20}"}).status_code == 200


def test_one_tenant_that_is_broken_does_not_hide_the_others(workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "sidedoor.toml").write_text("domain = 3")
    with served([workspace, tmp_path / "bad"], tmp_path) as one:
        html = one.browser(Role.ADMIN).get("/").text
        assert 'href="/t/contoso.com"' in html
        assert "bad" in html
        assert "bad" not in one.browser(Role.READER).get("/").text.partition("<main")[2]


def test_only_so_many_books_are_kept(made: Path, tmp_path: Path) -> None:
    """A provider has more tenants than memory; a book that was given away is read again."""
    with ThreadPoolExecutor(1) as readers:
        library = Library(readers, most=2)
        shelves = [Shelf(open_workspace(Path(shutil.copytree(made, tmp_path / str(n)))), library) for n in range(3)]
        books = [shelf.book() for shelf in shelves]
        assert [shelf._book is book for shelf, book in zip(shelves, books, strict=True)] == [False, True, True]
        again = shelves[0].book()
        assert again is not None
        assert again is not books[0]
        assert shelves[1]._book is None


def test_a_stream_ends_with_its_session(filled: Served) -> None:
    """Whoever was signed out by an admin does not go on following."""
    browser = filled.browser(Role.READER, who="bo")
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    scope = {"type": "http", "headers": [(b"cookie", cookie.encode())], "app": filled.app}
    request = Request(scope)
    visitor = identify(request)
    assert visitor.known
    assert edge._still(request, visitor)
    filled.site.sessions.drop_sessions_of("bo")
    assert not edge._still(request, visitor)
    streams = filled.app.state.streams
    assert [streams.enter("x") for _ in range(5)] == [True] * 4 + [False]
    gone: Any = _Gone(scope)
    assert asyncio.run(_first(edge._follow(gone, filled.site.tenants["contoso.com"], streams, visitor, None)))


class _Gone:
    """A request whose browser has left."""

    def __init__(self, scope: Any) -> None:
        self.scope = scope

    async def is_disconnected(self) -> bool:
        return True


async def _first(stream: Any) -> bytes:
    found = [part async for part in stream]
    return b"".join(found)
