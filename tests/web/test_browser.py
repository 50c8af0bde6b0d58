"""The page in Debian's Chromium: what an administrator does, with scripts and without, and what axe says of it."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from sidedoor.edge.spool.store import Store as Spool
from sidedoor.web.access import sessions
from sidedoor.web.access.access import COOKIE, life_of
from sidedoor.web.access.guard import Reach
from sidedoor.web.access.links import make_link
from sidedoor.web.access.roles import Grant, Role
from sidedoor.web.app import make_app
from sidedoor.web.settings import WebSettings
from sidedoor.web.site import Site, open_site
from tests.ports import free_port
from tests.web import busy
from tests.web.kit import Clock, listening

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.chromium,
    pytest.mark.xdist_group("browser"),  # what the module makes once is made by one worker
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (Debian: apt-get install chromium)"),
]
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]  # fmt: skip
T = "/t/contoso.com"


@dataclass
class Live:
    """A server, and the browser that asks it."""

    url: str
    site: Site
    folder: Path
    waiting: str
    browser: Browser

    def context(self, role: Role = Role.ADMIN, **options: Any) -> BrowserContext:
        """A browser's profile in which somebody has signed in."""
        made = self.browser.new_context(base_url=self.url, **options)
        life = life_of(self.site.settings)
        secret = sessions.begin(self.site.sessions, "anna (this computer)", [Grant(role)], life, self.site.clock())
        made.add_cookies([{"name": COOKIE, "value": secret, "url": self.url, "httpOnly": True, "sameSite": "Strict"}])
        made.new_page()
        return made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        one = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield one
        one.close()


@pytest.fixture(scope="module")
def live(made: Path, tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Live]:
    folder = Path(shutil.copytree(made, tmp_path_factory.mktemp("live") / "contoso.com"))
    waiting, at = busy.fill(folder), free_port()
    site = open_site([folder], WebSettings(), folder, Clock())
    with listening(make_app(site, Reach(frozenset({f"http://127.0.0.1:{at}"}))), at) as url:
        yield Live(url, site, folder, waiting, browser)
    site.close()


@pytest.fixture
def page(live: Live) -> Iterator[Page]:
    context = live.context()
    one = context.pages[0]
    complaints: list[str] = []
    one.on("console", lambda message: complaints.append(message.text))
    one.on("pageerror", lambda error: complaints.append(str(error)))
    yield one
    context.close()
    # Chromium writes down every answer that is an error, and a form that cannot be kept is one.
    assert [each for each in complaints if "409 (Conflict)" not in each] == []


def test_signing_in_and_looking_for_a_sender(live: Live, page: Page) -> None:
    page.context.clear_cookies()
    page.goto(T)
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    token = make_link(live.site.sessions, "anna (this computer)", Role.ADMIN, live.site.clock())
    page.goto(f"/sign-in?token={token}")
    expect(page.get_by_role("heading", level=1)).to_have_text("The door is open")
    page.get_by_role("link", name="Senders", exact=False).first.click()
    page.get_by_label("Search").fill("mfp-hq3")
    page.get_by_role("button", name="Show").click()
    rows = page.locator("table.senders tbody tr")
    assert 0 < rows.count() < 5
    for row in rows.all():
        expect(row).to_contain_text("MFP-HQ3")


def decide(live: Live, page: Page, note: str) -> None:
    """Classify a sender that waits, by hand."""
    page.goto(f"{T}/senders/{live.waiting}")
    page.get_by_label("Honest").check()
    page.get_by_label("Owner").fill("facilities@contoso.com")
    page.get_by_label("Due").fill("2026-12-01")
    page.get_by_label("Note").fill(note)
    page.get_by_role("button", name="Keep").click()
    expect(page.get_by_role("status").first).to_have_text("Kept.")
    kept = live.site.tenants["contoso.com"].store.decisions()[live.waiting]
    assert (kept.assessment.value, kept.note) == ("legitimate", note)


def test_classifying_a_sender(live: Live, page: Page) -> None:
    decide(live, page, "The door openers of branch west.")
    expect(page.locator(".by-hand").first).to_have_text("by hand")


def test_two_people_decide_at_once(live: Live, page: Page) -> None:
    page.goto(f"{T}/senders/{live.waiting}")
    other = live.context(Role.OPERATOR)
    decide(live, other.pages[0], "I was faster.")
    other.close()
    page.get_by_label("Spoof").check()
    page.get_by_role("button", name="Keep").click()
    expect(page.get_by_role("alert")).to_contain_text("I was faster.")
    expect(page.get_by_label("Spoof")).to_be_checked()
    page.get_by_role("button", name="Keep").click()
    expect(page.get_by_role("status").first).to_have_text("Kept.")


def test_downloading_the_plan_and_ticking_a_step(live: Live, page: Page, tmp_path: Path) -> None:
    page.goto(f"{T}/plan")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download all files").click()
    assert download.value.suggested_filename == "sidedoor-plan-contoso.com.zip"
    download.value.save_as(tmp_path / "plan.zip")
    with zipfile.ZipFile(tmp_path / "plan.zip") as packed:
        assert packed.testzip() is None
        script = packed.read("plan/scripts/40-switch.ps1")
    assert script == (live.folder / "report" / "plan" / "scripts" / "40-switch.ps1").read_bytes()
    before = page.locator(".done-step").count()
    page.get_by_role("button", name=re.compile(r"^Done\s*: step 1$")).click()
    expect(page.locator(".done-step")).to_have_count(before + 1)
    expect(page.locator(".checklist")).to_contain_text("anna (this computer) said done")


