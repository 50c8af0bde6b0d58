"""The PowerShell collector, read with a grammar: nothing but reading, in words that Windows PowerShell 5.1 has too."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import tree_sitter_powershell
from tree_sitter import Language, Node, Parser

from sidedoor.cli.main import main
from sidedoor.exchange.script import script

PARSER = Parser(Language(tree_sitter_powershell.language()))
SOURCE = script(datetime(2026, 11, 1, tzinfo=UTC), None, 7)
TENANT = {
    "Get-OrganizationConfig", "Get-AcceptedDomain", "Get-InboundConnector", "Get-TransportRule",
    "Get-HostedConnectionFilterPolicy", "Get-MessageTraceV2", "Get-MessageTraceDetailV2",
}  # fmt: skip
OURS = set(re.findall(r"(?m)^function ([A-Za-z-]+)", SOURCE))
LOCAL = {
    "ConvertTo-Json", "ForEach-Object", "Get-Command", "Import-Csv", "Join-Path", "Move-Item", "New-Item", "New-Object",
    "Set-StrictMode", "Sort-Object", "Start-Sleep", "Test-Path", "Where-Object", "Write-Host", "Write-Warning",
}  # fmt: skip
# Not in Windows PowerShell 5.1: ternary and null operators, pipeline chains, -AsHashtable, -Parallel, utf8NoBOM ...
NEWER = re.compile(r"\?\?|\?\.|\?\[|&&|\|\||-AsHashtable|-Parallel|-AsArray|utf8NoBOM|-Asc\b|clean \{|\w+ \? .+ : ")


def nodes(node: Node, kind: str) -> list[Node]:
    found = [node] if node.type == kind else []
    return [*found, *(each for child in node.children for each in nodes(child, kind))]


def text(node: Node) -> str:
    assert node.text is not None
    return node.text.decode()


def test_it_parses_and_calls_nothing_that_changes_anything() -> None:
    root = PARSER.parse(SOURCE.encode()).root_node
    assert not root.has_error
    called = {text(node) for node in nodes(root, "command_name")}
    assert called <= TENANT | OURS | LOCAL
    assert {"Get-MessageTraceV2", "Get-MessageTraceDetailV2"} <= called
    # The settings are called by a name that is put together; the nouns stand in one list.
    assert SOURCE.count('& "Get-$noun"') == 1
    for name in TENANT - {"Get-MessageTraceV2", "Get-MessageTraceDetailV2"}:
        assert f"'{name.removeprefix('Get-')}'" in SOURCE


def test_an_error_of_the_tenant_ends_the_query_and_is_no_empty_answer() -> None:
    """Functions of a module do not see the script's $ErrorActionPreference (about_Preference_Variables)."""
    root = PARSER.parse(SOURCE.encode()).root_node
    asking = [text(node) for node in nodes(root, "command") if text(node).startswith("Get-MessageTrace")]
    assert len(asking) == 2
    assert all("-ErrorAction Stop" in each for each in asking)
    assert "$query = @{ ErrorAction = 'Stop' }" in SOURCE


def test_it_is_for_both_powershells() -> None:
    code = re.sub(r"(?m)#.*$|'[^'\n]*'|\"[^\"\n]*\"", "", SOURCE)
    assert NEWER.search(code) is None
    assert SOURCE.isascii()
    assert max(map(len, SOURCE.splitlines())) <= 120
    # Times in and out by the invariant culture; files as UTF-8 whatever the version's default is.
    assert "Export-Csv" not in code
    assert "Out-File" not in code
    assert "Get-Date" not in code
    for line in SOURCE.splitlines():
        assert ".ToString(" not in line or "$culture" in line or "$text" in line, line


def test_times_stand_in_it_as_literals_of_ours() -> None:
    assert "[string] $Since = '2026-11-01T00:00:00Z'," in SOURCE
    assert "[string] $Until = ''," in SOURCE
    assert "[int] $Details = 7" in SOURCE


def test_it_says_what_is_missing_as_collect_does() -> None:
    for key in ("schema = 'sidedoor/collection/1'", "complete =", "missing =", "how_to_get_it ="):
        assert key in SOURCE


def test_it_is_printed_without_signing_in(capsys: object) -> None:
    assert main(["collect", "--script", "--since", "2026-11-01", "--details", "7"]) == 0
    assert capsys.readouterr().out == SOURCE  # type: ignore[attr-defined]
