"""Audit of large message traces against what DuckDB alone needs to turn the same CSV into zstd Parquet (the floor).

    python benchmarks/audit_scale.py [--quick] [--rows 10000000] [--pairs 3]

Tells the audit beside the floor, their ratio pair by pair, peak memory, and a plain `csv.DictReader` loop that only
counts (FromIP, domain, status), at the rows and at a tenth of them; then, one pair each, with 100 thousand and a
million distinct flows. Every figure is of a whole process; run it on a quiet machine.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gather.form import Bench

FLOWS = 5_000
# MessageTraceV2 as Export-Csv writes it, about 250 bytes a row; a tenth comes from 200 own-domain devices.
GENERATE = """
import duckdb, sys
rows, flows, out = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
duckdb.connect().execute(f'''
COPY (SELECT
  printf('%08x-1b62-4d07-db4f-%012x', i, (hash(i) % 281474976710656)::BIGINT) AS "MessageTraceId",
  '<20261103.' || i || '.abcdefgh' || (hash(i) % 100000000) || '@mail.example.com>' AS "MessageId",
  strftime(TIMESTAMP '2026-09-01' + INTERVAL (i * 400) MILLISECOND, '%Y-%m-%dT%H:%M:%S.%f') || '0Z' AS "Received",
  CASE WHEN f < 200 THEN 'scan' || (f % 50) || '@contoso.com' ELSE 'user' || (i % 97) || '@dom' || f || '.example' END
    AS "SenderAddress",
  'person' || (hash(i * 7) % 5000) || '@contoso.com' AS "RecipientAddress",
  ((f * 7919) % 199 + 11) || '.' || ((f // 62500) % 256) || '.' || ((f // 250) % 250) || '.' || (f % 250) AS "FromIP",
  '' AS "ToIP", 'Subject number ' || i || ' with some words, and commas' AS "Subject",
  CASE WHEN hash(i * 3) % 20 = 0 THEN 'FilteredAsSpam' ELSE 'Delivered' END AS "Status",
  (hash(i) % 100000)::INTEGER AS "Size"
FROM (SELECT i, (CASE WHEN i % 10 = 0 THEN hash(i) % 200 ELSE hash(i * 13) % {flows} END)::BIGINT AS f
      FROM range({rows}) t(i))) TO '{out}' (HEADER, FORCE_QUOTE *)
''')
"""
FLOOR = """
import duckdb, sys
source, out = sys.argv[1:]
duckdb.sql(f"COPY (SELECT * FROM read_csv('{source}')) TO '{out}' (FORMAT parquet, COMPRESSION zstd)")
"""
DICT_READER = """
import collections, csv, sys
counts = collections.Counter()
with open(sys.argv[1], newline="") as file:
    for row in csv.DictReader(file):
        counts[row["FromIP"], row["SenderAddress"].rpartition("@")[2], row["Status"]] += 1
print(len(counts))
"""
TENANT = {
    "OrganizationConfig.json": {"Name": "contoso.onmicrosoft.com", "RejectDirectSend": False},
    "AcceptedDomain.json": [{"DomainName": "contoso.com", "DomainType": "Authoritative", "MatchSubDomains": False}],
    "InboundConnector.json": [
        {
            "Name": "Branch", "ConnectorType": "Partner", "Enabled": True, "SenderDomains": ["smtp:*;1"],
            "SenderIPAddresses": ["11.0.0.0/25"], "TlsSenderCertificateName": None, "RequireTls": False,
            "RestrictDomainsToIPAddresses": False, "RestrictDomainsToCertificate": False,
        }
    ],
}  # fmt: skip


def timed(*command: str) -> tuple[float, int]:
    """Wall seconds and peak memory in MB of a whole process."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)[:200]} failed")
    return time.perf_counter() - started, usage.ru_maxrss // 1024


def python(code: str, *arguments: str) -> tuple[float, int]:
    """`timed` for a snippet."""
    return timed(sys.executable, "-c", code, *arguments)


def compare(bench: Bench, folder: Path, rows: int, flows: int, pairs: int) -> tuple[Path, float]:
    """Tells the audit of so many rows and its memory; returns the file and the audit's median time."""
    source = folder / f"trace-{rows}-{flows}.csv"
    python(GENERATE, str(rows), str(flows), str(source))
    floors, audits, peak = [], [], 0
    for _ in range(pairs):
        floors.append(python(FLOOR, str(source), str(folder / "floor.parquet"))[0])
        seconds, memory = timed(
            sys.executable, "-m", "sidedoor.cli.main", "audit", str(source), "--tenant", str(folder / "tenant"),
            "--offline", "--quiet", "-o", str(folder / "out"),
        )  # fmt: skip
        audits.append(seconds)
        peak = max(peak, memory)
    what, goal = f"{rows:,} rows, {flows:,} flows", "audit-floor" if rows == bench.asked["rows"] else ""
    bench.tell_pairs(what, audits, "s", "DuckDB to Parquet", floors, goal=goal)
    bench.tell(f"{what}: peak", peak, "MB", goal="audit-memory")
    return source, statistics.median(audits)


def main() -> int:
    """A tenth of the rows, the rows, and the rows with more flows."""
    bench = Bench(__file__, __doc__)
    bench.size("--rows", 10_000_000, quick=1_000_000)
    bench.size("--pairs", 3, quick=1)
    asked = bench.options()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "tenant").mkdir()
        for file, content in TENANT.items():
            (folder / "tenant" / file).write_text(json.dumps(content))
        source, small = compare(bench, folder, asked.rows // 10, FLOWS, asked.pairs)
        source.unlink()
        source, large = compare(bench, folder, asked.rows, FLOWS, asked.pairs)
        bench.tell("the rows", large, "s", ("10 times a tenth", 10 * small), goal="audit-growth")
        loop = python(DICT_READER, str(source))[0]
        bench.tell("the rows", large, "s", ("csv.DictReader loop", loop), goal="audit-dict-reader")
        source.unlink()
        for flows in (100_000, 1_000_000):
            compare(bench, folder, asked.rows, flows, 1)[0].unlink()
    return bench.end()


if __name__ == "__main__":
    sys.exit(main())
