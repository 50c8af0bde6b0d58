"""RFC 7208, clause by clause: the tables in tests/data/spf."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from sidedoor.mailauth.memory import MemoryResolver
from sidedoor.mailauth.resolver import Failure
from sidedoor.mailauth.spf import SpfMessage, SpfWarningId, check_host, compile_spf

FOLDER = Path(__file__).parent.parent / "data" / "spf"
BY_MESSAGE = [FOLDER / "exp.toml", FOLDER / "message.toml"]
TABLES = sorted(set(FOLDER.glob("*.toml")) - set(BY_MESSAGE))
FAILURES = {"temporary": Failure("no answer", temporary=True), "unknown": Failure("not asked", temporary=False)}


def cases(paths: Iterable[Path]) -> list[Any]:
    """Each case with its table."""
    return [
        pytest.param(table, case, id=f"{path.stem}: {case['name']}")
        for path in paths
        for table in [tomllib.loads(path.read_text(encoding="utf-8"))]
        for case in table["case"]
    ]


def resolver_of(table: dict[str, Any]) -> MemoryResolver:
    """The table's DNS."""
    return MemoryResolver(table["dns"], {name: FAILURES[word] for name, word in table.get("failures", {}).items()})


@pytest.mark.parametrize(("table", "case"), cases(TABLES))
def test_clause(table: dict[str, Any], case: dict[str, Any]) -> None:
    compiled = compile_spf(case["domain"], resolver_of(table))
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


@pytest.mark.parametrize(("table", "case"), cases(TABLES))
def test_check_host_says_the_same_where_the_table_decides(table: dict[str, Any], case: dict[str, Any]) -> None:
    if case.get("needs_message"):
        return
    sender = f"anna@{case['domain'].removesuffix('.')}"
    evidence = check_host(case["ip"], case["domain"], sender, "mail.example", resolver_of(table))
    assert evidence.result.value == case["result"], evidence
    assert evidence.cause
    if "path" in case:
        assert [" ".join(step) for step in evidence.path] == case["path"]
    if "owner" in case:
        assert evidence.owner == case["owner"]


@pytest.mark.parametrize(("table", "case"), cases(BY_MESSAGE))
def test_clause_by_the_message(table: dict[str, Any], case: dict[str, Any]) -> None:
    domain, ip, helo = case["domain"], case["ip"], case.get("helo", "mail.example")
    message = SpfMessage(case.get("sender", f"anna@{domain}"), helo, "mx.receiver.example", 1_700_000_000)
    alone = check_host(
        ip, domain, message.sender or "", helo, resolver_of(table), receiver=message.receiver, at=message.at
    )
    compiled = compile_spf(domain, resolver_of(table))
    found = compiled.check(ip, message, resolver_of(table))
    said = compiled.explain(found, ip, message, resolver_of(table))
    assert alone.result.value == case["result"], alone
    assert found.result.value == case.get("compiled", case["result"]), found
    assert alone.cause
    assert not found.needs_message
    for evidence in (alone, found) if "compiled" not in case else ():
        assert [" ".join(step) for step in evidence.path] == case.get("path", [" ".join(s) for s in alone.path])
        assert evidence.owner == case.get("owner", alone.owner)
    assert {alone.explanation, said} == {case.get("explanation", "")}


def test_every_table_names_its_clause_and_every_warning_has_a_case() -> None:
    tables = [tomllib.loads(path.read_text(encoding="utf-8")) for path in [*TABLES, *BY_MESSAGE]]
    assert len(tables) >= 7
    assert all(table["clause"].startswith("RFC 7208 section") for table in tables)
    seen = {warning for table in tables for case in table["case"] for warning in case.get("warnings", [])}
    # An honest table cannot be too complex: that one is in test_hostile_dns.py.
    assert seen == {warning.value for warning in SpfWarningId} - {SpfWarningId.TOO_COMPLEX.value}
