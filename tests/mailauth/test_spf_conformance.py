"""RFC 7208, clause by clause: the tables in tests/data/spf."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from sidedoor.mailauth.memory import MemoryResolver
from sidedoor.mailauth.resolver import Failure
from sidedoor.mailauth.spf import SpfWarningId, compile_spf

TABLES = sorted((Path(__file__).parent.parent / "data" / "spf").glob("*.toml"))
FAILURES = {"temporary": Failure("no answer", temporary=True), "unknown": Failure("not asked", temporary=False)}
CASES = [
    pytest.param(table, case, id=f"{path.stem}: {case['name']}")
    for path in TABLES
    for table in [tomllib.loads(path.read_text(encoding="utf-8"))]
    for case in table["case"]
]


@pytest.mark.parametrize(("table", "case"), CASES)
def test_clause(table: dict[str, Any], case: dict[str, Any]) -> None:
    failures = {name: FAILURES[word] for name, word in table.get("failures", {}).items()}
    compiled = compile_spf(case["domain"], MemoryResolver(table["dns"], failures))
    evidence = compiled.evaluate(case["ip"])
    assert evidence.result.value == case["result"], evidence
    assert evidence.cause
    assert evidence.needs_message == case.get("needs_message", False)
    if "path" in case:
        assert [" ".join(step) for step in evidence.path] == case["path"]
    if "owner" in case:
        assert evidence.owner == case["owner"]
    if "lookups" in case:
        assert compiled.lookups_used == case["lookups"]
    for warning in case.get("warnings", []):
        found = [one.id.value for one in compiled.warnings]
        assert found.count(warning) >= case["warnings"].count(warning), compiled.warnings


def test_every_table_names_its_clause_and_every_warning_has_a_case() -> None:
    tables = [tomllib.loads(path.read_text(encoding="utf-8")) for path in TABLES]
    assert len(tables) >= 5
    assert all(table["clause"].startswith("RFC 7208 section") for table in tables)
    seen = {warning for table in tables for case in table["case"] for warning in case.get("warnings", [])}
    # An honest table cannot be too complex: that one is in test_hostile_dns.py.
    assert seen == {warning.value for warning in SpfWarningId} - {SpfWarningId.TOO_COMPLEX.value}
