"""A plan for 5,000 senders and 500 connectors over ten million messages: choices, connectors and the replay.

    python benchmarks/plan.py [--quick] [--senders 5000] [--connectors 500] [--messages 10000000]

Audits a month of a message a day from each sender, then lays the other messages of a large tenant beside it in the
same messages.parquet: the senders' mail nine times more, and mail of the internet from 60,000 domains. Told is the time
of planning alone and of the whole command with its 5,000 letters, beside DuckDB reading and grouping the same file, the
floor.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.audit.audit_kit import connector
from tests.plan.plan_kit import mails, planned, report

from gather.form import Bench
from sidedoor.cli.main import main as sidedoor

DAYS, TIMES = 30, 10
# What is different in a message of the internet, of which `range` is the number.
INTERNET = {
    "network_message_id": "'n' || range",
    "received_at": "TIMESTAMP '2026-10-01' + to_seconds((range % 2500000)::BIGINT)",
    "envelope_sender": "'u' || (range % 97) || '@d' || (range % 60000) || '.example'",
    "header_from": "'u' || (range % 97) || '@d' || (range % 60000) || '.example'",
    "recipient": "'user' || (range % 5000) || '@northwind.example'",
    "client_ip": "(range % 200 + 12) || '.' || (range % 251) || '.' || (range % 241) || '.' || (range % 239)",
    "sender_id": "NULL", "assessment": "NULL", "submission": "'internet'", "would_reject": "false",
}  # fmt: skip
AGAIN = {
    "network_message_id": "network_message_id || range",
    "received_at": "received_at + to_minutes((range * 7)::BIGINT)",
    "recipient": "'user' || (range % 5000) || '@northwind.example'",
}


def address(number: int) -> str:
    """One address for each sender, each in a network of its own, so that they stay apart."""
    return f"{11 + (number >> 16)}.{number >> 8 & 255}.{number & 255}.{7 + 2 * (number % 100)}"


def audited(folder: Path, senders: int, connectors: int) -> Path:
    """The report of a month."""
    rows = [
        row
        for number in range(senders)
        for row in mails(number * DAYS, address(number), f"device{number}@northwind.example", days=DAYS)
    ]
    partners = [
        connector(f"Partner {number}", SenderDomains=[f"smtp:partner{number}.example;1"],
                  SenderIPAddresses=[f"198.18.{number >> 8}.{number & 255}"], RestrictDomainsToIPAddresses=True)
        for number in range(connectors)
    ]  # fmt: skip
    return report(folder, rows, connectors=partners)


def enlarge(folder: Path, messages: int) -> int:
    """Make the history as large as asked, and let report.json say so; how many messages it has."""
    small, large = folder / "messages.parquet", folder / "large.parquet"
    body: dict[str, Any] = json.loads((folder / "report.json").read_text("ascii"))
    for sender in body["senders"]:
        sender["messages"] *= TIMES
        sender["would_reject_messages"] *= TIMES
    (folder / "report.json").write_text(json.dumps(body), "ascii")
    rest = max(messages - sum(sender["messages"] for sender in body["senders"]), 0)
    with duckdb.connect(":memory:") as base:
        names = [row[0] for row in base.execute(f"DESCRIBE SELECT * FROM '{small}'").fetchall()]
        again = ", ".join(f"{AGAIN.get(name, name)} AS {name}" for name in names)
        others = ", ".join(f"{INTERNET.get(name, name)} AS {name}" for name in names)
        base.execute(
            f"COPY (SELECT {again} FROM '{small}', range({TIMES}) UNION ALL "
            f"SELECT {others} FROM (SELECT * FROM '{small}' LIMIT 1), range({rest})) TO '{large}' (FORMAT parquet)"
        )
        found = base.execute(f"SELECT count(*) FROM '{large}'").fetchone()
    large.replace(small)
    assert found is not None
    return int(found[0])


def main() -> int:
    """Make, plan, tell."""
    bench = Bench(__file__, __doc__)
    bench.size("--senders", 5_000, quick=1_000)
    bench.size("--connectors", 500, quick=100)
    bench.size("--messages", 10_000_000, quick=1_000_000)
    given = bench.options()
    with tempfile.TemporaryDirectory() as folder:
        out = audited(Path(folder), given.senders, given.connectors)
        messages = enlarge(out, given.messages)
        started = time.perf_counter()
        made = planned(out).plan
        seconds = time.perf_counter() - started
        started = time.perf_counter()
        sidedoor(["plan", str(out), "--quiet"])
        whole = time.perf_counter() - started
        started = time.perf_counter()
        query = "SELECT sender_id, client_ip, count(*) FROM read_parquet(?) WHERE sender_id IS NOT NULL GROUP BY ALL"
        groups = len(duckdb.execute(query, [str(out / "messages.parquet")]).fetchall())
        floor = time.perf_counter() - started
    print(f"{len(made.choices):,} choices, {messages:,} messages, {groups:,} groups, ready: {made.ready}", flush=True)
    bench.tell("planned", seconds, "s", ("DuckDB grouping", floor), goal="plan")
    bench.tell("the whole command, with its letters", whole, "s", ("DuckDB grouping", floor))
    return bench.end()


if __name__ == "__main__":
    sys.exit(main())
