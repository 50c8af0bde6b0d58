"""What a collection says it lacks: in the report, and in the way of "ready"."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sidedoor.cli.main import main
from tests.audit.audit_kit import v2_file, v2_row, write_settings

COMPLETE: dict[str, Any] = {"schema": "sidedoor/collection/1", "complete": True, "missing": [], "files": []}


def gap(what: str, why: str = "why") -> dict[str, str]:
    return {"what": what, "why": why, "how_to_get_it": "how"}


def audited(folder: Path, collection: object) -> tuple[int, dict[str, Any]]:
    """Exit code and report of an audit of one foreign message, beside a collection's word."""
    v2_file(folder / "trace.csv", [v2_row(1, SenderAddress="news@fabrikam.example")])
    write_settings(folder)
    text = collection if isinstance(collection, str) else json.dumps(collection)
    (folder / "collection.json").write_text(text, encoding="utf-8")
    code = main(["audit", str(folder), "-o", str(folder / "report"), "--offline", "-q"])
    path = folder / "report" / "report.json"
    return code, json.loads(path.read_text()) if path.exists() else {}


def test_a_complete_one_is_no_matter(tmp_path: Path) -> None:
    code, report = audited(tmp_path, COMPLETE)
    assert code == 0
    [file] = [file for file in report["coverage"]["files"] if file["format"] == "collection"]
    assert file["rows"] == 0
    assert "message-traces" not in {fact["fact"] for fact in report["coverage"]["missing"]}
    assert report["readiness"]["state"] == "ready"


@pytest.mark.parametrize(
    ("what", "fact", "state"),
    [
        ("traces", "message-traces", "undetermined"),
        ("settings", "tenant-settings", "undetermined"),
        ("details", "trace-details", "ready"),
        ("hunting", "email-events", "ready"),
        ("something new", "message-traces", "undetermined"),
    ],
)
def test_what_is_missing_is_said(tmp_path: Path, what: str, fact: str, state: str) -> None:
    code, report = audited(tmp_path, COMPLETE | {"complete": False, "missing": [gap(what, "a window <b>")]})
    assert code == 0
    assert {"fact": fact, "why": "a window <b>", "how_to_get_it": "how", "messages": 0} in report["coverage"]["missing"]
    assert report["readiness"]["state"] == state
    html = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "a window &lt;b&gt;" in html
    assert ("nobody has looked at" in html) is (state == "undetermined")


def test_incomplete_without_a_word_is_incomplete(tmp_path: Path) -> None:
    assert audited(tmp_path, COMPLETE | {"complete": False})[1]["readiness"]["state"] == "undetermined"


@pytest.mark.parametrize(
    "text",
    [
        '{"schema": "sidedoor/collection/1"', '{"schema": "sidedoor/collection/1"}',
        '{"schema": "sidedoor/collection/2"}',
        '{"schema": "sidedoor/collection/1", "complete": true, "missing": [1]}',
        '{"schema": "sidedoor/collection/1", "complete": true, "missing": 5}',
    ],
)  # fmt: skip
def test_a_damaged_one_is_an_error(tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert audited(tmp_path, text)[0] == 3
    assert "collection.json" in capsys.readouterr().err


def test_no_history_says_why_there_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_settings(tmp_path)
    (tmp_path / "collection.json").write_text(json.dumps(COMPLETE | {"missing": [gap("traces", "no right to it")]}))
    assert main(["audit", str(tmp_path), "-o", str(tmp_path / "report"), "--offline", "-q"]) == 3
    assert "no right to it" in capsys.readouterr().err
