"""A plan for 5,000 senders and 500 connectors: choices, connectors and the replay of a large history's flows.

    python benchmarks/plan.py [--senders 5000] [--connectors 500] [--days 30]

Makes a history of a message a day from each sender, audits it, and plans it. Printed is the time of planning alone,
with its ratio to DuckDB reading and grouping the same messages.parquet, the floor. Exits with 1 beyond 5 s.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import duckdb

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.audit.audit_kit import connector
from tests.plan.plan_kit import mails, planned, report

LIMIT = 5.0


def address(number: int) -> str:
    """One address for each sender, each in a network of its own, so that they stay apart."""
    return f"{11 + (number >> 16)}.{number >> 8 & 255}.{number & 255}.{7 + 2 * (number % 100)}"


def main() -> int:
    """Make, plan, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--senders", type=int, default=5_000)
    parser.add_argument("--connectors", type=int, default=500)
    parser.add_argument("--days", type=int, default=30)
    given = parser.parse_args()
    rows = [
        row
        for number in range(given.senders)
        for row in mails(number * given.days, address(number), f"device{number}@northwind.example", days=given.days)
    ]
    connectors = [
        connector(f"Partner {number}", SenderDomains=[f"smtp:partner{number}.example;1"],
                  SenderIPAddresses=[f"198.18.{number >> 8}.{number & 255}"], RestrictDomainsToIPAddresses=True)
        for number in range(given.connectors)
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        out = report(Path(folder), rows, connectors=connectors)
        started = time.perf_counter()
        made = planned(out).plan
        seconds = time.perf_counter() - started
        started = time.perf_counter()
        query = "SELECT sender_id, client_ip, count(*) FROM read_parquet(?) GROUP BY ALL"
        groups = len(duckdb.execute(query, [str(out / "messages.parquet")]).fetchall())
        floor = time.perf_counter() - started
    print(f"{len(made.choices):,} senders, {given.connectors:,} connectors, {len(rows):,} messages, {groups:,} groups")
    print(f"  planned in {seconds:.2f} s, ready: {made.ready}, limit {LIMIT:.0f} s")
    print(f"  DuckDB grouping alone {floor:.2f} s   RATIO {seconds / floor:.1f}")
    return int(seconds > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
