"""What the milter costs Postfix: messages a second into one that throws them away, without and with the milter.

    python benchmarks/milter.py [--quick] [--messages 3000] [--rounds 3]

Load by Postfix's smtp-source: 2 KB messages, 20 connections, one message each and ten. The servers take turns, and
medians of the rounds are told beside Postfix alone, on the same cores that the milter and smtp-source have. Needs root,
because Postfix does; left out, and said so, without.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.audit.audit_kit import accepted_domain, connector, write_settings
from tests.edge.postfix import MISSING, Postfix

from gather.form import Bench
from gather.ports import free_port

CONNECTIONS, SIZE, PER_CONNECTION = 20, 2_000, (1, 10)
MAIN_CF = """
relay_transport = discard:
smtpd_relay_restrictions = reject_unauth_destination
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
milter_default_action = tempfail
"""
RULES = [
    {"Name": "Tag", "Priority": 0, "State": "Enabled", "Mode": "Enforce", "SubjectContainsWords": ["invoice"],
     "PrependSubject": "[?] "},
    {"Name": "Hold", "Priority": 1, "State": "Enabled", "Mode": "Enforce", "SubjectOrBodyContainsWords": ["bitcoin"],
     "Quarantine": True},
]  # fmt: skip


@contextmanager
def milter(folder: Path, rules: list[dict[str, object]]) -> Iterator[str]:
    """The command as a process, with 100 connectors and RejectDirectSend on; gives the line for main.cf."""
    port = free_port()
    tenant = folder / f"tenant-{port}"
    printers = [connector(f"C{n}", SenderIPAddresses=[f"198.51.100.{n}"]) for n in range(1, 101)]
    write_settings(tenant, [accepted_domain("contoso.example", Default=True)], printers, reject_direct_send=True)
    (tenant / "TransportRule.json").write_text(json.dumps(rules))
    command = [sys.executable, "-m", "sidedoor", "milter", "--tenant", str(tenant), "--listen", f"127.0.0.1:{port}",
               "--log", str(folder / f"{port}.jsonl")]  # fmt: skip
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(port)
            yield f"smtpd_milters = inet:127.0.0.1:{port}\n"
        finally:
            process.terminate()


def wait_for(port: int) -> None:
    """Until somebody listens."""
    for _ in range(400):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise SystemExit(f"nobody listens on port {port}")


def rate(port: int, messages: int, each: int) -> float:
    """Messages a second by smtp-source, from outside the tenant to inside."""
    command = ["smtp-source", "-s", str(CONNECTIONS), "-l", str(SIZE), "-f", "app@far.example", "-t",
               "desk@contoso.example", "-m"]  # fmt: skip
    # smtp-source has no count for a connection; -d keeps them to the end, so runs of `each` a connection are made.
    one = messages if each == 1 else CONNECTIONS * each
    command += [str(one), *(["-d"] if each > 1 else []), f"127.0.0.1:{port}"]
    runs = max(1, messages // one)
    started = time.perf_counter()
    for _ in range(runs):
        subprocess.run(command, check=True, capture_output=True)
    return runs * one / (time.perf_counter() - started)


@contextmanager
def line_for(folder: Path, kind: str) -> Iterator[str]:
    """The further line of main.cf for a row of the table."""
    if kind == "Postfix alone":
        yield ""
        return
    with milter(folder, RULES if kind == "with transport rules" else []) as line:
        yield line


def measure(folder: Path, messages: int, rounds: int) -> dict[str, dict[int, list[float]]]:
    """Rates by kind and messages a connection, one each round, in which every kind has its turn."""
    kinds = ("Postfix alone", "with the milter", "with transport rules")
    rates: dict[str, dict[int, list[float]]] = {kind: {each: [] for each in PER_CONNECTION} for kind in kinds}
    for number in range(rounds):
        for at, kind in enumerate(kinds):
            with line_for(folder, kind) as line, Postfix(folder / f"p{number}{at}", MAIN_CF + line) as postfix:
                rate(postfix.port, 200, 1)  # to warm up
                for each in PER_CONNECTION:
                    rates[kind][each].append(rate(postfix.port, messages, each))
    return rates


def main() -> int:
    """Measure and tell."""
    bench = Bench(__file__, __doc__)
    bench.size("--messages", 3_000, quick=1_000)
    bench.size("--rounds", 3, quick=1)
    wanted = bench.options()
    if MISSING:
        bench.left_out("everything", MISSING)
        return bench.end()
    with tempfile.TemporaryDirectory(prefix="sd-") as name:
        Path(name).chmod(0o755)
        found = measure(Path(name), wanted.messages, wanted.rounds)
    alone = found.pop("Postfix alone")
    for kind, rates in found.items():
        for each in PER_CONNECTION:
            goal = "milter" if kind == "with the milter" else ""
            bench.tell_pairs(f"{kind}, {each} a connection", rates[each], "/s", "Postfix alone", alone[each], goal=goal)
    return bench.end()


if __name__ == "__main__":
    sys.exit(main())
