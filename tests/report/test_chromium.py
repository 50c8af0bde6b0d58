"""The page in a real browser: it asks for nothing, complains of nothing and is never wider than the screen.

A wrapper page of the test's own frames the report at several widths, opens every fold and measures; Chromium's log
tells of console messages, the test's server and Chromium's network log of requests.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from sidedoor.audit.model import Audit
from sidedoor.report import html_report
from tests.report.example import empty_audit, hostile_audit, large_audit, rich_audit

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.chromium,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (Debian: apt-get install chromium)"),
]

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-default-apps", "--disable-extensions",
    "--enable-logging=stderr", "--virtual-time-budget=20000", "--dump-dom", "--window-size=1400,1000",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip
WIDTHS = (400, 1280)

WRAPPER = """<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><body><script>
const found = [];
const widths = WIDTHS;
addEventListener("load", () => {
  for (const frame of document.querySelectorAll("iframe")) {
    const page = frame.contentDocument;
    for (const fold of page.querySelectorAll("details")) fold.open = true;
    const root = page.documentElement;
    const chart = [...page.querySelectorAll("svg.chart")].filter(svg => svg.getBoundingClientRect().width > 0);
    found.push({width: frame.clientWidth, view: root.clientWidth, scroll: root.scrollWidth, charts: chart.length,
                height: root.scrollHeight});
  }
  const out = document.createElement("pre");
  out.id = "found";
  out.textContent = JSON.stringify(found);
  document.body.append(out);
});
for (const width of widths) {
  document.body.insertAdjacentHTML("beforeend",
    `<iframe src="/report.html?${width}" style="border:0;width:${width}px;height:900px"></iframe>`);
}
</script>"""


@dataclass(frozen=True)
class Seen:
    """What the browser saw: measures by width, console messages, paths asked of the server, hosts asked at all."""

    measures: list[dict[str, int]]
    console: list[str]
    paths: list[str]
    hosts: set[str]


@contextmanager
def served(pages: dict[str, bytes]) -> Iterator[tuple[str, list[str]]]:
    """A web server on this machine; yields its address and the paths asked of it so far."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = pages.get(urlsplit(self.path).path)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def look(audit: Audit, directory: Path) -> Seen:
    """Open the report of an audit at all widths."""
    pages = {
        "/report.html": html_report.dump(audit),
        "/": WRAPPER.replace("WIDTHS", json.dumps(WIDTHS)).encode(),
    }
    log = directory / "net.json"
    with served(pages) as (address, asked):
        run = subprocess.run(
            [str(CHROMIUM), *FLAGS, f"--user-data-dir={directory / 'profile'}", f"--log-net-log={log}", f"{address}/"],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
    found = re.search(r'<pre id="found">(.*?)</pre>', run.stdout)
    assert found, run.stderr[-2_000:]
    console = [line for line in run.stderr.splitlines() if "CONSOLE" in line]
    return Seen(json.loads(found[1]), console, asked, hosts(log))


def hosts(log: Path) -> set[str]:
    """Hosts that pages asked for, from Chromium's network log; what Chromium asks for itself has no initiator."""
    lines = log.read_text(encoding="utf-8").splitlines()  # an event a line
    started = [line for line in lines if re.search(r'"initiator":"(?:http|null)', line)]
    urls = [found[1] for line in started if (found := re.search(r'"url":"([^"]*)"', line))]
    return {urlsplit(url).hostname or url for url in urls}


@pytest.mark.parametrize(
    "audit",
    [
        pytest.param(rich_audit(), id="rich"),
        pytest.param(hostile_audit(), id="hostile"),
        pytest.param(empty_audit(), id="empty"),
        pytest.param(large_audit(600), id="large"),
    ],
)
def test_in_a_browser(audit: Audit, tmp_path: Path) -> None:
    seen = look(audit, tmp_path)
    assert [measure["width"] for measure in seen.measures] == list(WIDTHS)
    for measure in seen.measures:
        assert measure["scroll"] <= measure["view"], measure
        assert measure["charts"] == (1 if audit.timeline else 0)
        assert measure["height"] > 900
    assert seen.console == []
    assert sorted(seen.paths) == sorted(["/", *(f"/report.html?{width}" for width in WIDTHS)])
    assert seen.hosts == {"127.0.0.1"}
