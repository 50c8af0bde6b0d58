"""The rule against its tables: every row of tests/data/policy/*.toml."""

from __future__ import annotations

from typing import Any

import pytest

from sidedoor.policy.decision import Decision
from sidedoor.policy.reasons import REASONS
from sidedoor.policy.rule import Rule
from sidedoor.policy.switches import SWITCHES, with_switches
from tests.policy.scenario import facts, load, snapshot

FILES = {name: load(name) for name in ("live.toml", "history.toml")}
ROWS = [(name, tenants[row["tenant"]], row) for name, (tenants, rows) in FILES.items() for row in rows]


def told(decision: Decision) -> dict[str, Any]:
    """A decision in the words of the tables."""
    return {
        "verdict": decision.verdict.value,
        "code": decision.reply.enhanced,
        "submission": decision.submission.value,
        "step": decision.step.name.lower().replace("_", "-"),
        "connector": decision.connector,
        "would_reject": decision.would_reject,
        "certainty": decision.certainty.word,
        "missing": list(decision.missing),
        "reasons": list(decision.reasons),
    }


@pytest.mark.parametrize(("name", "tenant", "row"), ROWS, ids=[f"{name}: {row['name']}" for name, _, row in ROWS])
def test_scenario(name: str, tenant: dict[str, Any], row: dict[str, Any]) -> None:
    rule = Rule(snapshot(tenant), with_switches(row.get("switch", {})))
    answer = told(rule.decide(*facts(row)))
    expected = dict(row["expect"])
    reasons = set(expected.pop("reasons", []))
    assert reasons <= set(answer["reasons"]), answer
    assert {key: answer[key] for key in expected} == expected, answer
    assert set(answer["reasons"]) <= REASONS.keys()


def test_every_switch_value_has_a_scenario() -> None:
    defaults = {(row.name, row.default) for row in SWITCHES}
    asked = {pair for _, _, row in ROWS for pair in row.get("switch", {}).items()}
    assert {(row.name, value) for row in SWITCHES for value in row.values} <= asked | defaults


def test_every_reason_has_a_scenario() -> None:
    given = set()
    for _, tenant, row in ROWS:
        rule = Rule(snapshot(tenant), with_switches(row.get("switch", {})))
        given |= {reason for each in (rule.decide(*facts(row)), *rule.worlds(*facts(row))) for reason in each.reasons}
    assert REASONS.keys() - given == {"reject-direct-send-assumed", "mx-assumed", "too-many-unknowns"}
