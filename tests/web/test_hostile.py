"""Whatever strangers wrote into names, notes, logs and mails: pages keep their elements, and say it harmlessly."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from enum import Enum
from html.parser import HTMLParser
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from sidedoor.edge.spool.model import Held, Kept
from sidedoor.edge.spool.store import Store as Spool
from sidedoor.report import kept_plan, plan_json
from sidedoor.report.text import clean
from sidedoor.report.writer import write_all
from sidedoor.store.changes import Changes, RunEnd
from sidedoor.store.model import Alert, Decision, Finding, Observation, Severity, TrailEntry, Word
from sidedoor.store.store import open_store
from sidedoor.store.tenant import TenantStore
from sidedoor.tenant.snapshot import ConnectorKind, InboundConnector, TenantSnapshot, TransportRule
from sidedoor.watch import seen
from sidedoor.watch.seen import Seen, SeenSender
from sidedoor.watch.workspace import open_workspace
from sidedoor.web.access import sessions
from sidedoor.web.access.access import COOKIE, life_of
from sidedoor.web.access.guard import Reach
from sidedoor.web.access.roles import Grant, Role
from sidedoor.web.app import make_app
from tests.ports import free_port
from tests.report.example import HOSTILE, map_text, rich_audit
from tests.web import busy
from tests.web.kit import Served, listening, served
from tests.web.test_browser import CHROMIUM, FLAGS
from tests.web.world import NOW, empty_workspace

Change = Callable[[str], str]
IDS = frozenset(sender.id for sender in rich_audit().senders)


def attacks() -> Change:
    """Each text becomes an attack, the same text always the same one."""
    known: dict[str, str] = {}

    def attack(text: str) -> str:
        if isinstance(text, Enum) or text in IDS or not text:
            return text
        return known.setdefault(text, f"{HOSTILE[len(known) % len(HOSTILE)]}{len(known)}")

    return attack


def fill(folder: Path, plan: Path, change: Change) -> None:
    """A workspace in which every text that comes from outside was changed."""
    empty_workspace(folder)
    with (folder / "sidedoor.toml").open("a") as settings:
        settings.write('\n[edge]\nlogs = ["edge.jsonl"]\nspool = "spool.db"\n')
    text = (folder / "sidedoor.toml").read_text().replace("\n[edge]\n# logs", "\n# logs", 1)
    (folder / "sidedoor.toml").write_text(text)
    workspace = open_workspace(folder)
    connectors = tuple(InboundConnector(change(f"connector {n}"), ConnectorKind.PARTNER, True) for n in range(25))
    rules = (TransportRule(change("a rule"), 0, True, "Enforce"),)
    snapshot = TenantSnapshot(inbound_connectors=connectors, transport_rules=rules, name=change("contoso"))
    audit = replace(map_text(rich_audit(), change), snapshot=snapshot, switches=rich_audit().switches)
    write_all(audit, workspace.report)
    places = frozenset((change(f"203.0.113.{n}"), change(f"d{n}.example")) for n in range(5))
    told = Seen("x", NOW, {name: SeenSender({NOW.date(): 3}, places) for name in IDS})
    (workspace.report / seen.NAME).write_bytes(seen.dump(told))
    made = kept_plan.read(plan)
    assert made is not None
    (workspace.report / "plan").mkdir()
    changed = map_text(made, change)
    # Domains and addresses were parsed before they came into a plan.
    kept = zip(changed.connectors, made.connectors, strict=True)
    changed = replace(changed, connectors=tuple(replace(each, settings=own.settings) for each, own in kept))
    (workspace.report / "plan" / plan_json.NAME).write_bytes(plan_json.dump(changed))
    with open_store(workspace.store_url) as store:
        _store(store.tenant("contoso.com"), change)
    _edge(folder, change)


def _store(tenant: TenantStore, change: Change) -> None:
    number = tenant.begin_run(NOW)
    alerts = tuple(
        Alert(
            f"a{n:02}",
            Finding(
                change(f"kind {n}"), change(f"subject {n}"), list(Severity)[n % 4], change(f"title {n}"),
                change(f"text {n}"), change(f"advice {n}"), "settings", ((change("was"), change(f"then {n}")),),
            ),
            NOW - timedelta(hours=n), NOW,
        )
        for n in range(len(HOSTILE))
    )  # fmt: skip
    tenant.apply(Changes(NOW, raised=alerts, end=RunEnd(number, NOW, "incomplete", (change("a file is missing"),))))
    for name in sorted(IDS):
        said = Decision(name, Word.LEGITIMATE, change("an owner"), "", change("a note"), NOW.date())
        tenant.decide(said, change("somebody"), "web", NOW)
    tenant.note(
        TrailEntry(NOW, change("somebody"), "api", change("what"), change("of"), {}, {change("k"): change("v")})
    )
    tenant.put_observation(Observation("probe", "p", NOW, {"verdict": "open", "why": [change("because")]}))


def _edge(folder: Path, change: Change) -> None:
    names = ("client_ip", "helo", "envelope_sender", "recipient", "header_from", "submission", "connector", "time")
    with (folder / "edge.jsonl").open("w", encoding="ascii") as log:
        for n in range(len(HOSTILE)):
            texts = {name: change(f"{name} {n}") for name in names}
            reply = {"code": 550, "enhanced": change("5.7.68"), "text": change(f"reply {n}")}
            log.write(json.dumps(busy.line(n, **texts, reasons=[change(f"reason {n}")], said=reply)) + "\n")
    spool = Spool(folder / "spool.db")
    for n in range(len(HOSTILE)):
        fields = f"Subject: {change(f'subject {n}')}\r\nFrom: {change('from')}\r\n\r\n{change(f'body {n}')}\r\n"
        content = fields.encode("utf-8", "replace")
        kept = Kept(f"m{n:02}", NOW, _utf8(change(f"from {n}")), (_utf8(change(f"to {n}")),), content)
        spool.add([], [Held(kept, _utf8(change(f"rule {n}")))])
    spool.close()


# The innermost elements that are wider than the screen.
WIDE = """[...document.querySelectorAll("main *")].filter(each => each.scrollWidth > innerWidth
  && ![...each.children].some(below => below.scrollWidth > innerWidth)).map(each => each.outerHTML.slice(0, 200))"""


def _utf8(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


class Reading(HTMLParser):
    """What a browser makes of a page: elements with the names of their attributes, and the text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, ...]] = []
        self.texts: list[str] = []
        self.odd: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in {"br", "rect", "g", "text", "title"}:
            self.elements.append((tag, *(name for name, _ in attrs)))
        self.texts += [value for _, value in attrs if value]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        self.odd.append(data)

    def handle_pi(self, data: str) -> None:
        self.odd.append(data)


