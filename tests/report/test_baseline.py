"""The baselines: by the setting alone, explained by the history, in JSON and SARIF."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sidedoor.cli.main import main
from tests.audit.audit_kit import v2_file, v2_row, write_settings


def run(folder: Path, out: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    assert main(["audit", str(folder), "-o", str(out), "--offline", "--baseline"]) == 0
    return json.loads((out / "baseline.json").read_text()), json.loads((out / "baseline.sarif").read_text())


@pytest.mark.parametrize(
    ("setting", "outcome", "kind", "level"),
    [(True, "pass", "pass", "none"), (False, "fail", "fail", "error"), (None, "undetermined", "open", "none")],
)
@pytest.mark.parametrize("history", [True, False])
def test_all_controls_by_the_setting(  # noqa: PLR0917
    tmp_path: Path, setting: bool | None, outcome: str, kind: str, level: str, history: bool, capsys: Any
) -> None:
    folder = write_settings(tmp_path / "in", reject_direct_send=setting)
    if history:
        v2_file(folder / "trace.csv", [v2_row(number) for number in range(5)])
    body, log = run(folder, tmp_path / "out")
    assert {row["id"]: row["outcome"] for row in body["controls"]} == dict.fromkeys(
        ("6.5.5", "MS.EXO.15.1v1", "MT.1062"), outcome
    )
    (ran,) = log["runs"]
    assert [row["id"] for row in ran["tool"]["driver"]["rules"]] == [row["ruleId"] for row in ran["results"]]
    assert {(row["kind"], row["level"]) for row in ran["results"]} == {(kind, level)}
    uri = ran["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == "OrganizationConfig.json"
    assert str(tmp_path) not in json.dumps(log)
    assert "MS.EXO.15.1v1" in capsys.readouterr().out


def test_a_tenant_without_the_setting_passes_nothing(tmp_path: Path) -> None:
    folder = write_settings(tmp_path / "in")
    (folder / "OrganizationConfig.json").unlink()
    body, log = run(folder, tmp_path / "out")
    assert {row["outcome"] for row in body["controls"]} == {"undetermined"}
    assert "physicalLocation" not in log["runs"][0]["results"][0]["locations"][0]
    assert "Get-OrganizationConfig" in body["controls"][0]["remedy"]


def test_nothing_at_all_is_still_an_error(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("nothing")
    assert main(["audit", str(tmp_path), "-o", str(tmp_path / "out"), "--offline", "--baseline"]) == 3
