"""The whole journey against the twin, and the journey where a forwarder cannot be saved (scripts/journey.py)."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "journey.py"


@pytest.fixture(scope="module")
def journey() -> Any:
    spec = importlib.util.spec_from_file_location("journey_script", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["journey_script"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_from_an_open_door_to_a_closed_one_and_back(journey: Any, tmp_path: Path) -> None:
    seen = journey.walk(tmp_path)
    assert seen["before"] == {"printer": 3, "monitor": 2, "spoofer": 10, "stranger": 4}
    assert seen["collected"] is True
    assert seen["messages in traces"] == 57
    assert seen["audited"] == 45
    assert seen["plan"]["blockers"] == []
    assert seen["plan"]["refused"] == [45, 30]
    assert seen["close before the connectors"] == seen["close without --yes"] == 1
    assert seen["close"] == (0, "Direct Send: closed")
    assert seen["after"] == {"printer": 3, "monitor": 2, "spoofer": 0, "stranger": 4}
    assert seen["probe"] == seen["reopen"] == 0
    assert seen["rolled back"] == seen["before"]
    records = sorted(path.name.partition("-")[0] for path in (tmp_path / "report" / "plan").glob("*-2*.json"))
    assert records == ["close", "reopen"]
    assert not [path for path in tmp_path.rglob("*.json") if journey.TOKEN in path.read_text("utf-8", "replace")]


def test_what_cannot_be_saved_keeps_the_door_open_until_a_person_says_so(journey: Any, tmp_path: Path) -> None:
    seen = journey.walk(tmp_path, forwarder=True)
    assert seen["close with the forwarder"] == (1, "Not closed.")
    assert seen["close"] == (0, "Direct Send: closed")
    assert seen["after"] == {"printer": 3, "monitor": 2, "spoofer": 0, "stranger": 4, "forwarder": 0}
