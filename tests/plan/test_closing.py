"""What keeps `close` from closing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from sidedoor.mail.fact import Unknown
from sidedoor.plan.apply import applied, differences, fingerprint
from sidedoor.plan.closing import obstacles, unreadable
from sidedoor.report import kept_report, tenant_json
from sidedoor.tenant.snapshot import ConnectionFilter, TenantSnapshot
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
    assert found(made, replace(snapshot, inbound_connectors=())) == ["connectors-missing"]
    for rows in (
        (replace(row, enabled=False),),
        (replace(row, sender_networks=(ip_network("0.0.0.0/24"),)),),
        (row, replace(row, name="one more")),
    ):
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


def test_a_connector_as_it_was_before_is_missing_and_a_lock_down_may_come_later(made: Planned) -> None:
    before = tenant_json.read(made.folder).snapshot
    (proposal,) = made.plan.connectors
    was = replace(live(made).known_connectors[0], enabled=False)
    for lockdown, expected in ((False, ["connectors-missing"]), (True, [])):
        plan = replace(made.plan, connectors=(replace(proposal, lockdown=lockdown),))
        planned_for = replace(before, inbound_connectors=(was,))
        at = NOW.replace(year=2020)
        assert [each.id for each in obstacles(plan, (), planned_for, planned_for, at)] == expected


def test_what_the_plan_did_not_know_cannot_have_changed(made: Planned) -> None:
    snapshot = live(made)
    listed = replace(snapshot, connection_filter=ConnectionFilter(block=(ip_network("198.51.100.0/24"),)))
    assert found(made, listed) == []
    assert differences(listed, snapshot) != []  # known when it was planned, and not now


def test_a_switch_that_cannot_be_read_is_in_the_way_and_a_blank_one_is_not() -> None:
    assert [each.id for each in unreadable(Unknown("not told"))] == ["switch-unknown"]
    assert [each for switch in (True, False, None) for each in unreadable(switch)] == []
