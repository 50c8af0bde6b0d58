"""The whole journey against the twin, and the journey where a forwarder cannot be saved (scripts/journey.py)."""

from __future__ import annotations

import importlib.util
import json
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
    assert seen["close before the connectors"] == (1, ["connectors-missing"])
    assert seen["close without --yes"] == 1
    assert seen["close"] == (0, "Direct Send: closed")
    assert seen["after"] == {"printer": 3, "monitor": 2, "spoofer": 0, "stranger": 4}
    assert seen["probe"] == 0
    assert seen["reopen"] == (0, "Direct Send: open again, but for what Partner connectors restrict (5.7.51)")
    assert seen["rolled back"] == seen["before"]
    records = [json.loads(path.read_text("ascii")) for path in sorted((tmp_path / "report/plan").glob("*-2*.json"))]
    assert [(each["command"], each["state"]) for each in records] == [("close", "proven"), ("reopen", "proven")]
    assert not [path for path in tmp_path.rglob("*.json") if journey.TOKEN in path.read_text("utf-8", "replace")]


def test_what_cannot_be_saved_keeps_the_door_open_until_a_person_says_so(journey: Any, tmp_path: Path) -> None:
    seen = journey.walk(tmp_path, forwarder=True)
    plan = seen["plan"]
    assert (plan["ready"], plan["blockers"], plan["refused"]) == (False, ["unsavable"], [54, 39])
    ((name, messages, affected),) = plan["unsavable"]
    assert ("mx.lists.example" in name, messages, affected) == (True, 9, ["anna@northwind.example"])
    assert seen["close with the forwarder"] == (1, ["plan-not-ready", "connectors-missing"])
    assert seen["plan without the forwarder"]["ready"] is True
    assert seen["close"] == (0, "Direct Send: closed")
    assert seen["after"] == {"printer": 3, "monitor": 2, "spoofer": 0, "stranger": 4, "forwarder": 0}
    said = {path.stem: path.read_text("utf-8") for path in (tmp_path / "said").iterdir()}
    closing = next(text for text in said.values() if "Direct Send: closed" in text and "Recorded" in text)
    assert "will be refused: mx.lists.example (198.51.100.200): 9 messages" in closing
    for text in said.values():
        assert all(
            len(line) <= 80 for line in text.splitlines() if "/" not in line and not line.startswith("collect: ")
        )
