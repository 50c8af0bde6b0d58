"""What keeps `close` from closing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from sidedoor.mail.fact import Unknown
from sidedoor.plan.apply import applied, differences, fingerprint
from sidedoor.plan.closing import obstacles
from sidedoor.report import kept_report, tenant_json
from sidedoor.tenant.snapshot import TenantSnapshot
from tests.plan.plan_kit import NOW, Planned, mails, planned, report, said

SCAN = "scan@northwind.example"


@pytest.fixture
def made(tmp_path: Path) -> Planned:
    return planned(report(tmp_path, mails(0, "203.0.113.10", SCAN)))


def found(made: Planned, live: TenantSnapshot, days: int = 0) -> list[str]:
    senders, before = kept_report.read(made.folder).senders, tenant_json.read(made.folder).snapshot
    window = made.plan.window
    assert window is not None
    end = window[1].replace(tzinfo=NOW.tzinfo) + timedelta(days=days)
    return [each.id for each in obstacles(made.plan, senders, before, live, end)]


def live(made: Planned) -> TenantSnapshot:
    """The tenant with the plan's connectors in it."""
    return applied(tenant_json.read(made.folder).snapshot, made.plan.connectors)


def test_nothing_is_in_the_way_of_a_plan_in_force(made: Planned) -> None:
    assert found(made, live(made)) == []
    assert found(made, replace(live(made), reject_direct_send=True)) == []


def test_connectors_that_are_missing_or_other_are_in_the_way(made: Planned) -> None:
    snapshot = live(made)
    assert isinstance(snapshot.inbound_connectors, tuple)
    (row,) = snapshot.inbound_connectors
    for rows in ((), (replace(row, enabled=False),), (replace(row, sender_networks=(ip_network("0.0.0.0/24"),)),)):
        assert found(made, replace(snapshot, inbound_connectors=rows)) == ["tenant-differs"]
    assert found(made, replace(snapshot, accepted_domains=())) == ["tenant-differs"]
    assert found(made, replace(snapshot, inbound_connectors=Unknown("403"))) == ["tenant-differs"]


def test_an_old_history_proves_nothing(made: Planned) -> None:
    assert found(made, live(made), days=8) == ["history-old"]


def test_owners_who_have_not_moved_are_in_the_way(made: Planned) -> None:
    sender = made.plan.choices[0].sender
    moved = planned(made.folder, said(**{f"_{sender}": {"method": "graph"}}))
    assert found(moved, live(moved)) == ["not-moved"]


def test_what_one_export_leaves_out_is_no_difference(made: Planned) -> None:
    snapshot = live(made)
    assert isinstance(snapshot.inbound_connectors, tuple)
    rows = tuple(replace(row, require_tls=Unknown("not told")) for row in snapshot.inbound_connectors)
    assert differences(snapshot, replace(snapshot, inbound_connectors=rows)) == []
    assert fingerprint(snapshot) == fingerprint(replace(snapshot, name="other"))
