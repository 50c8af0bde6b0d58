"""Reports from elsewhere, cut off, or edited by hand: an error that names the file, or a plan that is not ready."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from sidedoor.cli.main import main
from sidedoor.errors import InputError
from tests.plan.plan_kit import mails, planned, report, said

SCANNER, SCAN = "203.0.113.10", "scan@northwind.example"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: Any) -> Path:
    """A report of one scanner."""
    return report(tmp_path_factory.mktemp("whole"), mails(0, SCANNER, SCAN))


def edited(folder: Path, tmp_path: Path, change: Any) -> Path:
    """A copy whose report.json `change` has gone over."""
    copy = tmp_path / "report"
    shutil.copytree(folder, copy)
    body = json.loads((copy / "report.json").read_text("ascii"))
    change(body)
    (copy / "report.json").write_text(json.dumps(body), "ascii")
    return copy


def test_a_report_without_the_senders_of_its_history_is_not_ready_but_wrong(
    folder: Path, tmp_path: Path, capsys: Any
) -> None:
    copy = edited(folder, tmp_path, lambda body: body.update(senders=[]))
    assert main(["plan", str(copy)]) == 3
    assert "which only messages.parquet has" in capsys.readouterr().err


def test_a_sender_of_another_report_is_an_error(folder: Path, tmp_path: Path, capsys: Any) -> None:
    copy = edited(folder, tmp_path, lambda body: body["senders"][0].update(id="ffffffffff"))
    assert main(["plan", str(copy)]) == 3
    assert "report.json and messages.parquet of one audit" in capsys.readouterr().err


def test_a_history_of_another_audit_is_an_error(folder: Path, tmp_path: Path, capsys: Any) -> None:
    other = report(tmp_path / "other", mails(0, "203.0.113.77", "erp@northwind.example"))
    copy = tmp_path / "report"
    shutil.copytree(folder, copy)
    shutil.copy(other / "messages.parquet", copy / "messages.parquet")
    assert main(["plan", str(copy)]) == 3
    assert "report.json" in capsys.readouterr().err


def test_settings_of_another_audit_are_an_error(folder: Path, tmp_path: Path, capsys: Any) -> None:
    copy = tmp_path / "report"
    shutil.copytree(folder, copy)
    body = json.loads((copy / "tenant.json").read_text("ascii"))
    body["generated_at"] = "2026-01-01T00:00:00Z"
    (copy / "tenant.json").write_text(json.dumps(body), "ascii")
    assert main(["plan", str(copy)]) == 3
    assert "tenant.json" in capsys.readouterr().err


@pytest.mark.parametrize("key", ["messages", "would_reject_messages"])
def test_numbers_that_are_not_those_of_the_history_are_in_the_way(folder: Path, tmp_path: Path, key: str) -> None:
    made = planned(edited(folder, tmp_path, lambda body: body["senders"][0].update({key: 1})))
    assert "report-differs" in made.blockers()
    assert not made.plan.ready


@pytest.mark.parametrize("key", ["id", "name", "product", "claims_product", "service", "networks", "mail_from", "helo"])
@pytest.mark.parametrize("value", [5, [None], {"a": 1}, True, "\ud800"])
def test_a_value_of_the_wrong_kind_is_an_error_of_the_file(
    folder: Path, tmp_path: Path, capsys: Any, key: str, value: object
) -> None:
    copy = edited(folder, tmp_path, lambda body: body["senders"][0].update({key: value}))
    code = main(["plan", str(copy), "--quiet"])
    said_ = capsys.readouterr().err
    if isinstance(value, str) and key not in {"id", "networks", "mail_from", "helo"}:
        assert code == 0, said_  # any text is a name
    else:
        assert code == 3
        assert "report.json" in said_


def test_two_senders_with_one_id_are_an_error(folder: Path, tmp_path: Path, capsys: Any) -> None:
    copy = edited(folder, tmp_path, lambda body: body.update(senders=body["senders"] * 2))
    assert main(["plan", str(copy)]) == 3
    assert "same id" in capsys.readouterr().err


def test_a_sender_that_plan_toml_alone_knows_is_named_with_its_line(folder: Path, tmp_path: Path, capsys: Any) -> None:
    words = tmp_path / "words.toml"
    words.write_text('# mine\n\n[senders.zzz]\nmethod = "hve"\n')
    assert main(["plan", str(folder), "--decisions", str(words), "-o", str(tmp_path / "out")]) == 3
    assert "words.toml, line 3: found the sender 'zzz'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_words_about_nobody_are_an_error_without_a_file_too(folder: Path) -> None:
    with pytest.raises(InputError):
        planned(folder, said(nobody={"method": "hve"}))
