"""What is kept of a day lies in Parquet as its readers expect it: a wider sum of DuckDB's would be a float there."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from sidedoor.audit.classes import classes_of
from sidedoor.audit.discover import discover
from sidedoor.audit.engine import derive
from sidedoor.audit.history import History
from sidedoor.audit.run import AuditOptions
from sidedoor.demo.make import make
from sidedoor.demo.traffic import Plan
from sidedoor.evidence.tenant_files import read_tenant
from sidedoor.mailauth.zonefile import read_zones

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
WHOLE = {"BIGINT", "INTEGER", "SMALLINT", "TINYINT"}
TYPES = {
    "string": {"VARCHAR"}, "int64": WHOLE, "int16": WHOLE, "int8": WHOLE, "uint64": {"UBIGINT"},
    "boolean": {"BOOLEAN"}, "date": {"DATE"}, "timestamp(6)": {"TIMESTAMP"},
}  # fmt: skip


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("derive")
    make(root / "demo", Plan(rows=400, days=3, seed=5, domain="contoso.com", end=datetime(2026, 11, 20, tzinfo=UTC)))
    found = discover([root / "demo"])
    options = AuditOptions(resolver=read_zones(sorted((root / "demo" / "zones").iterdir())), now=NOW)
    one = History(root / "history", classes_of(read_tenant(found.settings).snapshot), options)
    one.add(found)
    one.settle()
    return root / "history"


@pytest.mark.parametrize("name", derive._KEPT)
def test_every_kept_column_has_its_type(name: str, history: Path) -> None:
    days = [day / f"{name}.parquet" for day in history.iterdir() if (day / f"{name}.parquet").exists()]
    assert len(days) >= 2
    for path in days:
        types = {row[0]: row[1] for row in duckdb.execute(f"DESCRIBE SELECT * FROM '{path}'").fetchall()}
        assert {column for column, kind in derive._KEPT[name].items() if types[column] not in TYPES[kind]} == set()


def test_recipients_of_a_day_stand_once(history: Path) -> None:
    for path in history.glob("*/recipients.parquet"):
        (twice,) = duckdb.execute(f"SELECT count(*) - count(DISTINCT (flow_hash, recipient)) FROM '{path}'").fetchall()
        assert twice == (0,)
