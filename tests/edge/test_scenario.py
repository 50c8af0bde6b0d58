"""The story an administrator lives through, with swaks as the printer and Postfix's smtp-sink behind the gateway.

A printer's mail is taken as Direct Send; the switch is turned on and it is refused; a connector names the printer's
address and it is taken through that; then the audit of the edge's own log says what happened.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.audit.audit_kit import accepted_domain, assert_balanced, audit, connector, write_settings
from tests.edge.kill_kit import Edge
from tests.ports import free_port

NEEDED = ("swaks", "smtp-sink")
MISSING = [name for name in NEEDED if shutil.which(name) is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
DOMAINS = [accepted_domain("contoso.example", Default=True)]
REFUSAL = (
    "550 5.7.68 TenantInboundAttribution; Direct Send not allowed for this organization from unauthorized sources ["
)


class Sink:
    """Postfix's smtp-sink: takes everything, and writes each message into a file."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder, self.port = folder, free_port()
        self._process = subprocess.Popen(
            ["smtp-sink", "-d", f"{folder}/%M.", "-u", "root", f"127.0.0.1:{self.port}", "50"]
        )
        for _ in range(250):
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.02)
        raise AssertionError("smtp-sink does not answer")

    def messages(self, count: int) -> list[str]:
        """What has come, once so many have."""
        for _ in range(250):
            found = [path.read_text(errors="replace") for path in sorted(self.folder.iterdir())]
            found = [text for text in found if "Subject:" in text]
            if len(found) >= count:
                return found
            time.sleep(0.02)
        return found

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(10)


def printer(port: int) -> tuple[int, str]:
    """A scan, as a printer sends it: EHLO with an address literal, no TLS, no login."""
    run = subprocess.run(
        [
            "swaks", "--server", f"127.0.0.1:{port}", "--ehlo", "[192.0.2.7]", "--from", "scan@contoso.example",
            "--to", "helpdesk@contoso.example", "--h-Subject", "Scan from the third floor", "--body", "see attachment",
        ],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return run.returncode, run.stdout


def wait_for(edge: Edge, port: int, expected: str) -> str:
    """Send until the settings are in force: the edge looks at its files every second."""
    for _ in range(40):
        _, said = printer(port)
        if expected in said:
            return said
        time.sleep(0.25)
    raise AssertionError(said)


def test_the_printers_story(tmp_path: Path, capsys: Any) -> None:
    sink = Sink(tmp_path / "sink")
    log = tmp_path / "decisions.jsonl"
    edge = Edge(tmp_path, sink.port, "--log", str(log))
    tenant = tmp_path / "tenant"
    try:
        edge.start()
        code, said = printer(edge.port)
        assert (code, "250 2.1.5 Recipient OK" in said) == (0, True), said

        write_settings(tenant, DOMAINS, reject_direct_send=True)
        said = wait_for(edge, edge.port, REFUSAL)
        assert "edge.example 20" in said  # the trailer: host, date, session

        printers = connector("Printers", SenderIPAddresses=["127.0.0.1"], SenderDomains=["smtp:contoso.example;1"])
        write_settings(tenant, DOMAINS, [printers], reject_direct_send=True)
        wait_for(edge, edge.port, "250 2.1.5 Recipient OK")
        edge.end(15)
        delivered = sink.messages(2)
    finally:
        sink.close()
    assert all("X-MS-Exchange-Organization" not in text and "Scan from the third floor" in text for text in delivered)

    did = [json.loads(line) for line in log.read_text(encoding="ascii").splitlines()]
    stages = list(dict.fromkeys((each["submission"], each["connector"], each["outcome"]) for each in did))
    assert stages[0] == ("direct-send", None, "kept")
    assert ("direct-send", None, "refused") in stages
    assert stages[-1] == ("partner-connector", "Printers", "kept")

    outcome = audit(capsys, tmp_path / "out", log, tenant)
    assert outcome.code == 0, outcome.said
    assert_balanced(outcome)
    rows = outcome.messages("network_message_id, recipient, submission, would_reject, treatment")
    # With today's connector the printer's earlier mail would be taken, too; how it came in is history.
    kept = {"kept": "delivered", "refused": "blocked"}
    assert sorted((row[0], row[2], row[4]) for row in rows) == sorted(
        (each["transaction"], each["submission"], kept[each["outcome"]]) for each in did
    )
    assert {row[3] for row in rows} == {False}


def test_the_same_story_told_to_the_admin_endpoint(tmp_path: Path) -> None:
    sink, admin = Sink(tmp_path / "sink"), free_port()
    (tmp_path / "token").write_text("a-token-for-tests-only\n")
    edge = Edge(
        tmp_path, sink.port, "--log", str(tmp_path / "log"), "--admin", f"127.0.0.1:{admin}",
        "--admin-token-file", str(tmp_path / "token"),
    )  # fmt: skip

    def cmdlet(name: str, **parameters: Any) -> list[dict[str, Any]]:
        answer = httpx.post(
            f"http://127.0.0.1:{admin}/adminapi/beta/contoso.example/InvokeCommand",
            headers={"Authorization": "Bearer a-token-for-tests-only"},
            json={"CmdletInput": {"CmdletName": name, "Parameters": parameters}},
        )
        assert answer.status_code == 200, answer.text
        rows: list[dict[str, Any]] = answer.json()["value"]
        return rows

    try:
        edge.start()
        printer(edge.port)
        assert cmdlet("Get-OrganizationConfig")[0]["RejectDirectSend"] is False
        cmdlet("Set-OrganizationConfig", RejectDirectSend=True)
        assert cmdlet("Get-OrganizationConfig")[0]["RejectDirectSend"] is True
        wait_for(edge, edge.port, REFUSAL)
        cmdlet("New-InboundConnector", Name="Printers", SenderDomains=["*"], SenderIPAddresses=["127.0.0.1"],
               RequireTls=False)  # fmt: skip
        wait_for(edge, edge.port, "250 2.1.5 Recipient OK")
        traces = cmdlet("Get-MessageTraceV2")
        assert len(traces) >= 2
        assert {row["Status"] for row in traces} == {"Delivered"}  # what was refused is in no trace
        edge.end(15)
    finally:
        sink.close()
