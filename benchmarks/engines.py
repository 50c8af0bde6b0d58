"""The flow reduction by each engine: DuckDB through Ibis against SQL by hand, Spark against DuckDB.

    python benchmarks/engines.py [--quick] [--rows 10000000] [--flows 200] [--pairs 3] [--master local[2]]

Every figure is of a fresh process: the seconds between an engine that has started and flows at hand, by the process
itself. Spark's start-up does not end with its session: it loads classes, plans and compiles some twenty queries, in
time that does not depend on the records. So the records are reduced thrice as many too, and what the further ones took
is what records cost; the rest is told apart, and so is the whole. A machine without Java leaves Spark out.
"""

from __future__ import annotations

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
from gather.form import Bench
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


def main() -> int:
    """Make records, reduce them by each engine in turn, tell."""
    bench = Bench(__file__, __doc__)
    bench.size("--rows", 10_000_000, quick=1_000_000)
    bench.size("--flows", 200, quick=200, text="devices that send in the tenant's name")
    bench.size("--pairs", 3, quick=1)
    bench.option("--master", default="local[2]", help="Of Spark; empty for none.")
    bench.option("--place", type=Path, help="Records made by an earlier run, kept; made where there are none.")
    asked = bench.options()
    with tempfile.TemporaryDirectory(prefix="engines-") as name:
        folder = Path(name)
        (folder / "tenant").mkdir()
        for file, content in TENANT.items():
            (folder / "tenant" / file).write_text(json.dumps(content))
        spark = f"spark:{asked.master}" if asked.master and shutil.which("java") else ""
        place = asked.place or folder / "records"
        thrice = place.with_name(f"{place.name}-thrice")
        for where, rows in ((place, asked.rows), *(((thrice, 3 * asked.rows),) if spark else ())):
            if not where.exists():
                make(where, rows, asked.flows)
        compare(Runs(folder, place, thrice), bench, asked.pairs, spark)
    return bench.end()


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


class Runs:
    """What the engines took. place: records; thrice: three times as many."""

    def __init__(self, folder: Path, place: Path, thrice: Path) -> None:
        self._folder, self.place, self.thrice = folder, place, thrice
        self.done: dict[tuple[str, Path], list[dict[str, Any]]] = {}

    def add(self, engine: str, place: Path) -> None:
        """One more run. Exits where it does not say what the first of these records said."""
        told = run(engine, self._folder, place)
        same(next((each[0] for (_, where), each in self.done.items() if where == place), told), told)
        self.done.setdefault((engine, place), []).append(told)

    def seconds(self, engine: str, place: Path | None = None) -> list[float]:
        """Of each run."""
        return [each["seconds"] for each in self.done[engine, place or self.place]]

    def of_records(self, engine: str) -> list[float]:
        """Of each run, without what does not depend on the records."""
        both = zip(self.seconds(engine), self.seconds(engine, self.thrice), strict=True)
        return [(more - less) / 2 for less, more in both]


def compare(runs: Runs, bench: Bench, pairs: int, spark: str) -> None:
    """All of them in turn, so that what else the machine does meets them alike."""
    for _ in range(max(1, pairs)):
        for engine in ("hand", "duckdb", *([spark] if spark else [])):
            runs.add(engine, runs.place)
        for engine in ("duckdb", spark) if spark else ():
            runs.add(engine, runs.thrice)
    last = runs.done["duckdb", runs.place][-1]
    million = last["messages"] / 1e6
    print(f"{last['messages']:,} messages, {last['flows']:,} flows: the same from all, to the last count", flush=True)
    hand, duckdb = runs.seconds("hand"), runs.seconds("duckdb")
    bench.tell_pairs("DuckDB through Ibis", duckdb, "s", "by hand", hand, goal="engines-ibis")
    bench.tell("DuckDB through Ibis: a million rows", statistics.median(duckdb) / million, "s")
    bench.tell("DuckDB through Ibis: peak memory", last["peak"], "MB")
    if not spark:
        bench.left_out("Spark", "no Java, or no --master")
        return
    tell_spark(runs, bench, spark, million)


def tell_spark(runs: Runs, bench: Bench, spark: str, million: float) -> None:
    """Beside DuckDB's whole time: its records apart from its start-up, and both together."""
    duckdb, whole, records = runs.seconds("duckdb"), runs.seconds(spark), runs.of_records(spark)
    bench.tell_pairs(f"{spark}, start-up apart", records, "s", "DuckDB", duckdb, goal="engines-spark")
    bench.tell_pairs(f"{spark}, with its start-up", whole, "s", "DuckDB", duckdb)
    further = [each / million for each in runs.of_records("duckdb")]
    bench.tell_pairs(f"{spark}: a further million rows", [each / million for each in records], "s", "DuckDB", further)
    starts = [each["start"] for each in runs.done[spark, runs.place]]
    bench.tell(f"{spark}: until there is a session", statistics.median(starts), "s")
    apart = statistics.median(all_ - some for all_, some in zip(whole, records, strict=True))
    bench.tell(f"{spark}: then, whatever the records", apart, "s")


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
    sys.exit(main())
