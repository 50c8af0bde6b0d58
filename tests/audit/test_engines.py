"""The audit by an engine over Parquet: the same report from DuckDB, from Spark, and without an engine."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from sidedoor.cli.main import main
from tests.audit.audit_kit import DOMAINS, accepted_domain, connector, v2_file, v2_row, write_settings
from tests.audit.engines_kit import SPARK, audited, needs_spark, random_records, rejected, write_place

# One after another: each JVM may take gigabytes.
pytestmark = pytest.mark.xdist_group("spark")

CONNECTORS = (
    connector("Branch", SenderIPAddresses=["203.0.113.0/28"], RestrictDomainsToIPAddresses=True),
    connector("Partner", SenderDomains=["smtp:*.partner.example;1"], SenderIPAddresses=["198.51.100.0/24"]),
    connector("OnPrem", ConnectorType="OnPremises", SenderIPAddresses=["2001:db8::/32"]),
)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An invented tenant in every format, with rows that cannot be read."""
    folder = tmp_path_factory.mktemp("demo") / "tenant"
    assert main(["demo", str(folder), "--rows", "2000"]) == 0
    return folder


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """Accepted domains with and without what lies below them, and connectors of every kind."""
    domains = (*DOMAINS, accepted_domain("bücher.example", MatchSubDomains=True))
    return write_settings(tmp_path / "settings", domains, CONNECTORS)


def records_in(place: Path) -> tuple[int, int, int, int]:
    """Rows, rejected rows, records and records beyond the first of their row, as the parts themselves hold them."""
    database = duckdb.connect()
    counts = database.execute(f"SELECT sum(rows), sum(expanded) FROM '{place}/kind=source/*.parquet'").fetchone()
    records = database.execute(f"SELECT count(*) FROM '{place}/kind=record/*.parquet'").fetchone()
    refused = database.execute(f"SELECT count(*) FROM '{place}/kind=rejected/*.parquet'").fetchone()
    assert counts is not None
    assert records is not None
    assert refused is not None
    return int(counts[0]), int(refused[0]), int(records[0]), int(counts[1])


@pytest.mark.parametrize("engine", ["duckdb", "duckdb://"])
def test_an_engine_says_what_an_audit_without_one_says(engine: str, demo: Path, tmp_path: Path) -> None:
    """By its name, and as any back end of Ibis by its URL."""
    plain = audited(tmp_path / "plain", demo)
    assert audited(tmp_path / "engine", demo, "--engine", engine) == plain
    assert rejected(tmp_path / "engine") == rejected(tmp_path / "plain")
    assert len(rejected(tmp_path / "plain")) > 1
    rows, refused, records, expanded = records_in(tmp_path / "engine" / "records")
    assert rows == refused + records - expanded


@needs_spark
def test_spark_says_what_duckdb_says_of_raw_exports_that_its_workers_read(demo: Path, tmp_path: Path) -> None:
    ours = audited(tmp_path / "duckdb", demo, "--engine", "duckdb")
    assert audited(tmp_path / "spark", demo, "--engine", SPARK, "--records", tmp_path / "place") == ours
    assert ours["senders"]
    assert rejected(tmp_path / "spark") == rejected(tmp_path / "duckdb")
    assert records_in(tmp_path / "place") == records_in(tmp_path / "duckdb" / "records")
    assert not list(tmp_path.glob("place-kept-*"))  # what the run kept for itself


@needs_spark
@pytest.mark.parametrize("seed", [1, 2])
def test_spark_says_what_duckdb_says_of_records_at_random(seed: int, settings: Path, tmp_path: Path) -> None:
    place = write_place(tmp_path / "place", random_records(seed, 3_000))
    ours = audited(tmp_path / "duckdb", "--records", place, "--tenant", settings)
    assert audited(tmp_path / "spark", "--engine", SPARK, "--records", place, "--tenant", settings) == ours
    assert ours["senders"]
    assert ours["coverage"]["disagreements"]


@needs_spark
def test_spark_reads_exports_that_only_it_can_reach(tmp_path: Path, settings: Path) -> None:
    exports = tmp_path / "exports"
    exports.mkdir()
    v2_file(exports / "a trace [1] of {2}.csv", [v2_row(n) for n in range(50)])
    (exports / "AcceptedDomain.json").write_bytes((settings / "AcceptedDomain.json").read_bytes())
    (exports / "notes.txt").write_text("nothing")
    url = exports.as_uri()
    report = audited(tmp_path / "out", url, "--engine", SPARK, "--tenant", settings)
    assert report["coverage"]["messages"] == 50
    notes = {
        Path(file["path"]).name: file.get("note", "")
        for file in report["coverage"]["files"]
        if "exports" in file["path"]
    }
    assert notes["notes.txt"] == "skipped: no known export format"
    assert "--tenant" in notes["AcceptedDomain.json"]


def test_records_are_asked_again_under_other_settings(demo: Path, tmp_path: Path, settings: Path) -> None:
    audited(tmp_path / "first", demo, "--engine", "duckdb")
    again = audited(tmp_path / "again", "--records", tmp_path / "first" / "records", "--tenant", settings)
    assert again["tenant"]["name"] == "northwind.onmicrosoft.com"
    assert again["coverage"]["messages"] > 1_000
