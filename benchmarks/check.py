"""How fast the rule decides: microseconds a decision, and `check --batch` against a bare JSON loop over the same lines.

    python benchmarks/check.py [--quick] [--lines 10000]

Exits with 1 where a goal is missed.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from gather.form import Bench
from sidedoor.mail.address import parse_address
from sidedoor.mail.domain import Domain
from sidedoor.mail.network import parse_ip, parse_network
from sidedoor.policy.facts import NOT_RECORDED, Connection, Envelope, MessageFacts, Tls
from sidedoor.policy.rule import Rule, compile_rule
from sidedoor.tenant.snapshot import (
    AcceptedDomain,
    ConnectionFilter,
    ConnectorKind,
    DomainKind,
    InboundConnector,
    SenderDomainPattern,
    TenantSnapshot,
)

TENANT = Path(__file__).parents[1] / "tests" / "data" / "policy" / "tenant"
BARE_LOOP = "import json, sys\nfor line in sys.stdin.buffer: print(json.dumps(json.loads(line)))"


def tenant(domains: int, connectors: int) -> TenantSnapshot:
    """Accepted domains, and Partner connectors for everything, every second of them restricted to its addresses."""
    return TenantSnapshot(
        tuple(AcceptedDomain(Domain(f"d{n}.example"), DomainKind.AUTHORITATIVE, False) for n in range(domains)),
        tuple(
            InboundConnector(
                f"connector {n}",
                ConnectorKind.PARTNER,
                enabled=True,
                sender_domains=(SenderDomainPattern(None),),
                sender_networks=(parse_network(f"10.{n // 256}.{n % 256}.0/24"),),
                tls_certificate_name=f"*.c{n}.example",
                restrict_to_addresses=n % 2 == 0,
            )
            for n in range(connectors)
        ),
        True,
        ConnectionFilter(),
    )


def microseconds(work: Callable[[], object], rounds: int) -> float:
    """Median of batches, so that one pause of the machine does not count."""
    taken = []
    for _ in range(15):
        start = time.perf_counter()
        for _ in range(rounds):
            work()
        taken.append((time.perf_counter() - start) / rounds * 1e6)
    return statistics.median(taken)


def decisions(bench: Bench) -> None:
    """Time single decisions on tenants of growing size."""
    envelope = Envelope(parse_address("a@d0.example"), parse_address("b@d0.example"))
    refused: dict[int, float] = {}
    for domains, connectors in ((1, 1), (10, 100), (1000, 100), (1000, 1000)):
        what = f"{domains:,} domains, {connectors:,} connectors"
        start = time.perf_counter()
        rule = compile_rule(tenant(domains, connectors))
        bench.tell(f"{what}: compiled", (time.perf_counter() - start) * 1e3, "ms")
        taken = {
            word: timed(rule, ip, None, envelope) for word, ip in (("refused", "192.0.2.7"), ("matched", "10.0.0.7"))
        }
        for word, us in taken.items():
            bench.tell(f"{what}: {word}", us, "us", goal="decision")
        unknown = timed(rule, "192.0.2.7", Tls("TLS1.3", NOT_RECORDED), envelope, 5)
        bench.tell(f"{what}: TLS unknown", unknown, "us")
        if connectors == 100:
            refused[domains] = taken["refused"]
    bench.tell("refused, 1,000 domains", refused[1000], "us", ("10 domains", refused[10]), goal="decision-domains")


def timed(rule: Rule, address: str, tls: Tls | None, envelope: Envelope, rounds: int = 1000) -> float:
    """Microseconds of one decision."""
    connection = Connection(parse_ip(address), None, tls, None)
    return microseconds(lambda: rule.decide(connection, envelope, MessageFacts()), rounds)


def batch(bench: Bench, lines: int) -> None:
    """Time `check --batch` as a process."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lines.jsonl"
        path.write_text("".join(json.dumps(question(n)) + "\n" for n in range(lines)), encoding="utf-8")
        check = [sys.executable, "-m", "sidedoor.cli.main", "check", "--tenant", str(TENANT), "--batch", str(path)]
        floor = statistics.median(process([sys.executable, "-c", BARE_LOOP], path, lines) for _ in range(3))
        taken = statistics.median(process(check, path, lines) for _ in range(3))
    bench.tell(f"check --batch, {lines:,} lines", taken, "s", ("bare JSON loop", floor), goal="check-batch")


def question(number: int) -> dict[str, object]:
    """A question that differs from its neighbours in address and names."""
    return {
        "id": number,
        "client_ip": f"192.0.{number % 250}.{number % 199}",
        "helo": "mfp",
        "tls": {"version": "TLS1.3", "client_certificate": {"subject_cn": None, "dns_names": [f"h{number}.example"]}},
        "mail_from": f"a{number}@{'contoso.com' if number % 2 else 'shop.example'}",
        "rcpt_to": [f"b{number}@contoso.com"],
    }


def process(command: list[str], lines: Path, expected: int) -> float:
    """Seconds of one process over the file; its output must have a line for each."""
    with lines.open("rb") as stream:
        start = time.perf_counter()
        done = subprocess.run(command, stdin=stream, check=True, capture_output=True)
        taken = time.perf_counter() - start
    assert done.stdout.count(b"\n") == expected
    return taken


def main() -> int:
    """Both parts."""
    bench = Bench(__file__, __doc__)
    bench.size("--lines", 10_000, quick=2_000)
    asked = bench.options()
    decisions(bench)
    batch(bench, asked.lines)
    return bench.end()


if __name__ == "__main__":
    sys.exit(main())
