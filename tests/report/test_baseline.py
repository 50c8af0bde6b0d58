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


def test_what_could_not_be_told_is_in_the_evidence(tmp_path: Path) -> None:
    folder = write_settings(tmp_path / "in", reject_direct_send=False)
    v2_file(folder / "trace.csv", [v2_row(number) for number in range(5)])
    gap = {"what": "traces", "why": "a window", "how_to_get_it": "again"}
    told = {"schema": "sidedoor/collection/1", "complete": False, "missing": [gap]}
    (folder / "collection.json").write_text(json.dumps(told))
    body, log = run(folder, tmp_path / "out")
    for row, result in zip(body["controls"], log["runs"][0]["results"], strict=True):
        assert row["evidence"][0] == "RejectDirectSend is False (Get-OrganizationConfig)."
        assert "Of 5 messages it could not be told." in row["evidence"]
        assert any("is not whole" in line for line in row["evidence"])
        assert result["properties"]["evidence"] == row["evidence"]
        assert all(line in result["message"]["text"] for line in row["evidence"])


def test_settings_that_contradict_each_other_are_no_answer(tmp_path: Path) -> None:
    folder = write_settings(tmp_path / "in", reject_direct_send=True)
    other = json.loads((folder / "OrganizationConfig.json").read_text()) | {"RejectDirectSend": False}
    (folder / "OrganizationConfig-2.json").write_text(json.dumps(other))
    assert main(["audit", str(folder), "-o", str(tmp_path / "out"), "--offline", "--baseline"]) == 3
    assert not (tmp_path / "out" / "baseline.json").exists()


@pytest.mark.parametrize("value", ["maybe", "", [True], {}, 2])
def test_a_value_that_is_none_passes_nothing(tmp_path: Path, value: object) -> None:
    folder = write_settings(tmp_path / "in", reject_direct_send=True)
    path = folder / "OrganizationConfig.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"RejectDirectSend": value}))
    body, _ = run(folder, tmp_path / "out")
    assert {row["outcome"] for row in body["controls"]} == {"undetermined"}


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
