"""Cmdlets of settings: what is set is in the export, and what the service refuses is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sidedoor.edge.admin.errors import CmdletError
from sidedoor.edge.admin.settings import TenantFolder
from sidedoor.errors import InputError
from sidedoor.evidence.tenant_files import read_tenant
from tests.edge.admin.twin_kit import Twin


def test_what_is_set_is_in_the_export(tmp_path: Path) -> None:
    twin = Twin(tmp_path)
    twin.run("Set-OrganizationConfig", RejectDirectSend=True)
    twin.run("Set-OrganizationConfig", RejectDirectSend=False, WhatIf=True)
    twin.run("New-InboundConnector", Name="Printers", SenderDomains=["contoso.example"],
             SenderIPAddresses=["203.0.113.0/24"], RequireTls=False)  # fmt: skip
    twin.run("Set-InboundConnector", Identity="gateway", Enabled=False)
    snapshot = read_tenant(twin.tenant).snapshot
    assert snapshot.reject_direct_send is True
    assert isinstance(snapshot.inbound_connectors, tuple)
    assert [(each.name, each.enabled) for each in snapshot.inbound_connectors] == [
        ("Gateway", False),
        ("Printers", True),
    ]
    twin.run("Remove-InboundConnector", Identity="Printers", Confirm=False)
    assert [row["Name"] for row in Twin(tmp_path).run("Get-InboundConnector")] == ["Gateway"]


BAD_CONNECTORS: list[dict[str, Any]] = [
    {}, {"Name": "x"}, {"Name": "x", "SenderDomains": []}, {"Name": "GATEWAY", "SenderDomains": "*"},
    {"Name": "x", "SenderDomains": "no domain"}, {"Name": "x", "SenderDomains": "*", "SenderIPAddresses": "10.0.0.0/8"},
    {"Name": "x", "SenderDomains": "*", "SenderIPAddresses": "2001:db8::1"},
    {"Name": "x", "SenderDomains": "*", "SenderIPAddresses": "printer"},
    {"Name": "x", "SenderDomains": "*", "RequireTls": "yes"}, {"Name": "x", "SenderDomains": "*", "Colour": "red"},
    {"Name": "x", "SenderDomains": "*", "RestrictDomainsToIPAddresses": True},
    {"Name": "x", "SenderDomains": "*", "RestrictDomainsToCertificate": True},
    {"Name": "half a \ud83d", "SenderDomains": "*"}, {"Name": "x" * 2_000, "SenderDomains": "*"},
    {"Name": 3, "SenderDomains": "*"},
    {"Name": "x", "SenderDomains": "*", "ConnectorType": "Cloud"},
]  # fmt: skip


@pytest.mark.parametrize("parameters", BAD_CONNECTORS)
def test_connectors_that_the_service_refuses(tmp_path: Path, parameters: dict[str, Any]) -> None:
    twin = Twin(tmp_path)
    with pytest.raises(CmdletError):
        twin.run("New-InboundConnector", **parameters)
    assert [row["Name"] for row in Twin(tmp_path).run("Get-InboundConnector")] == ["Gateway"]


@pytest.mark.parametrize("name", ["'; Remove-Mailbox", "a\u2019b", "$(calc)", "../../etc/passwd", "ü\n\x1b[31m"])
def test_names_stay_names(tmp_path: Path, name: str) -> None:
    twin = Twin(tmp_path)
    twin.run("New-InboundConnector", Name=name, SenderDomains="*")
    assert [row["Name"] for row in Twin(tmp_path).run("Get-InboundConnector")] == ["Gateway", name]
    assert sorted(path.name for path in twin.tenant.iterdir()) == sorted(
        ["AcceptedDomain.json", "InboundConnector.json", "OrganizationConfig.json", "TransportRule.json"]
    )


def test_rules_have_priorities_without_gaps(tmp_path: Path) -> None:
    twin = Twin(tmp_path)
    for name in ("a", "b", "c"):
        twin.run("New-TransportRule", Name=name, SenderDomainIs="contoso.example", Quarantine=True, Enabled=name != "c")
    twin.run("Set-TransportRule", Identity="c", Priority=0, Enabled=True)
    twin.run("Remove-TransportRule", Identity="a")
    rows = Twin(tmp_path).run("Get-TransportRule")
    assert [(row["Name"], row["Priority"], row["State"]) for row in rows] == [("c", 0, "Enabled"), ("b", 1, "Enabled")]
    with pytest.raises(CmdletError, match="used together"):
        twin.run("New-TransportRule", Name="d", SetHeaderName="X")


def test_an_export_with_two_places_for_one_thing_is_refused(tmp_path: Path) -> None:
    twin = Twin(tmp_path)
    (twin.tenant / "again.json").write_text((twin.tenant / "AcceptedDomain.json").read_text())
    with pytest.raises(InputError, match="already"):
        TenantFolder(twin.tenant)
