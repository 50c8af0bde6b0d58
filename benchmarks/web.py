"""The page with 20,000 senders: how long the server takes for each page, and for a what-if.

    python benchmarks/web.py [--quick] [--senders 20000] [--rounds 20]

Makes a workspace with a report of so many senders (90 days of counts each, 2,000 decisions, 500 alerts), serves it with
`sidedoor web` as a process of its own, signs in by its link, and asks each page again and again over one connection.
Times are from the request's last octet to the answer's last; the figure is the one that nine in ten stay below. The
first request of all, which reads the report, is told apart.
"""

from __future__ import annotations

import http.client
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from gather.form import Bench
from gather.ports import free_port
from sidedoor.audit.engine.kept import KeptFlow
from sidedoor.audit.facts import DecisionKey
from sidedoor.audit.model import Audit, Coverage, DayCount, Readiness, Reason, Sender, Simulation, Verdict
from sidedoor.audit.tenant import tenant_summary
from sidedoor.evidence.tenant_files import read_tenant
from sidedoor.plan.model import (
    Action,
    Because,
    Blocker,
    Change,
    Choice,
    ConnectorProposal,
    ConnectorSettings,
    Method,
    Plan,
    Replay,
    Stage,
    Tally,
    TenantFacts,
)  # fmt: skip
from sidedoor.plan.what_if import classes_with
from sidedoor.policy.decision import Submission
from sidedoor.report import plan_json, whatif_json
from sidedoor.report.writer import write_all
from sidedoor.store.changes import Changes, RunEnd
from sidedoor.store.model import Alert, Baseline, Decision, Finding, KnownSender, Severity, Word
from sidedoor.store.store import open_store
from sidedoor.tenant.snapshot import ConnectorKind, TenantSnapshot
from sidedoor.watch import baseline_json, seen
from sidedoor.watch.seen import Seen, SeenSender
from sidedoor.watch.sight import Baseline as Accepted
from sidedoor.watch.template import settings_text
from sidedoor.watch.workspace import Workspace, make_workspace

NOW = datetime.now(UTC).replace(microsecond=0)
DAYS = 90
REASONS = tuple(
    Reason(f"reason-{n}", f"A sentence of evidence, number {n}, as long as they usually are in a report.", w)
    for n, w in enumerate((4.0, 2.5, 1.5, 1.0, 0.8, -0.3, -0.3, 0.0))
)
DOMAINS = ["contoso.com", *(f"d{n}.example" for n in range(49))]
DOOR = {
    "AcceptedDomain.json": [
        {"DomainName": name, "DomainType": "Authoritative", "MatchSubDomains": False, "Default": False,
         "InitialDomain": False}
        for name in DOMAINS
    ],
    "OrganizationConfig.json": {"Name": "contoso.onmicrosoft.com", "RejectDirectSend": False},
    "InboundConnector.json": [],
}  # fmt: skip


def sender(number: int) -> Sender:
    """One of many."""
    verdict = (Verdict.LEGITIMATE, Verdict.SPOOFING, Verdict.UNCLEAR)[number % 3]
    messages = 20_000 - number % 19_000
    address = f"203.{number >> 16}.{(number >> 8) & 255}.{number & 255}"
    return Sender(
        id=f"{number:010x}", name=f"device{number}.contoso.com ({address})", submission=Submission.DIRECT_SEND,
        assessment=verdict, confidence=0.9, reasons=REASONS, networks=(f"{address}/32",),
        envelope_domains=("contoso.com",), mail_from=tuple(f"user{number}-{n}@contoso.com" for n in range(5)),
        helo=(f"device{number}.contoso.com",), service=None, messages=messages, recipients=number % 90 + 1,
        first_seen=NOW - timedelta(days=DAYS), last_seen=NOW - timedelta(hours=number % 500), active_days=60,
        authentication={"spf": {"pass": messages}, "dkim": {"none": messages}, "dmarc": {"pass": messages}},
        would_reject=messages, would_reject_unknown=0, recommendation="Give it a connector that matches its address.",
        header_from=(f"user{number}@contoso.com",),
    )  # fmt: skip


def made(folder: Path, senders: int) -> Workspace:
    """The workspace."""
    workspace = make_workspace(folder, settings_text("contoso.com"))
    for name, body in DOOR.items():
        (workspace.tenant_settings / name).write_text(json.dumps(body), encoding="utf-8")
    snapshot = read_tenant(sorted(workspace.tenant_settings.iterdir())).snapshot
    many = tuple(map(sender, range(senders)))
    write_all(_audit(many, snapshot), workspace.report)
    today = date.today()  # noqa: DTZ011
    daily = {today - timedelta(days=n): 7 for n in range(DAYS)}
    places = {each.id: frozenset((f"203.0.{n}.1", "contoso.com") for n in range(5)) for each in many}
    told = Seen("x", NOW, {each.id: SeenSender(daily, places[each.id]) for each in many})
    (workspace.report / seen.NAME).write_bytes(seen.dump(told))
    (workspace.report / "plan").mkdir()
    _plan(workspace.report / "plan", many, snapshot)
    _fill(workspace, many, snapshot)
    return workspace


