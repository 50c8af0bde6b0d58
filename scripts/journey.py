"""The whole journey against the twin: collect, audit, plan, apply, close, probe, reopen; figures before and after.

    python scripts/journey.py [--forwarder] [--keep FOLDER]

The twin is `sidedoor edge` with its admin endpoint, in a process of its own. A printer, a monitoring server and a
spoofer send to it. With --forwarder an outside host forwards colleagues' mail too, which no plan can save: then the
door is not closed, until a person says in plan.toml that this mail may be lost. --keep leaves everything to be read:
the report, the plan with its scripts and letters, the records, and in said/ what each command printed.
"""

from __future__ import annotations

import argparse
import json
import os
import smtplib
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.audit.audit_kit import accepted_domain, connector, write_settings
from tests.ports import free_port

TOKEN = "a-token-for-this-journey-only"
PRINTER, MONITOR, SPOOFER, FORWARDER = "203.0.113.10", "203.0.113.22", "192.0.2.66", "198.51.100.200"
DOMAIN = "northwind.example"
GREETINGS = {
    PRINTER: "MFP-HQ3", MONITOR: f"mon01.{DOMAIN}", SPOOFER: "localhost", FORWARDER: "mx.lists.example",
}  # fmt: skip
NAMES = ("anna", "ben", "carla", "david", "emma", "felix", "grace", "hanna", "ivan", "julia")
PEOPLE = tuple(f"{name}@{DOMAIN}" for name in NAMES)
DAYS_AGO = (9, 4, 0)  # of the rounds of mail before the audit
COMMAND = [sys.executable, "-m", "sidedoor"]


