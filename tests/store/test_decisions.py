"""Decisions, and the trail of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta, timezone

import pytest

from sidedoor.store.errors import StaleError, StoreError
from sidedoor.store.model import Decision, TrailEntry, Word
from sidedoor.store.store import Store
from sidedoor.store.tenant import TenantStore
from tests.store.store_kit import DAY, HOUR, NOW

HONEST = Decision("key-1", Word.LEGITIMATE, "Ann", "connector", "the scanner", date(2026, 12, 24))


def test_a_decision_is_kept_with_its_line_in_the_trail(tenant: TenantStore) -> None:
    decided = tenant.decide(HONEST, "ann@contoso.com", "web", NOW)
    assert decided == replace(HONEST, by="ann@contoso.com", at=NOW, version=1)
    assert tenant.decisions() == {"key-1": decided}
    [line] = tenant.trail()
    assert line == TrailEntry(
        NOW, "ann@contoso.com", "web", "decide", "key-1",
        before={"assessment": "", "owner": "", "method": "", "note": "", "due": None},
        after={
            "assessment": "legitimate", "owner": "Ann", "method": "connector", "note": "the scanner",
            "due": "2026-12-24",
        },
        number=line.number,
    )  # fmt: skip


def test_the_trail_names_what_changed_and_nothing_else(tenant: TenantStore) -> None:
    first = tenant.decide(HONEST, "ann", "web", NOW)
    tenant.decide(replace(first, owner="Bob", due=None), "bob", "api", NOW + HOUR)
    assert (tenant.trail()[0].before, tenant.trail()[0].after) == (
        {"owner": "Ann", "due": "2026-12-24"},
        {"owner": "Bob", "due": None},
    )


def test_who_decides_on_something_old_is_told_what_is_new(tenant: TenantStore) -> None:
    seen = tenant.decide(HONEST, "ann", "web", NOW)
    current = tenant.decide(replace(seen, owner="Bob"), "bob", "web", NOW + HOUR)
    with pytest.raises(StaleError, match="changed by bob") as caught:
        tenant.decide(replace(seen, owner="Cid"), "cid", "web", NOW + DAY)
    assert caught.value.current == current
    assert tenant.decisions()["key-1"] == current
    assert [line.who for line in tenant.trail()] == ["bob", "ann"]


def test_a_form_that_is_sent_twice_decides_once(tenant: TenantStore) -> None:
    first = tenant.decide(HONEST, "ann", "web", NOW)
    assert tenant.decide(HONEST, "ann", "web", NOW + HOUR) == first
    assert len(tenant.trail()) == 1


def test_a_decision_can_be_taken_back(tenant: TenantStore) -> None:
    first = tenant.decide(HONEST, "ann", "web", NOW)
    nothing = tenant.decide(Decision("key-1", version=first.version), "bob", "web", NOW + HOUR)
    assert tenant.decisions() == {"key-1": nothing}
    assert (nothing.assessment, nothing.version) == (Word.NONE, 2)


def test_decisions_of_a_page(tenant: TenantStore) -> None:
    for number in range(5):
        tenant.decide(Decision(f"key-{number}", Word.SPOOFING), "ann", "web", NOW)
    assert tenant.decisions(["key-3", "key-1", "key-3", "other"]).keys() == {"key-1", "key-3"}
    assert tenant.decisions([]) == {}
    assert len(tenant.decisions(f"key-{number}" for number in range(2_000))) == 5


def test_the_trail_is_read_page_by_page_though_all_happened_at_once(tenant: TenantStore) -> None:
    for number in range(7):
        tenant.note(TrailEntry(NOW, "ann", "cli", "sign-in", f"s{number % 2}"))
    first = tenant.trail(limit=3)
    second = tenant.trail(limit=3, before=first[-1].number)
    third = tenant.trail(limit=3, before=second[-1].number)
    numbers = [line.number for line in (*first, *second, *third)]
    assert numbers == sorted(numbers, reverse=True)
    assert len(set(numbers)) == 7
    assert [line.subject for line in tenant.trail("s1")] == ["s1"] * 3
    assert tenant.trail("s1", limit=1, before=tenant.trail("s1")[0].number) == tenant.trail("s1")[1:2]


def test_times_come_back_in_utc(tenant: TenantStore) -> None:
    local = datetime(2026, 11, 28, 7, 0, 0, 123456, tzinfo=timezone(timedelta(hours=1)))
    decided = tenant.decide(HONEST, "ann", "web", local)
    [found] = tenant.decisions().values()
    assert found == decided
    assert found.at is not None
    assert found.at.isoformat() == "2026-11-28T06:00:00.123456+00:00"


def test_a_time_without_a_zone_is_refused_and_nothing_is_kept(tenant: TenantStore) -> None:
    with pytest.raises(StoreError, match="without a time zone"):
        tenant.decide(HONEST, "ann", "web", datetime(2026, 11, 28))  # noqa: DTZ001  # that is the point
    assert (tenant.decisions(), tenant.trail()) == ({}, [])


def test_tenants_see_nothing_of_each_other(store: Store) -> None:
    one, other = store.tenant("contoso.com"), store.tenant("Fabrikam.COM.")
    one.decide(HONEST, "ann", "web", NOW)
    assert (other.decisions(), other.trail()) == ({}, [])
    assert store.tenants() == ("contoso.com", "fabrikam.com")


def test_the_revision_rises_with_what_is_written_and_only_then(tenant: TenantStore, store: Store) -> None:
    before = tenant.revision()
    other = store.tenant("fabrikam.com").revision()
    tenant.decisions()
    assert tenant.revision() == before
    tenant.decide(HONEST, "ann", "web", NOW)
    assert tenant.revision() > before
    assert store.tenant("fabrikam.com").revision() == other
