"""A tenant behind an admin API of its own, a front door that follows its switch, and a report of fresh mail."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any

import pytest

from sidedoor.cli.main import main
from tests.audit.audit_kit import accepted_domain, connector
from tests.plan import plan_kit

DOMAINS = [accepted_domain("northwind.example", Default=True)]
TOKEN = "a-token-for-these-tests"
SCAN = "scan@northwind.example"
BLANK, MISSING = None, "missing"


@dataclass
class Tenant:
    """What the fake admin API answers from. ways: how it takes the next changes, "well" when they are used up.

    failing: cmdlet -> status that it is answered with. held: set when a change was made whose answer is held back.
    """

    connectors: list[dict[str, Any]] = field(default_factory=list)
    domains: list[dict[str, Any]] = field(default_factory=lambda: list(DOMAINS))
    switch: Any = False
    filter: dict[str, Any] = field(default_factory=lambda: {"Name": "Default", "IPAllowList": [], "IPBlockList": []})
    ways: list[str] = field(default_factory=list)
    failing: dict[str, int] = field(default_factory=dict)
    sets: list[Any] = field(default_factory=list)
    switched: float = float("-inf")
    held: threading.Event = field(default_factory=threading.Event)

    def rows(self, cmdlet: str) -> list[dict[str, Any]]:
        """Output of a Get- cmdlet."""
        organization = {"Name": "northwind.onmicrosoft.com", "IsMixedMode": False, "PublicFoldersEnabled": "Local"}
        if self.switch != MISSING:
            organization["RejectDirectSend"] = self.switch
        return {
            "Get-OrganizationConfig": [organization],
            "Get-AcceptedDomain": self.domains,
            "Get-InboundConnector": self.connectors,
            "Get-TransportRule": [],
            "Get-HostedConnectionFilterPolicy": [self.filter],
        }[cmdlet]

    def set(self, parameters: dict[str, Any]) -> tuple[int, bytes, dict[str, str]]:
        """Set-OrganizationConfig, as its next way has it."""
        way = self.ways.pop(0) if self.ways else "well"
        self.sets.append(parameters)
        if not way.startswith("not"):
            self.switch, self.switched = parameters["RejectDirectSend"], time.monotonic()
        if way.endswith("held"):
            self.held.set()
            time.sleep(30)
        if way.endswith("cut"):
            raise ConnectionResetError
        answers = {
            "403": (403, b"\0" * 20),
            "429": (429, b"{}"),
            "400": (400, b'{"error": {"message": "no"}}'),
            "204": (204, b""),
        }
        status, body = next((answers[key] for key in answers if way.endswith(key)), (200, b'{"value": []}'))
        return status, body, {"Retry-After": "1"} if status == 429 else {}


@contextmanager
def serving(tenant: Tenant) -> Iterator[str]:
    """The admin API over HTTP; its base address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["CmdletInput"]
            name = asked["CmdletName"]
            status, body = 200, b""
            more: dict[str, str] = {}
            if name in tenant.failing:
                status, body = tenant.failing[name], b"{}"
            elif name == "Set-OrganizationConfig":
                status, body, more = tenant.set(asked["Parameters"])
            else:
                body = json.dumps({"value": tenant.rows(name)}).encode()
            self.send_response(status)
            for key, value in ({"Content-Length": str(len(body))} | more).items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with _in_thread(_Quiet(("127.0.0.1", 0), Handler)) as port:
        yield f"http://127.0.0.1:{port}"


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A connection that was cut on purpose."""


class _Door(ThreadingTCPServer):
    daemon_threads, allow_reuse_address = True, True


@contextmanager
def door(tenant: Tenant, delay: float = 0.0) -> Iterator[str]:
    """A front door that refuses own senders once the switch is on, `delay` seconds later."""

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 door\r\n")
            own = False
            for line in self.rfile:
                verb = line[:4].upper()
                own = (b"northwind" in line) if verb == b"MAIL" else own
                shut = tenant.switch is True and time.monotonic() - tenant.switched >= delay
                refused = verb == b"RCPT" and own and shut
                self.wfile.write(b"550 5.7.68 TenantInboundAttribution; no\r\n" if refused else b"250 2.0.0 ok\r\n")
                if verb == b"QUIT":
                    return

    with _in_thread(_Door(("127.0.0.1", 0), Handler)) as port:
        yield f"127.0.0.1:{port}"


@contextmanager
def _in_thread(server: Any) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def fresh_report(tmp_path: Path, days_ago: float = 0.5, words: str = "") -> Path:
    """A month of a printer's mail that ends so long ago, audited and planned."""
    rows = plan_kit.mails(0, "203.0.113.10", SCAN)
    end = datetime.now(UTC) - timedelta(days=days_ago)
    for number, row in enumerate(reversed(rows)):
        row["Timestamp"] = (end - timedelta(days=number)).strftime("%Y-%m-%dT%H:%M:%SZ")
    folder = plan_kit.report(tmp_path, rows)
    if words:
        (folder / "plan.toml").write_text(words, "ascii")
    assert main(["plan", str(folder), "--quiet"]) == 0
    return folder


def apply(folder: Path, tenant: Tenant) -> None:
    """The plan's connectors, made in the tenant."""
    for each in json.loads((folder / "plan" / "plan.json").read_text("ascii"))["connectors"]:
        settings = each["settings"]
        tenant.connectors.append(
            connector(
                each["name"], ConnectorType=each["kind"], SenderIPAddresses=settings["addresses"],
                SenderDomains=[f"smtp:{name};1" for name in settings["sender_domains"]],
                RequireTls=settings["require_tls"], RestrictDomainsToIPAddresses=settings["restrict_to_addresses"],
            )
        )  # fmt: skip


@dataclass
class World:
    """A report whose plan is in place, a tenant, its API and its door."""

    folder: Path
    tenant: Tenant
    base: str
    endpoint: str
    capsys: Any

    def run(self, command: str, *more: str) -> tuple[int, str]:
        """Run `close` or `reopen`; exit code and what was printed."""
        code = main([command, str(self.folder), *self.options, *more])
        said = self.capsys.readouterr()
        return code, said.out + said.err

    @property
    def options(self) -> list[str]:
        """How to sign in."""
        return ["--tenant-id", "northwind.example", "--token-env", "SIDEDOOR_TOKEN", "--base-url", self.base]

    def close(self, *more: str) -> tuple[int, str]:
        """`close` with the door to probe."""
        return self.run("close", "--endpoint", self.endpoint, "--wait", "20", *more)

    def records(self, command: str = "close") -> list[dict[str, Any]]:
        """What was recorded, in order."""
        paths = sorted((self.folder / "plan").glob(f"{command}-*.json"), key=lambda path: path.stat().st_mtime_ns)
        return [json.loads(path.read_text("ascii")) for path in paths]


@contextmanager
def world(folder: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Everything in place for a report with its plan: what remains is --yes."""
    monkeypatch.setenv("SIDEDOOR_TOKEN", TOKEN)
    monkeypatch.setattr("sidedoor.cli.close._PAUSE", 0.01)  # our own door bears it
    tenant = Tenant()
    apply(folder, tenant)
    capsys.readouterr()
    with serving(tenant) as base, door(tenant) as endpoint:
        yield World(folder, tenant, base, endpoint, capsys)
