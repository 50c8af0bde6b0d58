"""A workspace in which things have happened: alerts, decisions, an edge with a log and a quarantine, runs, a probe."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from sidedoor.edge.spool.model import Held, Kept
from sidedoor.edge.spool.store import Store as Spool
from sidedoor.report import tenant_json
from sidedoor.store.changes import Changes, RunEnd
from sidedoor.store.model import Alert, Baseline, Decision, Finding, Observation, Severity, Word
from sidedoor.store.store import open_store
from sidedoor.store.tenant import TenantStore
from sidedoor.watch import baseline_json
from sidedoor.watch.sight import Baseline as Accepted
from sidedoor.watch.workspace import open_workspace
from tests.web.world import NOW

MESSAGE = b"\r\n".join(
    (
        b"From: =?utf-8?q?Ch=C3=A9f?= <ceo@contoso.com>", b"To: anna@contoso.com",
        b"Subject: Invoice <script>alert(1)</script>", b"MIME-Version: 1.0",
        b"Content-Type: text/plain; charset=utf-8", b"", b"Please pay today.", b"<img src=x onerror=alert(1)>", b"",
    )
)  # fmt: skip


def finding(kind: str, severity: Severity, title: str, subject: str = "", **changes: Any) -> Finding:
    """A finding; name what matters."""
    given = {
        "text": "It was not so in the run before.", "advice": "Ask whoever changed it.", "source": "settings",
        "evidence": (("before", "on"), ("now", "off")),
    }  # fmt: skip
    return Finding(kind, subject, severity, title, **given | changes)


def alert(number: int, of: Finding, at: datetime = NOW, **changes: Any) -> Alert:
    """An alert that was raised at some time."""
    return Alert(f"a{number:04}", of, at, NOW, **changes)


def alerts_of(sender: str) -> tuple[Alert, ...]:
    """One of each severity, and one that is over."""
    day = timedelta(days=1)
    return (
        alert(1, finding("direct-send-reopened", Severity.CRITICAL, "Direct Send is open again"), NOW - day / 12),
        alert(2, finding("spoof-burst", Severity.SERIOUS, "Burst of spoofed mail", text="148 messages on 19 Nov 2026."),
              NOW - day),
        alert(3, finding("new-sender", Severity.WARNING, "New direct sender", sender, source="history",
                         text="It hands in mail by Direct Send, and nobody has decided about it."), NOW - 2 * day),
        alert(4, finding("certificate-expiring", Severity.INFO, "A certificate ends in 29 days", "Inbound from HQ"),
              NOW - 5 * day),
        alert(5, finding("dns-unknown", Severity.WARNING, "DNS does not tell of contoso.com", "contoso.com"),
              NOW - 9 * day, recovered_at=NOW - 8 * day),
    )  # fmt: skip


def fill(folder: Path) -> str:
    """Fill a workspace that has a report; returns the key of a sender that waits for a word."""
    with (folder / "sidedoor.toml").open("a", encoding="utf-8") as settings:
        settings.write('\n[edge]\nlogs = ["edge.jsonl"]\nspool = "spool.db"\n')
    text = (folder / "sidedoor.toml").read_text(encoding="utf-8").replace("\n[edge]\n# logs", "\n# logs", 1)
    (folder / "sidedoor.toml").write_text(text, encoding="utf-8")
    body = json.loads((folder / "report" / "report.json").read_bytes())
    by_word = {word: [s for s in body["senders"] if s["assessment"] == word] for word in ("legitimate", "unclear")}
    waiting = next(s["id"] for s in by_word["unclear"] if s["would_reject"])
    workspace = open_workspace(folder)
    with open_store(workspace.store_url) as store:
        tenant = store.tenant(workspace.name)
        _run(tenant, folder, waiting)
        _decide(tenant, [s["id"] for s in by_word["legitimate"]])
    write_log(folder / "edge.jsonl", 12)
    hold(folder / "spool.db", 2)
    return str(waiting)


def _run(tenant: TenantStore, folder: Path, waiting: str) -> None:
    snapshot = tenant_json.read(folder / "report").snapshot
    accepted = Accepted(NOW - timedelta(days=30), {}, snapshot, {})
    number = tenant.begin_run(NOW - timedelta(minutes=2))
    tenant.apply(
        Changes(
            NOW, raised=alerts_of(waiting), baseline=Baseline(accepted.at, baseline_json.encode(accepted)),
            end=RunEnd(number, NOW - timedelta(minutes=1), "done", ("read 2 files",)),
        )
    )  # fmt: skip
    seen = {"verdict": "open", "why": ["The endpoint took contoso.com from a stranger up to DATA."]}
    tenant.put_observation(Observation("probe", "p1", NOW, seen))


def _decide(tenant: TenantStore, honest: list[str]) -> None:
    said = (
        Decision(honest[0], Word.LEGITIMATE, "facilities@contoso.com", "", "The big printer.", date(2026, 11, 24)),
        Decision(honest[1], Word.LEGITIMATE, "it@contoso.com", "local-relay", "", date(2026, 11, 12)),
        Decision(honest[2], Word.LEGITIMATE, "marketing@contoso.com", "return-path", "", date(2027, 1, 15)),
    )
    for each in said:
        tenant.decide(each, "bo@contoso.com", "web", NOW - timedelta(days=3))


def line(number: int, **changes: Any) -> dict[str, Any]:
    """A line of an edge's log; name what matters."""
    reply = {"code": 550, "enhanced": "5.7.68", "text": "TenantInboundAttribution; Direct Send not allowed"}
    given = {
        "schema": "sidedoor/edge-log/1", "time": f"2026-11-20T07:{number % 60:02}:00.000Z", "transaction": f"t{number}",
        "session": f"s{number}", "listener": "smtp", "client_ip": f"203.0.113.{number % 250}", "client_port": 40_000,
        "proxy": None, "helo": f"mfp{number}.contoso.com", "tls": None, "authenticated_as": None,
        "envelope_sender": "scan@contoso.com", "recipient": "helpdesk@contoso.com", "header_from": None, "size": None,
        "verdict": "reject", "reply": reply, "submission": "direct-send", "connector": None, "would_reject": True,
        "step": "reject-direct-send", "certainty": "documented", "reasons": ["reject-direct-send-on"], "missing": [],
        "said": reply, "outcome": "refused", "final": None, "authentication": None, "handled": None,
        "audit_only": False, "settings_at": "2026-11-20T06:00:00.000Z",
    }  # fmt: skip
    return given | changes


ACCEPTED = {
    "verdict": "accept", "outcome": "kept", "submission": "partner-connector", "connector": "HQ", "would_reject": False,
    "reply": {"code": 250, "enhanced": "2.1.5", "text": "Recipient OK"},
    "said": {"code": 250, "enhanced": "2.1.5", "text": "Recipient OK"}, "reasons": ["connector-by-address"],
}  # fmt: skip


def write_log(path: Path, lines: int, start: int = 0) -> None:
    """Append decisions, every third of them an acceptance."""
    with path.open("a", encoding="ascii") as log:
        for number in range(start, start + lines):
            log.write(json.dumps(line(number, **({} if number % 3 else ACCEPTED))) + "\n")


def hold(path: Path, messages: int, content: bytes = MESSAGE, start: int = 0) -> None:
    """Hold messages back."""
    spool = Spool(path)
    for number in range(start, start + messages):
        kept = Kept(f"m{number}", NOW - timedelta(hours=number), "ceo@contoso.com", ("anna@contoso.com",), content)
        spool.add([], [Held(kept, f"rule 'Hold strangers' (quarantine), {number + 1}")])
    spool.close()
