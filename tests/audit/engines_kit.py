"""What the tests of engines share: Spark or a reason to skip, records at random, reports side by side."""

from __future__ import annotations

import csv
import json
import os
import random
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sidedoor.audit.engine.records import RECORD, SOURCE
from sidedoor.cli.main import main

needs_spark = pytest.mark.skipif(
    not (shutil.which("java") and find_spec("pyspark")),
    reason="Spark needs Java and PySpark: apt-get install default-jre-headless, pip install 'sidedoor[spark]'",
)
SPARK = "spark:local[2]"
# The few rows of a test are not worth the JVM's optimising compiler, which would take half of the time; nor is it worth
# a look at the classes of Spark at every start.
_FEW_ROWS = "-XX:TieredStopAtLevel=1 -XX:+UnlockDiagnosticVMOptions -XX:-BytecodeVerificationRemote"
os.environ.setdefault("JDK_JAVA_OPTIONS", _FEW_ROWS)
_ARROW = {
    "string": pa.string(), "int32": pa.int32(), "int64": pa.int64(), "boolean": pa.bool_(),
    "timestamp(6)": pa.timestamp("us"),
}  # fmt: skip
FORMATS = (
    "message-trace-v2", "historical-enhanced", "historical-extended", "email-events", "trace-detail-v2",
    "connector-report", "message", "tracking-log", "graph-message-trace",
)  # fmt: skip
_ADDRESSES = (
    "printer@northwind.example", "anna@northwind.example", "ben@sub.northwind.example", "news@mailer.example",
    "x@partner.example", "y@below.partner.example", "@northwind.example", "no-at-sign", "ä@bücher.example",
    "a@b@northwind.example", "",
)  # fmt: skip
_WORDS: Mapping[str, Sequence[str]] = {
    "client_ip": ("203.0.113.10", "203.0.113.11", "198.51.100.7", "2001:db8::1", "2001:db8:1::9", "10.0.0.1", ""),
    "helo": ("mfp.northwind.example", "mail.example", ""),
    "tls": ("none", "TLS1.2", "TLS1.3", ""),
    "connector": ("Branch", "Partner", ""),
    "direction": ("incoming", "originating", "intra-org", "outbound"),
    "spf": ("pass", "fail", "none", ""),
    "dkim": ("pass", "fail", ""),
    "dmarc": ("pass", "fail", "bestguesspass", ""),
    "compauth": ("pass", "fail", ""),
    "compauth_reason": ("000", "100", ""),
    "treatment": ("delivered", "junked", "quarantined", "failed", "replaced", "an-unheard-of-word"),
    "entry": ("direct-send", "onpremises", "authenticated", "anonymous", "relayed"),
    "mailer": ("Scan 1.0", ""),
    "dkim_domain": ("northwind.example", "mailer.example", ""),
}


def audited(out: Path, *arguments: object) -> dict[str, Any]:
    """report.json of an audit that must succeed; what is of the moment is left out."""
    assert main(["audit", *map(str, arguments), "--offline", "--quiet", "-o", str(out)]) == 0
    report: dict[str, Any] = json.loads((out / "report.json").read_text("utf-8"))
    del report["generated_at"]
    return report


def rejected(out: Path) -> list[list[str]]:
    """rejected_rows.csv."""
    with (out / "rejected_rows.csv").open(encoding="utf-8-sig", newline="") as file:
        return sorted(csv.reader(file))


def random_records(seed: int, rows: int) -> list[dict[str, Any]]:
    """Records that meet each other in every way: doubled, split over formats, without time, recipient or sender."""
    dice = random.Random(seed)
    sources = [f"{name}-{number}.csv" for name in FORMATS for number in range(dice.choice((1, 1, 2)))]
    return [_record(dice, dice.randrange(max(1, rows // 2)), dice.choice(sources)) for _ in range(rows)]


def _record(dice: random.Random, message: int, source: str) -> dict[str, Any]:
    form = source.rpartition("-")[0]
    row: dict[str, Any] = dict.fromkeys(RECORD)
    row |= {"source": source, "format": form, "tenant_id": None, "key": f"m{message:06d}"}
    if dice.random() < 0.95:
        when = timedelta(seconds=dice.randrange(5 * 86_400), microseconds=dice.randrange(10**6))
        row["received_at"] = datetime(2026, 11, 1) + when  # noqa: DTZ001  # as Parquet gives it
    if form != "trace-detail-v2" and dice.random() < 0.97:
        row["recipient"] = dice.choice(_ADDRESSES[:6])
    row[dice.choice(("envelope_sender", "listed_sender"))] = dice.choice((*_ADDRESSES, "<>"))
    if dice.random() < 0.6:
        row["header_from"] = dice.choice(_ADDRESSES)
    for fact, words in _WORDS.items():
        if dice.random() < 0.5:
            row[fact] = dice.choice(words)
    return row


def write_place(place: Path, rows: Sequence[Mapping[str, Any]], parts: int = 3) -> Path:
    """Records as an engine writes them."""
    counts = Counter((row["source"], row["format"]) for row in rows)
    schema = pa.schema([(name, _ARROW[kind]) for name, kind in RECORD.items()])
    (place / "kind=record").mkdir(parents=True)
    for part in range(parts):
        chosen = pa.Table.from_pylist(list(rows[part::parts]), schema)
        pq.write_table(chosen, place / "kind=record" / f"part-{part}.parquet")
    about = [
        dict.fromkeys(SOURCE, "")
        | {"source": source, "format": form, "number": number, "inputs": len(counts), "rows": count, "records": count}
        | {"rejected": 0, "expanded": 0, "announces": False}
        for number, ((source, form), count) in enumerate(sorted(counts.items()))
    ]
    (place / "kind=source").mkdir()
    schema = pa.schema([(name, _ARROW[kind]) for name, kind in SOURCE.items()])
    pq.write_table(pa.Table.from_pylist(about, schema), place / "kind=source" / "part-0.parquet")
    return place
