"""Adding a day to a long history, against the same day alone.

    python benchmarks/history.py [--quick] [--rows 1000000] [--days 90] [--pairs 3]

Makes a history of so many days of so many rows (parts are made directly, days are derived as ever), then adds one more
day's CSV export: reading it, deriving it, and telling all senders anew. The floor is the same CSV added to an empty
history. Each is a whole process.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

import duckdb

from audit_scale import TENANT
from gather.form import Bench

ROWS = """
SELECT printf('%08x-1b62-4d07-{day:04x}-%012x', i, (hash(i) % 281474976710656)::BIGINT) AS key,
  TIMESTAMP '{date}' + INTERVAL (i * 86400000 // {rows}) MILLISECOND AS received_at,
  CASE WHEN f < 200 THEN 'scan' || (f % 50) || '@contoso.com' ELSE 'user' || (i % 97) || '@dom' || f || '.example' END
    AS sender,
  'person' || (hash(i * 7) % 5000) || '@contoso.com' AS recipient,
  ((f * 7919) % 199 + 11) || '.' || ((f // 62500) % 256) || '.' || ((f // 250) % 250) || '.' || (f % 250) AS client_ip
FROM (SELECT i, (CASE WHEN i % 10 = 0 THEN hash(i) % 200 ELSE hash(i * 13) % 5000 END)::BIGINT AS f
      FROM range({rows}) t(i))
"""
ADD = """
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from sidedoor.audit.answer import Beside
from sidedoor.audit.classes import classes_of
from sidedoor.audit.discover import discover
from sidedoor.audit.history import History
from sidedoor.audit.run import AuditOptions, Silent, reports_of
from sidedoor.evidence.tenant_files import read_tenant
from sidedoor.mailauth.facts import gather
from sidedoor.mailauth.resolver import Offline
folder, out, *inputs = map(Path, sys.argv[1:])
found = discover(inputs)
tenant = read_tenant(found.settings)
options = AuditOptions(resolver=Offline(), now=datetime.now(UTC))
history = History(folder, classes_of(tenant.snapshot), options)
history.add(found)
history.settle()
reported = reports_of(found, lambda *_: None, Silent())
dns = gather([], Offline())
out.mkdir(exist_ok=True)
print(history.assess(found, Beside(tenant.snapshot, dns, reported, ()), out).audit.coverage.messages, flush=True)
"""


def main() -> int:
    """Make the history, then time both in pairs."""
    bench = Bench(__file__, __doc__)
    bench.size("--rows", 1_000_000, quick=100_000)
    bench.size("--days", 90, quick=15)
    bench.size("--pairs", 3, quick=1)
    asked = bench.options()
    with tempfile.TemporaryDirectory(prefix="history-") as scratch:
        folder = Path(scratch)
        settings = [folder / name for name in TENANT]
        for path in settings:
            path.write_text(json.dumps(TENANT[path.name]))
        day = _csv(folder / "day.csv", asked.days + 1, asked.rows)
        started = time.perf_counter()
        _long(folder / "long", asked.days, asked.rows)
        _run(folder / "long", folder, settings)
        print(f"made and derived in {time.perf_counter() - started:.0f} s", flush=True)
        alone, long = [], []
        for _ in range(asked.pairs):
            shutil.rmtree(folder / "alone", ignore_errors=True)
            alone.append(_run(folder / "alone", folder, [*settings, day]))
            long.append(_run(folder / "long", folder, [*settings, day]))
            _without_day(folder / "long", asked.days + 1)
    bench.tell_pairs(f"a day added to {asked.days} days", long, "s", "the day alone", alone, goal="history-day")
    return bench.end()


def _date(day: int) -> str:
    return (date(2026, 8, 1) + timedelta(days=day)).isoformat()


def _rows(day: int, rows: int) -> str:
    return ROWS.format(day=day, date=_date(day), rows=rows)


def _csv(path: Path, day: int, rows: int) -> Path:
    duckdb.sql(
        "COPY (SELECT key AS \"MessageTraceId\", '<' || key || '@mail.example>' AS \"MessageId\", "
        "strftime(received_at, '%Y-%m-%dT%H:%M:%S.%f') || '0Z' AS \"Received\", sender AS \"SenderAddress\", "
        'recipient AS "RecipientAddress", client_ip AS "FromIP", \'\' AS "ToIP", \'Some subject\' AS "Subject", '
        f"'Delivered' AS \"Status\", 1000 AS \"Size\" FROM ({_rows(day, rows)})) TO '{path}' (HEADER, FORCE_QUOTE *)"
    )
    return path


def _long(history: Path, days: int, rows: int) -> None:
    """The parts of a long history, as `History.add` would write them."""
    from sidedoor.audit.engine.days import KEPT

    given = {"key": "key", "received_at": "received_at", "listed_sender": "sender", "recipient": "recipient",
             "client_ip": "client_ip", "treatment": "'delivered'"}  # fmt: skip
    columns = ", ".join(f"{given.get(name, 'NULL::VARCHAR')} AS {name}" for name in KEPT)
    for day in range(1, days + 1):
        folder = history / _date(day)
        folder.mkdir(parents=True)
        duckdb.sql(
            f"COPY (SELECT {columns} FROM ({_rows(day, rows)})) TO '{folder}/{day:016x}.message-trace-v2.part.parquet' "
            "(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"
        )


def _run(history: Path, folder: Path, inputs: list[Path]) -> float:
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", ADD, str(history), str(folder / "out"), *map(str, inputs)],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return time.perf_counter() - started


def _without_day(history: Path, day: int) -> None:
    shutil.rmtree(history / _date(day))
    for note in (history / "sources").glob("*"):
        note.unlink()


if __name__ == "__main__":
    sys.exit(main())