def test_acknowledging_an_alert(live: Live, page: Page) -> None:
    page.goto(T)
    page.get_by_role("link", name="Direct Send is open again").click()
    page.get_by_role("button", name="I know of it").click()
    expect(page.get_by_role("status").first).to_have_text("Noted that you know of it.")
    found = live.site.tenants["contoso.com"].store.alert("a0001")
    assert found is not None
    assert found.acknowledged_by == "anna (this computer)"


def held_back(live: Live) -> set[str]:
    with closing(Spool(live.folder / "spool.db")) as spool:
        return {row.id for row in spool.quarantine()}


def test_releasing_from_quarantine(live: Live, page: Page) -> None:
    page.goto(f"{T}/quarantine")
    page.get_by_role("link", name="Hold strangers").last.click()
    expect(page.locator("pre.message")).to_contain_text("<img src=x onerror=alert(1)>")
    page.get_by_role("button", name="Release").click()
    expect(page.get_by_role("status").first).to_contain_text("Released")
    assert "m0" not in held_back(live)
    with closing(Spool(live.folder / "spool.db")) as spool:
        assert [row.message_id for row in spool.waiting()] == ["m0"]
    assert live.site.tenants["contoso.com"].store.trail(limit=1)[0].what == "release"


def test_deleting_asks_before(live: Live, page: Page) -> None:
    page.goto(f"{T}/quarantine/m1")
    page.get_by_role("link", name="Delete").click()
    expect(page.get_by_role("alert")).to_contain_text("for good?")
    page.get_by_role("link", name="Keep it").click()
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete for good").click()
    expect(page.get_by_role("status").first).to_have_text("Deleted for good.")
    assert "m1" not in held_back(live)


def test_the_edge_is_followed_live_and_can_be_paused(live: Live, page: Page) -> None:
    page.goto(f"{T}/edge")
    expect(page.locator(".live-state")).to_have_text("live")
    busy.write_log(live.folder / "edge.jsonl", 1, start=41)
    first = page.locator("#decisions tr").first
    expect(first).to_contain_text("203.0.113.41", timeout=10_000)
    page.get_by_role("button", name="Pause").click()
    with (live.folder / "edge.jsonl").open("a", encoding="ascii") as log:
        log.write(json.dumps(busy.line(77, helo="<img src=x onerror=alert(1)>")) + "\n")
    expect(page.locator(".live-state")).to_have_text("paused, 1 new", timeout=10_000)
    expect(first).to_contain_text("203.0.113.41")
    page.get_by_role("button", name="Go on").click()
    expect(first).to_contain_text("203.0.113.77")
    expect(first).to_contain_text("<img src=x onerror=alert(1)>")


def test_everything_works_with_scripts_off(live: Live) -> None:
    context = live.context(java_script_enabled=False)
    page = context.pages[0]
    decide(live, page, "Without a script.")
    page.goto(f"{T}/senders")
    page.get_by_label("Decision").select_option("Decided")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("table.senders tbody tr")).to_have_count(4)
    page.goto(f"{T}/edge")
    expect(page.locator("#decisions tr").first).to_be_visible()
    page.get_by_role("link", name="Load again").click()
    page.goto(f"{T}/plan")
    page.get_by_role("button", name=re.compile(r"^Done\s*: step 2$")).click()
    expect(page.get_by_role("status").first).to_have_text("Ticked.")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    context.close()


def test_the_keyboard_suffices(live: Live, page: Page) -> None:
    page.goto(f"{T}/senders/{live.waiting}")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("To the content")
    page.keyboard.press("Enter")
    expect(page.locator("main:focus")).to_have_count(1)
    seen = []
    for _ in range(60):
        page.keyboard.press("Tab")
        name = page.evaluate("document.activeElement.outerHTML.slice(0, 80)")
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        if name.startswith("<body"):
            break
        assert outline != "none", name
        seen.append(name)
    assert any("Keep" in name or "<button" in name for name in seen)
    assert len(set(seen)) > 8


PAGES = (
    "", "/senders", "/senders?q=nobody", "/senders/{waiting}", "/plan", "/alerts", "/alerts/a0003", "/edge",
    "/quarantine", "/quarantine/m1?delete=true", "/trail", "/settings",
)  # fmt: skip
OTHERS = ("/about", "/access", "/api", "/nowhere")


def addresses(live: Live) -> list[str]:
    """Every page."""
    return [*(T + path.format(waiting=live.waiting) for path in PAGES), *OTHERS]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(live: Live, scheme: Any) -> None:
    found = {}
    context = live.context(color_scheme=scheme, viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    page = context.pages[0]
    for path in addresses(live):
        page.goto(path)
        found[path] = violations(page, scheme)
    page.context.clear_cookies()
    page.goto("/sign-in")
    found["/sign-in"] = violations(page, scheme)
    context.close()
    assert {path: each for path, each in found.items() if each} == {}


def violations(page: Page, scheme: str) -> list[str]:
    """What axe says of a page, the way to each element included. In the dark only colours differ."""
    page.evaluate(AXE_SCRIPT)
    asked = {"resultTypes": ["violations"]} | ({"runOnly": ["color-contrast"]} if scheme == "dark" else {})
    said = page.evaluate("asked => axe.run(asked)", asked)
    return [
        f"{each['id']} ({each['impact']}): {node['target']}" for each in said["violations"] for node in each["nodes"]
    ]


@pytest.mark.parametrize("width", [400, 1280])
def test_no_page_is_wider_than_the_screen_or_complains(live: Live, width: int) -> None:
    context = live.context(viewport={"width": width, "height": 900})
    page, complaints = context.pages[0], []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda request: complaints.append(request.url))
    for path in addresses(live):
        page.goto(path)
        for fold in page.locator("details").all():
            fold.evaluate("each => each.open = true")
        wide, view = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert wide <= view, path
    context.close()
    assert [each for each in complaints if not re.search(r"edge/live|404|door\.svg$", each)] == []
