"""The hunting queries, checked by Microsoft's own language service against the table's columns."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from sidedoor.plan.model import Plan
from sidedoor.plan.script.hunting import queries
from tests.plan.test_scripts import HOSTILE, plan

ROOT = Path(__file__).resolve().parents[2]
MODULE = ROOT / ".venv" / "kusto" / "node_modules" / "@kusto" / "language-service-next"
# defender-docs, advanced-hunting-emailevents-table; in Sentinel the time is TimeGenerated.
COLUMNS = (
    "NetworkMessageId: string, InternetMessageId: string, SenderMailFromAddress: string, SenderFromAddress: string, "
    "SenderMailFromDomain: string, SenderFromDomain: string, SenderIPv4: string, SenderIPv6: string, "
    "RecipientEmailAddress: string, Subject: string, EmailDirection: string, DeliveryAction: string, "
    "DeliveryLocation: string, AuthenticationDetails: string, Connectors: string, OrgLevelPolicy: string"
)
TABLES = {"defender": f"(Timestamp: datetime, {COLUMNS})", "sentinel": f"(TimeGenerated: datetime, {COLUMNS})"}
needs_kusto = pytest.mark.skipif(
    shutil.which("node") is None or not MODULE.exists(), reason="needs node, npm and @kusto/language-service-next"
)


def check(made: dict[str, str]) -> dict[str, list[str]]:
    """Messages of the language service about each query."""
    asked = {
        "module": str(MODULE),
        "tables": TABLES,
        "queries": {name: {"text": text, "table": name.split(".")[1]} for name, text in made.items()},
    }
    script = Path(__file__).with_name("kusto_check.js")
    done = subprocess.run(
        ["node", str(script)], input=json.dumps(asked), capture_output=True, text=True, timeout=120, check=True
    )
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


@needs_kusto
def test_every_query_is_one_that_kusto_understands() -> None:
    made = queries(plan("contoso.com"))
    assert len(made) == 8
    assert check(made) == {name: [] for name in made}


@needs_kusto
def test_names_in_queries_stay_names() -> None:
    made = {
        f"{number}.defender": queries(plan(name))["direct-send.defender.kql"] for number, name in enumerate(HOSTILE)
    }
    assert check(made) == {name: [] for name in made}


def _wide() -> Plan:
    """A tenant with subdomains taken in, and an internationalised name."""
    made = plan("contoso.com")
    names = ("contoso.com", "xn--bcher-kva.example")
    return replace(made, tenant=replace(made.tenant, accepted_domains=names, subdomains=names))


@needs_kusto
def test_queries_over_subdomains_and_internationalised_names_are_understood() -> None:
    made = queries(_wide())
    assert check(made) == {name: [] for name in made}


def test_subdomains_that_count_as_accepted_are_asked_for() -> None:
    for name, text in queries(_wide()).items():
        assert 'endswith ".contoso.com"' in text, name
        assert "b\\u00fccher.example" in text, name


@needs_kusto
def test_the_check_finds_a_column_that_is_not_there() -> None:
    made = queries(plan("contoso.com"))
    wrong = {"x.defender": made["direct-send.defender.kql"].replace("isempty(Connectors)", "isempty(ConnectorId)")}
    assert any("ConnectorId" in line for line in check(wrong)["x.defender"])


def test_no_query_asks_what_published_ones_get_wrong() -> None:
    for name, text in queries(plan("contoso.com")).items():
        assert "SenderFromDomain" not in text, name
        assert "DMARC" not in text, name
        assert ("SenderIPv6" in text) == ("ClientIP" in text), name
