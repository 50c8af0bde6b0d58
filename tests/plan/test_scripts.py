"""The files of a plan: they parse as PowerShell, call nothing but what they may, and names in them stay names."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import tree_sitter_powershell
from hypothesis import given, settings
from hypothesis import strategies as st
from tree_sitter import Language, Node, Parser

from sidedoor.audit.model import Verdict
from sidedoor.exchange.script import script as collector
from sidedoor.plan.model import (
    Action,
    Because,
    Choice,
    ConnectorProposal,
    ConnectorSettings,
    Method,
    Plan,
    Replay,
    RuleProposal,
    RuleStage,
    Tally,
    TenantFacts,
)
from sidedoor.plan.script.files import plan_files
from sidedoor.plan.script.powershell import literal, text
from sidedoor.tenant.snapshot import ConnectorKind

PARSER = Parser(Language(tree_sitter_powershell.language()))
HOSTILE = (
    "'; Remove-Mailbox -Identity *; '", "\u2019; Remove-Mailbox x; \u2018", "\u201a\u201b", "$(Stop-Computer)", "`n`$x",
    "a\nRemove-Mailbox b", "#> Remove-Mailbox <#", "'@\nRemove-Mailbox\n@'", "\u202etxt.exe", "a\0b", "\ud800", "😀'",
    "\U000e0041tag", '"; iex "', "%{x}", "",
)  # fmt: skip
NAMES = st.sampled_from(HOSTILE) | st.text(max_size=30)
ALLOWED = {
    "Get-OrganizationConfig", "Set-OrganizationConfig", "Get-AcceptedDomain", "Get-InboundConnector",
    "New-InboundConnector", "Set-InboundConnector", "Remove-InboundConnector", "Get-TransportRule", "New-TransportRule",
    "Remove-TransportRule", "Set-StrictMode", "Write-Output", "Write-Warning", "Write-Step", "Where-Object",
    "ForEach-Object", "Sort-Object", "Find-Connector", "Test-Connector", "Test-Same", "Test-Restriction",
    "Get-Parameter",
}  # fmt: skip


def tree(source: str) -> Node:
    return PARSER.parse(source.encode("utf-8", "surrogatepass")).root_node


def commands(node: Node) -> set[str]:
    """Names of all commands in a tree."""
    found = set()
    if node.type == "command_name" and node.text is not None:
        found.add(node.text.decode())
    return found.union(*(commands(child) for child in node.children))


def plan(name: str, kind: ConnectorKind = ConnectorKind.PARTNER, action: Action = Action.CREATE) -> Plan:
    """A plan in which everything that comes from outside is `name`."""
    conf = ConnectorSettings(True, (name, "contoso.com"), (name,), name, restrict_to_addresses=True)
    because = (Because("x", name),)
    choices = tuple(
        Choice(
            f"s{number}", name, Verdict.LEGITIMATE, method, because, (), False, 3, 2, (name,), (name,), (name,), name,
            certificate=name, return_path=name, relay=name, owner=name,
        )
        for number, method in enumerate(Method)
    )  # fmt: skip
    rules = tuple(
        RuleProposal(name, stage, {"SenderDomainIs": (name,), "SetHeaderValue": name, "Quarantine": True}, because)
        for stage in RuleStage
    )
    none = Tally()
    return Plan(
        datetime(2026, 11, 24, tzinfo=UTC), TenantFacts(name, (name,), None, name, (name,)), None, choices,
        (
            ConnectorProposal(action, name, kind, conf, ("s0",), because, conf),
            ConnectorProposal(action, name + "2", kind, conf, ("s0",), because, None, lockdown=True),
        ),
        rules, (), (), (), Replay(0, 0, none, none, none, 0, 0, 0, 0, 0, 0, 0, 0, ()), (), False, (),
    )  # fmt: skip


def decoded(source: str) -> str:
    """What PowerShell makes of a literal of ours (about_Quoting_Rules)."""
    if not source.startswith("(-join"):
        return re.sub("(['\u2018\u2019\u201a\u201b])['\u2018\u2019\u201a\u201b]", r"\1", source[1:-1])
    body = source.removeprefix("(-join @(").removesuffix("))")
    parts = re.findall(r"\[char\](\d+)|('(?:[^']|'')*')", body)
    units = b"".join(
        int(number).to_bytes(2, "big") if number else decoded(quoted).encode("utf-16-be", "surrogatepass")
        for number, quoted in parts
    )
    return units.decode("utf-16-be", "surrogatepass")


@given(NAMES)
def test_a_literal_is_one_expression_and_reads_back(name: str) -> None:
    source = text(name)
    assert decoded(source) == name
    assert source.isprintable()
    root = tree(f"$x = {source}\n")
    assert not root.has_error
    assert commands(root) == set()


@given(NAMES, st.sampled_from(ConnectorKind), st.sampled_from(Action))
@settings(max_examples=40, deadline=None)
def test_every_script_parses_and_calls_nothing_else(name: str, kind: ConnectorKind, action: Action) -> None:
    files = plan_files(plan(name, kind, action))
    scripts = {path: data.decode("utf-8-sig") for path, data in files.items() if path.endswith(".ps1")}
    assert len(scripts) == 8
    for path, source in scripts.items():
        root = tree(source)
        assert not root.has_error, path
        assert commands(root) <= ALLOWED, path


@pytest.mark.parametrize("name", HOSTILE)
def test_letters_and_queries_keep_names_on_their_lines(name: str) -> None:
    calm, wild = plan_files(plan("calm")), plan_files(plan(name))
    assert calm.keys() == wild.keys()
    for path, data in wild.items():
        if path.startswith(("owners/", "hunting/")):
            assert len(data.decode().splitlines()) == len(calm[path].decode().splitlines()), path


def test_who_has_nothing_to_do_is_not_told_that_nothing_is_not_enough() -> None:
    letters = [data.decode() for path, data in plan_files(plan("x")).items() if path.startswith("owners/")]
    nothing = [letter for letter in letters if "\nNothing, as long as" in letter]
    assert len(nothing) == 3
    assert not any("If nothing is done" in letter for letter in nothing)
    assert all("If nothing is done" in letter for letter in letters if letter not in nothing)


def test_what_changes_a_tenant_asks_first() -> None:
    for path, data in plan_files(plan("x")).items():
        source = data.decode("utf-8-sig")
        if not path.endswith(".ps1"):
            continue
        changing = [line for line in source.splitlines() if re.match(r"\s*(New|Set|Remove)-(In|Tr|Or)", line)]
        assert all("-WhatIf:(-not $Apply)" in line for line in changing), path
        assert "param([switch] $Apply)" in source


def test_scripts_are_written_for_windows_powershell() -> None:
    for path, data in plan_files(replace(plan("Zürich"), rules=())).items():
        if path.endswith(".ps1"):
            assert data.startswith(b"\xef\xbb\xbf"), path
            assert b"\n" not in data.replace(b"\r\n", b""), path


def test_values_of_every_kind() -> None:
    assert (
        literal({"A": ("x", True), "B": None, "C": ()})
        == "@{\n    A = @(\n        'x',\n        $true\n    )\n    B = $null\n    C = @()\n}"
    )


def test_the_collector_parses_too() -> None:
    assert not tree(collector(datetime(2026, 11, 1, tzinfo=UTC), None, 5)).has_error