SENDER = min(IDS)
PAGES = (
    "", "/senders", f"/senders/{SENDER}", "/plan", "/alerts", "/alerts?which=all&q=%3Cscript%3E", "/alerts/a00",
    "/alerts/a06", "/edge", "/quarantine", "/quarantine/m00", "/quarantine/m06?delete=true", "/quarantine/m21",
    "/trail", "/settings",
)  # fmt: skip


@pytest.fixture(scope="module")
def both(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Served]]:
    """A site whose texts are dull, and its hostile twin."""
    root = tmp_path_factory.mktemp("hostile")
    for name, change in (("dull", lambda text: text), ("hostile", attacks())):
        fill(root / name / "contoso.com", made / "report" / "plan", change)
    with (
        served([root / "dull" / "contoso.com"], root / "dull") as dull,
        served([root / "hostile" / "contoso.com"], root / "hostile") as hostile,
    ):
        yield dull, hostile


@pytest.mark.parametrize("role", [Role.READER, Role.OPERATOR], ids=lambda role: role.word)
@pytest.mark.parametrize("path", PAGES)
def test_no_text_changes_a_page(both: tuple[Served, Served], path: str, role: Role) -> None:
    dull, hostile = (Reading(each.browser(role).get(f"/t/contoso.com{path}").text) for each in both)
    if "q=" not in path:
        assert hostile.elements == dull.elements
    assert hostile.odd == []
    for text in hostile.texts:
        shown = text.replace("\n", " ")
        assert clean(shown) == shown
        assert len(text) <= 21_000
        assert not text.strip().lower().startswith("javascript:")


def test_the_api_gives_it_as_it_is(both: tuple[Served, Served]) -> None:
    """JSON has all of it, escaped: programs do what they want with it."""
    for path in ("", f"/senders/{SENDER}", "/alerts", "/edge/decisions", "/trail", "/settings"):
        answer = both[1].browser(Role.READER).get(f"/api/v1/tenants/contoso.com{path}")
        assert answer.status_code == 200
        assert answer.content.isascii()
        assert b"<script>" in answer.content or path in {"", "/settings", "/edge/decisions", "/trail"}
        assert answer.headers["content-type"] == "application/json"


@pytest.mark.chromium
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (Debian: apt-get install chromium)")
@pytest.mark.parametrize("width", [400, 1280])
def test_in_a_browser_nothing_runs_and_nothing_breaks_out(both: tuple[Served, Served], width: int) -> None:
    site, at = both[1].site, free_port()
    with listening(make_app(site, Reach(frozenset({f"http://127.0.0.1:{at}"}))), at) as url, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = browser.new_context(base_url=url, viewport={"width": width, "height": 900})
        secret = sessions.begin(site.sessions, "x", [Grant(Role.ADMIN)], life_of(site.settings), site.clock())
        context.add_cookies([{"name": COOKIE, "value": secret, "url": url}])
        page, complaints = context.new_page(), []
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("request", lambda request: None if request.url.startswith(url) else complaints.append(request.url))
        for path in PAGES:
            page.goto(f"/t/contoso.com{path}")
            wide, view = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
            assert wide <= view, (path, page.evaluate(WIDE))
        browser.close()
    assert complaints == []


def test_the_logs_of_an_edge_may_hold_anything(tmp_path: Path) -> None:
    """Lines that are no decisions are counted; the others are shown."""
    folder = empty_workspace(tmp_path / "contoso.com")
    shutil.copy(folder / "sidedoor.toml", tmp_path / "x")
    text = (folder / "sidedoor.toml").read_text().replace("# logs = []", 'logs = ["edge.jsonl"]', 1)
    (folder / "sidedoor.toml").write_text(text)
    lines = [
        b"", b"x", b"{}", b"[]", b"null", b'{"schema": "sidedoor/edge-log/1"}', b"\xff\xfe", b"[" * 100_000,
        json.dumps(busy.line(1)).encode(), json.dumps(busy.line(2, tls=7)).encode(),
        json.dumps(busy.line(3, time="\u202e soon")).encode(), b'{"schema": "sidedoor/edge-log/1", ',
    ]  # fmt: skip
    (folder / "edge.jsonl").write_bytes(b"\n".join(lines))
    with served([folder], tmp_path) as one:
        found = one.browser(Role.READER).get("/api/v1/tenants/contoso.com/edge/decisions").json()
        assert [each["client_ip"] for each in found["items"]] == ["203.0.113.3", "203.0.113.1"]
        assert found["unreadable"] == 9
        for cursor in ("", "x", "1:2:3", "0:0,0:0", "9" * 400, "1:99999999999999999999"):
            answer = one.browser(Role.READER).get("/t/contoso.com/edge", params={"after": cursor})
            assert answer.status_code == 200