@dataclass
class Journey:
    """One tenant, its twin, and what was seen on the way."""

    folder: Path
    port: int = field(default_factory=free_port)
    admin: int = field(default_factory=free_port)
    figures: dict[str, Any] = field(default_factory=dict)
    rounds: list[datetime] = field(default_factory=list)
    commands: int = 0

    @property
    def report(self) -> Path:
        """The audit's folder."""
        return self.folder / "report"

    def command(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run `sidedoor` with the token in its environment."""
        environment = os.environ | {"SIDEDOOR_TOKEN": TOKEN, "COLUMNS": "80"}
        done = subprocess.run(
            [*COMMAND, *map(str, arguments)], env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        self.commands += 1
        said = self.folder / "said" / f"{self.commands:02d}-{arguments[0]}.txt"
        said.parent.mkdir(exist_ok=True)
        said.write_text(f"{done.stdout}{done.stderr}exit code {done.returncode}\n", "utf-8")
        return done

    def sign_in(self) -> list[str]:
        """Options of collect, close and reopen."""
        return [
            "--tenant-id", DOMAIN, "--token-env", "SIDEDOOR_TOKEN", "--base-url", f"http://127.0.0.1:{self.admin}",
        ]  # fmt: skip

    def run_cmdlet(self, name: str, **parameters: Any) -> list[dict[str, Any]]:
        """A cmdlet by the twin's admin endpoint, as PowerShell would run it."""
        answer = httpx.post(
            f"http://127.0.0.1:{self.admin}/adminapi/beta/{DOMAIN}/InvokeCommand",
            json={"CmdletInput": {"CmdletName": name, "Parameters": parameters}},
            headers={"Authorization": f"Bearer {TOKEN}"},
        )
        answer.raise_for_status()
        found: list[dict[str, Any]] = answer.json()["value"]
        return found

    def send(self, address: str, sender: str, recipients: Sequence[str]) -> int:
        """Mail from any address, by PROXY protocol; how many recipients were taken."""
        client = smtplib.SMTP(timeout=20)
        client.sock = socket.create_connection(("127.0.0.1", self.port), 20, source_address=("127.0.0.2", 0))
        client.sock.sendall(f"PROXY TCP4 {address} 127.0.0.1 4711 25\r\n".encode())
        client.getreply()
        client.ehlo(GREETINGS.get(address, "mail.elsewhere.example"))
        taken = 0
        for recipient in recipients:
            client.mail(sender)
            if client.rcpt(recipient)[0] == 250:  # RFC 5321
                taken += client.data(f"From: {sender}\r\nTo: {recipient}\r\nSubject: x\r\n\r\nx\r\n".encode())[0] == 250
            client.rset()
        client.quit()
        return taken

    def traffic(self, *, forwarder: bool) -> dict[str, int]:
        """One round of everybody's mail; how much of each was taken."""
        self.rounds.append(datetime.now(UTC))
        taken = {
            "printer": self.send(PRINTER, f"scan@{DOMAIN}", PEOPLE[:3]),
            "monitor": self.send(MONITOR, f"alerts@{DOMAIN}", PEOPLE[:2]),
            "spoofer": self.send(SPOOFER, f"boss@{DOMAIN}", PEOPLE),
            "stranger": self.send("198.51.100.9", "friend@elsewhere.example", PEOPLE[:4]),
        }
        if forwarder:  # three colleagues write to a list outside, which anna is on
            taken["forwarder"] = sum(self.send(FORWARDER, person, PEOPLE[:1]) for person in PEOPLE[5:8])
        return taken

    def history(self) -> Path:
        """The twin's log with its rounds of mail some days apart: it has no clock of its own, and who forwards mail
        shows over days only.
        """
        path = self.folder / "history.jsonl"
        with (self.folder / "edge.jsonl").open("rb") as log, path.open("w", encoding="utf-8") as out:
            for line in map(json.loads, log):
                at = datetime.fromisoformat(line["time"])
                ago = DAYS_AGO[sum(at >= begun for begun in self.rounds) - 1]
                line["time"] = (at - timedelta(days=ago)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
                out.write(json.dumps(line) + "\n")
        return path


@contextmanager
def twin(journey: Journey) -> Iterator[None]:
    """The edge as a process, until it answers."""
    tenant = journey.folder / "tenant"
    domains = [accepted_domain(DOMAIN, Default=True), accepted_domain("northwind.onmicrosoft.com", InitialDomain=True)]
    write_settings(tenant, domains, [connector("Old", SenderIPAddresses=["203.0.113.99"], Enabled=False)])
    (tenant / "TransportRule.json").write_text('{"cmdlet": "Get-TransportRule", "value": []}', "ascii")
    lists = {"Name": "Default", "IsDefault": True, "IPAllowList": [], "IPBlockList": []}
    (tenant / "HostedConnectionFilterPolicy.json").write_text(json.dumps(lists), "ascii")
    token = journey.folder / "token"
    token.write_text(TOKEN + "\n", "ascii")
    arguments = [
        "edge", "--tenant", tenant, "--listen", f"127.0.0.1:{journey.port}", "--maildir", journey.folder / "mail",
        "--log", journey.folder / "edge.jsonl", "--proxy-from", "127.0.0.2/32", "--hostname", "mx.example",
        "--admin", f"127.0.0.1:{journey.admin}", "--admin-token-file", token,
    ]  # fmt: skip
    with (journey.folder / "edge.out").open("wb") as out:
        # kept, because a twin that does not start says why there
        process = subprocess.Popen([*COMMAND, *map(str, arguments)], stdout=out, stderr=out)
    try:
        _await(lambda: socket.create_connection(("127.0.0.1", journey.admin), 1).close())
        _await(lambda: socket.create_connection(("127.0.0.1", journey.port), 1).close())
        yield
    finally:
        process.terminate()
        process.wait(30)


def _await(action: Any, seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            action()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def apply(journey: Journey) -> None:
    """What the generated script would do, by the admin endpoint."""
    plan = json.loads((journey.report / "plan" / "plan.json").read_text("ascii"))
    for each in plan["connectors"]:
        settings = each["settings"]
        parameters: dict[str, Any] = {"SenderDomains": settings["sender_domains"], "Enabled": settings["enabled"]}
        parameters |= {"SenderIPAddresses": settings["addresses"]} if settings["addresses"] else {}
        if each["kind"] == "Partner":
            parameters |= {
                "RequireTls": settings["require_tls"],
                "RestrictDomainsToIPAddresses": settings["restrict_to_addresses"],
                "RestrictDomainsToCertificate": settings["restrict_to_certificate"],
            }
        if settings["certificate_name"]:
            parameters["TlsSenderCertificateName"] = settings["certificate_name"]
        if each["action"] == "create":
            journey.run_cmdlet("New-InboundConnector", Name=each["name"], ConnectorType=each["kind"], **parameters)
        else:
            journey.run_cmdlet("Set-InboundConnector", Identity=each["name"], **parameters)


def decide(journey: Journey, *, lose_forwarded: bool) -> None:
    """plan.toml, as an administrator writes it after reading the report."""
    report = json.loads((journey.report / "report.json").read_text("ascii"))
    verdicts = {PRINTER: "legitimate", MONITOR: "legitimate", SPOOFER: "spoofing", FORWARDER: "legitimate"}
    lines = []
    for sender in report["senders"]:
        for address, verdict in verdicts.items():
            if f"{address}/32" in sender["networks"]:
                lines.append(f'[senders.{sender["id"]}]\nassessment = "{verdict}"')
                lines += ["fixed = true\nshared = false"] if address in {PRINTER, MONITOR} else []
                lines += ['method = "refuse"'] if address == FORWARDER and lose_forwarded else []
    (journey.report / "plan.toml").write_text("\n".join(lines) + "\n", "ascii")


def close(journey: Journey, *more: str) -> subprocess.CompletedProcess[str]:
    """`sidedoor close` against the twin."""
    endpoint = ["--endpoint", f"127.0.0.1:{journey.port}", "--wait", "30"]
    return journey.command("close", journey.report, *journey.sign_in(), *endpoint, *more)


def walk(folder: Path, *, forwarder: bool = False) -> dict[str, Any]:
    """The journey from end to end; what was seen at each step. Raises AssertionError where a step goes wrong."""
    journey = Journey(folder)
    seen = journey.figures
    with twin(journey):
        for _ in DAYS_AGO:
            seen["before"] = journey.traffic(forwarder=forwarder)
        _collect_and_audit(journey)
        decide(journey, lose_forwarded=False)
        seen["plan"] = _plan(journey)
        if forwarder:
            refused = close(journey, "--yes")
            seen["close with the forwarder"] = refused.returncode, _obstacles(refused)
            decide(journey, lose_forwarded=True)
            seen["plan without the forwarder"] = _plan(journey)
        early = close(journey, "--yes")
        seen["close before the connectors"] = early.returncode, _obstacles(early)
        apply(journey)
        time.sleep(3)  # the edge reads its settings again every two seconds
        seen["close without --yes"] = close(journey).returncode
        closed = close(journey, "--yes")
        seen["close"] = closed.returncode, closed.stdout.strip().splitlines()[-1].partition(". Recorded")[0]
        seen["after"] = journey.traffic(forwarder=forwarder)
        seen["probe"] = journey.command(
            "probe", DOMAIN, "--tenant", folder / "tenant", "--offline", "--endpoint", f"127.0.0.1:{journey.port}",
            "--pause", "0",
        ).returncode  # fmt: skip
        reopened = journey.command(
            "reopen", journey.report, *journey.sign_in(), "--endpoint", f"127.0.0.1:{journey.port}", "--yes"
        )
        seen["reopen"] = reopened.returncode, reopened.stdout.strip().splitlines()[-1].partition(". Recorded")[0]
        seen["reopened, connectors in place"] = journey.traffic(forwarder=forwarder)
        for each in json.loads((journey.report / "plan" / "plan.json").read_text("ascii"))["connectors"]:
            journey.run_cmdlet("Remove-InboundConnector", Identity=each["name"], Confirm=False)
        time.sleep(3)
        seen["rolled back"] = journey.traffic(forwarder=forwarder)
    return seen


def _obstacles(process: subprocess.CompletedProcess[str]) -> list[str]:
    """Ids of what stood in the way."""
    return [line.split(": ")[1] for line in process.stdout.splitlines() if line.startswith("in the way: ")]


def _collect_and_audit(journey: Journey) -> None:
    """The service's own traces first, which leave open who logged in; then the twin's log, which tells all."""
    export = journey.folder / "export"
    time.sleep(1.5)  # what is asked for ends with the last whole second
    _done(journey.command("collect", "-o", export, *journey.sign_in(), "--details", "80"))
    journey.figures["collected"] = json.loads((export / "collection.json").read_text("ascii"))["complete"]
    _done(journey.command("audit", export, "-o", journey.folder / "traces", "--offline", "--quiet"))
    traces = json.loads((journey.folder / "traces" / "report.json").read_text("ascii"))
    journey.figures["messages in traces"] = traces["coverage"]["messages"]
    settings = [path for path in export.glob("*.json") if "Trace" not in path.name and path.name != "collection.json"]
    _done(journey.command("audit", *settings, journey.history(), "-o", journey.report, "--offline"))
    report = json.loads((journey.report / "report.json").read_text("ascii"))
    journey.figures["audited"] = report["totals"]["direct-send"]["messages"]


def _done(process: subprocess.CompletedProcess[str]) -> None:
    assert process.returncode == 0, process.stdout + process.stderr


def _plan(journey: Journey) -> dict[str, Any]:
    _done(journey.command("plan", journey.report))
    plan = json.loads((journey.report / "plan" / "plan.json").read_text("ascii"))
    return {
        "ready": plan["ready"], "blockers": [each["id"] for each in plan["blockers"]],
        "connectors": [each["settings"]["addresses"] for each in plan["connectors"]],
        "refused": [plan["replay"][name]["refused"] for name in ("before", "after")],
        "unsavable": [(each["name"], each["messages"], each["affected"]) for each in plan["unsavable"]],
    }  # fmt: skip


def main() -> int:
    """Walk, and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--forwarder", action="store_true", help="An outside host forwards colleagues' mail too.")
    parser.add_argument("--keep", type=Path, help="New folder for everything that is written on the way.")
    given = parser.parse_args()
    if given.keep is not None:
        given.keep.mkdir(parents=True)
        _print(walk(given.keep, forwarder=given.forwarder))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        _print(walk(Path(folder), forwarder=given.forwarder))
    return 0


def _print(figures: dict[str, Any]) -> None:
    for name, value in figures.items():
        print(name)
        rows = value.items() if isinstance(value, dict) else [("", value)]
        for row, figure in rows:
            print(f"    {row:<12} {figure}" if row else f"    {figure}")


if __name__ == "__main__":
    sys.exit(main())
