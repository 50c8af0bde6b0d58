"""The flow reduction by each engine: DuckDB through Ibis against SQL by hand, Spark against DuckDB.

    python benchmarks/engines.py [--rows 10000000] [--flows 200] [--pairs 3] [--master local[2]]

Every figure is of a fresh process: the seconds between an engine that has started and flows at hand, by the process
itself. Prints what starting costs apart, the ratios pair by pair, and seconds a million rows. Wanted: at most 1.1 and
3. A machine without Java leaves Spark out.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import duckdb

from audit_scale import TENANT
from sidedoor.audit.engine.records import RECORD, SOURCE

GIVEN = {
    "key": "printf('%08x-1b62-4d07-db4f-%012x', i, (hash(i) % 281474976710656)::BIGINT)",
    "received_at": "TIMESTAMP '2026-09-01' + INTERVAL (i * 400) MILLISECOND",
    "recipient": "'person' || (hash(i * 7) % 5000) || '@contoso.com'",
    "listed_sender": "CASE WHEN own THEN 'scan' || (f % 50) || '@contoso.com' "
    "ELSE 'user' || (i % 97) || '@dom' || f || '.example' END",
    "client_ip": "((f * 7919) % 199 + 11) || '.' || ((f // 62500) % 256) || '.' || "
    "((f // 250) % 250) || '.' || (f % 250)",
    "treatment": "CASE WHEN hash(i * 3) % 20 = 0 THEN 'junked' ELSE 'delivered' END",
    "source": "'trace.csv'",
    "format": "'message-trace-v2'",
}
ONE = """
import json, resource, sys, time
from pathlib import Path
began = time.perf_counter()
what, place, tenant, scratch = sys.argv[1:]
place, tenant, scratch = Path(place), Path(tenant), Path(scratch)
from sidedoor.audit.classes import classes_of
from sidedoor.evidence.tenant_files import read_tenant
from sidedoor.policy.rule import compile_rule
from sidedoor.policy.switches import DEFAULT_SWITCHES
snapshot = read_tenant(sorted(tenant.iterdir())).snapshot
rule, classes = compile_rule(snapshot, DEFAULT_SWITCHES), classes_of(snapshot)
def told(messages, flows, recipients, started):
    used = resource.getrusage(resource.RUSAGE_SELF)
    ended = time.perf_counter()
    print(json.dumps({"messages": messages, "flows": flows, "start": started - began, "seconds": ended - started,
                      "recipients": recipients, "peak": used.ru_maxrss // 1024, "cpu": used.ru_utime + used.ru_stime}))
if what == "hand":
    from sidedoor.audit.engine.database import open_database
    from engines_by_hand import reduce_by_hand
    with open_database(scratch) as database:
        started = time.perf_counter()
        told(*reduce_by_hand(database, rule, classes, place), started)
else:
    from sidedoor.audit.engine.portable.open import open_engine
    from sidedoor.audit.engine.portable.reduce import reduced
    with open_engine(what, scratch, str(scratch / "place")) as store:
        from sidedoor.audit.engine.portable.stored import records_of
        if what != "duckdb":
            store.rows(records_of(store, str(place)).limit(1))  # the JVM has started, and Spark has run something
        started = time.perf_counter()
        _, seen = reduced(store, records_of(store, str(place)), None, rule, classes)
        recipients = sum(flow.distinct_recipients for flow in seen.flows)
        told(sum(tally.messages for tally in seen.tallies), len(seen.flows), recipients, started)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--flows", type=int, default=200, help="Devices that send in the tenant's name.")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--master", default="local[2]", help="Of Spark; empty for none.")
    parser.add_argument("--place", type=Path, help="Records made by an earlier run, kept; made where there are none.")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="engines-") as name:
        folder = Path(name)
        (folder / "tenant").mkdir()
        for file, content in TENANT.items():
            (folder / "tenant" / file).write_text(json.dumps(content))
        place = asked.place or folder / "records"
        if not place.exists():
            make(place, asked.rows, asked.flows)
        compare(folder, place, asked.pairs, f"spark:{asked.master}" if asked.master and shutil.which("java") else "")


def make(place: Path, rows: int, flows: int) -> None:
    """Records of one message trace, in eight files, as `Store.normalise` would write them."""
    columns = ", ".join(f"{GIVEN.get(name, 'NULL::VARCHAR')} AS {name}" for name in RECORD)
    (place / "kind=record").mkdir(parents=True)
    (place / "kind=source").mkdir()
    for part in range(8):
        first, last = rows * part // 8, rows * (part + 1) // 8
        duckdb.sql(
            f"COPY (SELECT {columns} FROM (SELECT i, i % 10 = 0 AS own, (CASE WHEN i % 10 = 0 THEN hash(i) % {flows} "
            f"ELSE hash(i * 13) % 5000 END)::BIGINT AS f FROM range({first}, {last}) t(i))) "
            f"TO '{place}/kind=record/part-{part}.parquet' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"
        )
    counts = {"number": "0", "inputs": "1", "rows": str(rows), "rejected": "0", "records": str(rows), "expanded": "0"}
    given = counts | {"source": "'trace.csv'", "format": "'message-trace-v2'", "announces": "false"}
    about = ", ".join(f"{given.get(name, repr(''))} AS {name}" for name in SOURCE)
    duckdb.sql(f"COPY (SELECT {about}) TO '{place}/kind=source/part-0.parquet' (FORMAT parquet)")


def compare(folder: Path, place: Path, pairs: int, spark: str) -> None:
    """All three in turn, so that what else the machine does meets them alike."""
    ratios: dict[str, list[float]] = {"duckdb": [], "spark": []}
    for _ in range(max(1, pairs)):
        hand, ours = run("hand", folder, place), run("duckdb", folder, place)
        same(hand, ours)
        ratios["duckdb"].append(ours["seconds"] / hand["seconds"])
        line = f"by hand {hand['seconds']:.2f} s | DuckDB by Ibis {ours['seconds']:.2f} s, "
        line += f"RATIO {ratios['duckdb'][-1]:.2f}"
        if spark:
            theirs = run(spark, folder, place)
            same(ours, theirs)
            ratios["spark"].append(theirs["seconds"] / ours["seconds"])
            line += f" | Spark {theirs['seconds']:.2f} s (start {theirs['start']:.1f} s), "
            line += f"RATIO {ratios['spark'][-1]:.2f}"
        print(line, flush=True)
    million = ours["messages"] / 1e6
    print(f"{ours['messages']:,} messages, {ours['flows']:,} flows: the same from all, to the last count")
    print(f"DuckDB by Ibis: {ours['seconds'] / million:.3f} s a million rows, peak {ours['peak']:,} MB")
    print(f"RATIO DuckDB by Ibis / by hand: median {statistics.median(ratios['duckdb']):.2f} (wanted: at most 1.1)")
    if spark:
        print(f"RATIO {spark} / DuckDB by Ibis: median {statistics.median(ratios['spark']):.2f} (wanted: at most 3)")
    else:
        print("Spark: left out")


def run(what: str, folder: Path, place: Path) -> dict[str, Any]:
    """One engine in a process of its own."""
    process = subprocess.run(
        [sys.executable, "-c", ONE, what, str(place), str(folder / "tenant"), str(folder)],
        check=True, capture_output=True, text=True, cwd=Path(__file__).parent,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
    return found


def same(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Exits where two engines do not say the same."""
    for name in ("messages", "flows", "recipients"):
        if one[name] != other[name]:
            raise SystemExit(f"{name}: {one[name]:,} and {other[name]:,}")


if __name__ == "__main__":
    main()
