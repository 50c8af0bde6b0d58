"""The site in a real browser, from a folder and from a server: it asks nobody, fits the screen, and can be searched."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from tests.docs.conftest import Site

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.chromium,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (Debian: apt-get install chromium)"),
]
SHOWN = (
    "index.html", "howto/try-it.html", "howto/close-and-prove-it.html", "security-model.html", "glossary.html",
    "reference/commands/audit.html", "reference/settings.html", "reference/catalogue-entries.html", "contract.html",
)  # fmt: skip
Scheme = Literal["light", "dark"]
LONG = {"reference/catalogue-entries.html", "contract.html"}  # axe takes half a minute for what others show as well


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, which reaches nobody but this machine."""
    with sync_playwright() as started:
        opened = started.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
        )
        yield opened
        opened.close()


class Seen:
    """A page of a browser, and what it asked for and complained of."""

    def __init__(self, browser: Browser, width: int, scheme: Scheme) -> None:
        """Open a page. scheme: light or dark."""
        self.context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.page = self.context.new_page()
        self.asked: list[str] = []
        self.said: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))


@contextmanager
def seen(browser: Browser, width: int = 1280, scheme: Scheme = "light") -> Iterator[Seen]:
    """A page, closed at the end."""
    opened = Seen(browser, width, scheme)
    yield opened
    opened.context.close()


@contextmanager
def served(site: Site) -> Iterator[str]:
    """The site from a plain file server; its address."""

    class Quiet(SimpleHTTPRequestHandler):
        """Without a log."""

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site.folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


def search(page: Page, words: str) -> list[str]:
    """Where the results of a search lead."""
    page.get_by_role("textbox", name="Search").click()
    page.keyboard.type(words)
    page.wait_for_selector("a.md-search-result__link", timeout=20_000)
    found: list[str] = page.eval_on_selector_all("a.md-search-result__link", "all => all.map(a => a.href)")
    return found


@pytest.mark.parametrize("width", [1280, 400])
def test_from_a_folder_it_asks_nobody_and_fits(site: Site, browser: Browser, width: int) -> None:
    with seen(browser, width) as here:
        for name in SHOWN:
            here.page.goto((site.folder / name).as_uri())
            assert here.page.evaluate("document.documentElement.scrollWidth") <= width, name
            assert here.page.title()
        assert [address for address in here.asked if not address.startswith("file:")] == []
        assert here.said == []


def test_from_a_folder_it_can_be_searched(site: Site, browser: Browser) -> None:
    with seen(browser) as here:
        here.page.goto((site.folder / "howto" / "try-it.html").as_uri())
        found = search(here.page, "zendesk")
        assert any("reference/catalogue-entries.html" in address for address in found)
        assert [address for address in here.asked if not address.startswith(("file:", "about:"))] == []
        assert here.said == []


def test_from_a_server_it_asks_that_server_alone_and_can_be_searched(site: Site, browser: Browser) -> None:
    with served(site) as address, seen(browser) as here:
        here.page.goto(address)
        found = search(here.page, "RejectDirectSend")
        assert found
        assert [asked for asked in here.asked if not asked.startswith((address, "blob:"))] == []
        assert here.said == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_serious_stands_in_the_way_of_anybody(site: Site, browser: Browser, scheme: Scheme) -> None:
    found = []
    with seen(browser, 1280, scheme) as here:
        for name in (shown for shown in SHOWN if shown not in LONG):
            here.page.goto((site.folder / name).as_uri())
            for each in Axe().run(here.page).response["violations"]:
                if each["impact"] in {"serious", "critical"}:
                    found += [
                        (name, each["id"], node["html"][:200], node["failureSummary"][:300]) for node in each["nodes"]
                    ]
    assert found == []


def test_it_can_be_read_without_scripts(site: Site, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((site.folder / "security-model.html").as_uri())
    assert page.get_by_role("heading", level=1).is_visible()
    assert page.get_by_role("link", name="Threat model").first.is_visible()
    context.close()