def _plan(folder: Path, many: tuple[Sender, ...], snapshot: TenantSnapshot) -> None:
    """What a what-if asks: a connector with 100 addresses for each of 50 domains, and three flows of each sender,
    which are 300 different keys of a decision."""
    proposals = [
        ConnectorProposal(
            Action.CREATE, f"Connector {n}", ConnectorKind.PARTNER,
            ConnectorSettings(True, (name,), tuple(f"198.51.{n}.{m}" for m in range(100)), restrict_to_addresses=True),
            (), (),
        )
        for n, name in enumerate(DOMAINS)
    ]  # fmt: skip
    classes = classes_with(snapshot, proposals)
    domains = [classes.domains.of(name) for name in DOMAINS]
    addresses = [classes.addresses.of(ip_address(f"198.51.{n}.{n}")) for n in range(len(DOMAINS))]
    flows = [
        KeptFlow(
            DecisionKey(domains[n % 50], False, (addresses[n % 50], 0, addresses[(n + 1) % 50])[part], domains[0],
                        n // 50 % 2, "", None, True),
            each.id, each.messages // 3,
        )
        for n, each in enumerate(many)
        for part in range(3)
    ]  # fmt: skip
    (folder / plan_json.NAME).write_bytes(plan_json.dump(_made(many, proposals)))
    (folder / whatif_json.NAME).write_bytes(whatif_json.dump(proposals, flows, ()))


def _made(many: tuple[Sender, ...], proposals: list[ConnectorProposal]) -> Plan:
    """A plan in which a third of the senders has to move."""
    moving = [each for each in many if each.assessment is Verdict.LEGITIMATE]
    choices = tuple(
        Choice(each.id, each.name, each.assessment, Method.LOCAL_RELAY, (Because("x", "a reason"),), (), False,
               each.messages, each.recipients, (), ("contoso.com",), each.mail_from, None)
        for each in many
    )  # fmt: skip
    steps = [
        Change(n, Stage.MIGRATE, each.name, "its owner moves it", "back", (each.id,)) for n, each in enumerate(moving)
    ]
    steps += [Change(len(steps) + n, Stage.CONNECTORS, each.name, "made", "back") for n, each in enumerate(proposals)]
    blockers = tuple(Blocker("undecided", each.id, each.name) for each in many if each.assessment is Verdict.UNCLEAR)
    none = Tally()
    return Plan(
        NOW, TenantFacts("contoso", tuple(DOMAINS), False, "x"), (NOW, NOW), choices, tuple(proposals), (), (),
        tuple(steps), (), Replay(0, 0, none, none, none, 0, 0, 0, 0, 0, 0, 0, 0, ()), (), False, blockers,
    )  # fmt: skip


def _audit(many: tuple[Sender, ...], snapshot: TenantSnapshot) -> Audit:
    refused = {verdict: sum(each.would_reject for each in many if each.assessment is verdict) for verdict in Verdict}
    return Audit(
        tenant=tenant_summary(snapshot), window=(NOW - timedelta(days=DAYS), NOW),
        coverage=Coverage(sum(each.messages for each in many), (), ()),
        totals={Submission.DIRECT_SEND: sum(each.messages for each in many)}, senders=many,
        simulation=Simulation(
            sum(refused.values()), refused[Verdict.LEGITIMATE], refused[Verdict.SPOOFING], refused[Verdict.UNCLEAR],
            undetermined=0, header_from_spoofs=0, sent_directly=0,
        ),
        readiness=Readiness("not-ready", tuple(each.id for each in many if each.assessment is not Verdict.SPOOFING)),
        timeline=tuple(DayCount(NOW.date() - timedelta(days=n), 900, 80, 20) for n in range(DAYS)),
        generated_at=NOW, snapshot=snapshot,
    )  # fmt: skip


def _fill(workspace: Workspace, many: tuple[Sender, ...], snapshot: TenantSnapshot) -> None:
    """The store as runs and people leave it."""
    known = tuple(
        KnownSender(
            f"k{each.id}", each.id, each.name, each.assessment.value, frozenset({("203.0.113.1", "contoso.com")}),
            each.first_seen, each.last_seen, each.messages, accepted=True,
        )
        for each in many
    )  # fmt: skip
    accepted = Accepted(NOW, {each.key: each for each in known}, snapshot, {})
    levels = list(Severity)
    found = [Finding("new-sender", f"k{n}", levels[n % 4], f"New {n}", "x", "y", "history") for n in range(500)]
    alerts = tuple(Alert(f"a{n}", each, NOW, NOW) for n, each in enumerate(found))
    with open_store(workspace.store_url) as store:
        tenant = store.tenant(workspace.name)
        number = tenant.begin_run(NOW)
        kept = Baseline(NOW, baseline_json.encode(accepted))
        tenant.apply(Changes(NOW, raised=alerts, senders=known, baseline=kept, end=RunEnd(number, NOW, "done")))
        for each in known[: min(2_000, len(known))]:
            said = Decision(each.key, Word.LEGITIMATE, "it@contoso.com", note="A note.", due=NOW.date())
            tenant.decide(said, "anna", "web", NOW)


class Asker:
    """One connection, signed in."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host = parts.netloc
        self._connection = http.client.HTTPConnection(parts.netloc, timeout=120)
        self._cookie = ""
        headers, _ = self._request("GET", f"{parts.path}?{parts.query}")
        self._cookie = str(headers["set-cookie"]).partition(";")[0]

    def _request(self, method: str, path: str, body: str | None = None) -> tuple[http.client.HTTPMessage, bytes]:
        headers = {"Cookie": self._cookie, "Origin": f"http://{self._host}"}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        data = answer.read()
        if answer.status not in {200, 303}:
            raise SystemExit(f"{path}: {answer.status} {data[:500]!r}")
        return answer.headers, data

    def timed(self, path: str, form: dict[str, str] | None = None) -> tuple[float, bytes]:
        """Milliseconds, and the answer."""
        body = None if form is None else urlencode(form)
        begun = time.perf_counter()
        _, data = self._request("GET" if form is None else "POST", path, body)
        return (time.perf_counter() - begun) * 1000, data


def serve(folder: Path) -> tuple[subprocess.Popen[str], str]:
    """The server, and the link it printed."""
    command = [sys.executable, "-m", "sidedoor", "web", str(folder), "--listen", f"127.0.0.1:{free_port()}"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    for line in server.stdout:
        found = re.search(r"http\S+/sign-in\S+", line)
        if found:
            return server, found[0]
    raise SystemExit("the server did not start")


CONNECTORS = "&".join(f"connector=Connector+{n}" for n in range(25))
PAGES = {
    "today": "", "senders": "/senders", "senders, searched": "/senders?q=device199+contoso",
    "senders, filtered and sorted": "/senders?assessment=unclear&refused=yes&order=last-seen",
    "senders, last page": "/senders?page=400&size=50", "senders, 200 a page": "/senders?size=200",
    "one sender": "/senders/k000000002a", "plan": "/plan", "alerts": "/alerts", "trail": "/trail",
    "settings": "/settings",
    "what-if, closed": "/what-if",
    "what-if, 25 connectors": f"/what-if?asked=true&reject=true&{CONNECTORS}",
}  # fmt: skip


def measure(asker: Asker, rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each page, and of deciding with the page that follows."""
    times: dict[str, list[float]] = {}
    for name, path in PAGES.items():
        times[name] = [asker.timed(f"/t/contoso.com{path}")[0] for _ in range(rounds)]
    times["the tenants' list, as JSON"] = [asker.timed("/api/v1/tenants")[0] for _ in range(rounds)]
    here = "/t/contoso.com/senders/k000000002b"
    times["a decision"], times["the table after it"] = [], []
    for n in range(rounds):
        page = asker.timed(here)[1].decode()
        form = {name: re.findall(rf'name="{name}" value="([^"]*)"', page)[0] for name in ("csrf", "version")}
        times["a decision"].append(asker.timed(here, form | {"assessment": "spoofing", "note": f"round {n}"})[0])
        times["the table after it"].append(asker.timed("/t/contoso.com/senders")[0])
    return times


def told(bench: Bench, times: dict[str, list[float]]) -> None:
    """Each page; nine in ten are the ones that a limit is for."""
    for name, found in times.items():
        ninth = statistics.quantiles(found, n=10)[-1] if len(found) > 1 else found[0]
        bench.tell(name, ninth, "ms", goal="web-what-if" if name.startswith("what-if") else "web-page")


def main() -> int:
    """Make, serve, measure."""
    bench = Bench(__file__, __doc__)
    bench.size("--senders", 20_000, quick=5_000)
    bench.size("--rounds", 20, quick=10)
    given = bench.options()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "contoso.com"
        made(folder, given.senders)
        size = sum(path.stat().st_size for path in (folder / "report").iterdir()) / 1e6
        server, link = serve(folder)
        try:
            asker = Asker(link)
            bench.tell(f"first page, reads {size:.0f} MB of report", asker.timed("/t/contoso.com")[0], "ms")
            told(bench, measure(asker, given.rounds))
        finally:
            server.terminate()
            server.wait(10)
    return bench.end()


if __name__ == "__main__":
    raise SystemExit(main())
