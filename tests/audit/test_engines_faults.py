"""Engines that meet what is broken, or are broken themselves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from sidedoor.cli.main import main
from tests.audit.audit_kit import v2_file, v2_row, write_settings
from tests.audit.engines_kit import SPARK, audited, needs_spark, random_records, write_place

# One after another: each JVM may take gigabytes.
pytestmark = pytest.mark.xdist_group("spark")

ENGINES = ["duckdb", pytest.param(SPARK, marks=needs_spark)]


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What an audit says that ends with exit code 3."""
    assert main(["audit", *map(str, arguments), "--offline", "--quiet"]) == 3
    return capsys.readouterr().err


@pytest.mark.parametrize("engine", ENGINES)
def test_parquet_that_was_cut_short_is_named(engine: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = write_place(tmp_path / "place", random_records(3, 600))
    part = place / "kind=record" / "part-1.parquet"
    part.write_bytes(part.read_bytes()[: part.stat().st_size // 2])
    said = refused(capsys, "--records", place, "--engine", engine, "-o", tmp_path / "out")
    assert "part-1.parquet" in said
    assert "whole Parquet" in said
    assert "Traceback" not in said
    assert not (tmp_path / "out" / "report.json").exists()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", ["record", "source"])
def test_parquet_that_is_empty_or_gone_is_no_silence(
    engine: str, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Spark passes over a file of no bytes, and no engine misses a file that is not there."""
    place = write_place(tmp_path / "place", random_records(4, 600))
    lost = min((place / f"kind={kind}").iterdir())
    if engine == "duckdb":
        lost.unlink()
    else:
        lost.write_bytes(b"")
    said = refused(capsys, "--records", place, "--engine", engine, "-o", tmp_path / "out")
    assert str(place) in said
    assert "records" in said


@pytest.mark.parametrize("engine", ENGINES)
def test_an_export_that_was_named_and_cannot_be_read_ends_the_run(
    engine: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a date nobody can tell the order of; the same file in a folder is a note."""
    exports = tmp_path / "exports"
    exports.mkdir()
    odd = v2_file(exports / "odd.csv", [v2_row(n, Received="03/04/2026 08:00:00") for n in range(20)])
    v2_file(exports / "fine.csv", [v2_row(n) for n in range(100, 120)])
    settings = write_settings(tmp_path / "settings")
    plain = audited(tmp_path / "plain", exports, settings)
    assert audited(tmp_path / "folder", exports, settings, "--engine", engine) == plain
    assert "odd.csv" in refused(capsys, odd, "--engine", engine, "-o", tmp_path / "named")


def test_records_are_not_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = v2_file(tmp_path / "trace.csv", [v2_row(1)])
    (tmp_path / "place").mkdir()
    arguments = [
        "audit",
        str(trace),
        "--engine",
        "duckdb",
        "--records",
        str(tmp_path / "place"),
        "--offline",
        "--quiet",
    ]
    assert main([*arguments, "-o", str(tmp_path / "out")]) == 2
    assert "something already" in capsys.readouterr().err


def test_odd_questions_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = write_place(tmp_path / "place", random_records(5, 30))
    out = ["-o", str(tmp_path / "out"), "--offline", "--quiet"]
    for arguments, said in (
        ([], "INPUTS"),
        (["s3a://bucket/exports"], "--engine"),
        (["--records", str(place), "--engine", "abacus"], "abacus"),
        (["--records", "s3a://bucket/place", "--engine", "duckdb"], "s3a"),
    ):
        assert main(["audit", *arguments, *out]) == 2
        assert said in capsys.readouterr().err


def test_a_report_has_no_messages_of_another_history_beside_it(tmp_path: Path) -> None:
    trace, settings = v2_file(tmp_path / "trace.csv", [v2_row(1)]), write_settings(tmp_path / "settings")
    audited(tmp_path / "out", trace, settings)
    assert (tmp_path / "out" / "messages.parquet").exists()
    audited(tmp_path / "out", trace, settings, "--engine", "duckdb")
    assert not (tmp_path / "out" / "messages.parquet").exists()


@pytest.mark.skipif(not find_spec("pyspark"), reason="needs PySpark")
def test_spark_without_java_says_what_to_install(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = write_place(tmp_path / "place", random_records(5, 30))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    assert main(["audit", "--records", str(place), "--engine", "spark", "--offline", "-o", str(tmp_path / "out")]) == 2
    assert "default-jre-headless" in capsys.readouterr().err


@needs_spark
def test_an_executor_that_is_killed_changes_nothing(tmp_path: Path) -> None:
    """Two executors, each a process, under a whole run; one is killed as soon as something has been kept."""
    exports = tmp_path / "exports"
    exports.mkdir()
    for number in range(6):
        v2_file(exports / f"trace-{number}.csv", [v2_row(n) for n in range(number * 500, number * 500 + 700)])
    settings = write_settings(tmp_path / "settings")
    plain = audited(tmp_path / "plain", exports, settings)
    place = tmp_path / "place"
    run = subprocess.Popen(
        [
            sys.executable, "-m", "sidedoor.cli.main", "audit", str(exports), str(settings), "--offline", "--quiet",
            "--engine", "spark:local-cluster[2,1,1024]", "--records", str(place), "-o", str(tmp_path / "out"),
        ],
        env=os.environ | _for_executors(tmp_path),
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        _wait_for(lambda: any(tmp_path.glob("place-kept-*/*-keys")), run)
        victim = next(_executors(run.pid))
        os.kill(victim, signal.SIGKILL)
        _, said = run.communicate(timeout=400)
    finally:
        run.kill()
    assert run.returncode == 0, said
    assert audited(tmp_path / "again", "--records", place, "--tenant", settings)["coverage"]["messages"] == 3_200
    report = json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))
    del report["generated_at"]
    assert report == plain


def _for_executors(folder: Path) -> dict[str, str]:
    found = find_spec("pyspark")
    assert found is not None
    assert found.origin is not None
    home = str(Path(found.origin).parent)
    return {"SPARK_HOME": home, "SPARK_WORKER_DIR": str(folder), "SPARK_LOCAL_IP": "127.0.0.1"}


def _wait_for(happened: object, run: subprocess.Popen[str]) -> None:
    assert callable(happened)
    until = time.monotonic() + 300
    while not happened():
        assert run.poll() is None, run.stderr.read() if run.stderr else ""
        assert time.monotonic() < until
        time.sleep(0.05)


def _executors(pid: int) -> Iterator[int]:
    """Executors among the descendants of our own process."""
    for child in _children(pid):
        command = Path(f"/proc/{child}/cmdline").read_bytes()
        if b"CoarseGrainedExecutorBackend" in command:
            yield child
        yield from _executors(child)


def _children(pid: int) -> list[int]:
    return [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]
