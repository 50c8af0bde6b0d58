"""Known senders with their places, and the baseline."""

from __future__ import annotations

from dataclasses import replace

from sidedoor.store.model import Baseline
from sidedoor.store.tenant import TenantStore
from tests.store.store_kit import DAY, NOW, known


def test_senders_come_back_as_they_went_in(tenant: TenantStore) -> None:
    senders = [known(1), known(2, places=frozenset(), accepted=True), known(3, messages=2**40)]
    tenant.put_senders(senders)
    assert tenant.known_senders() == {each.key: each for each in senders}


def test_a_sender_that_moved_is_put_in_place_of_what_was_known(tenant: TenantStore) -> None:
    tenant.put_senders([known(1), known(2)])
    moved = known(
        1, id="id-new", places=frozenset({("192.0.2.1", "contoso.com"), ("198.51.100.1", "")}), last_seen=NOW + DAY
    )
    tenant.put_senders([moved])
    assert tenant.known_senders() == {"key-1": moved, "key-2": known(2)}


def test_of_two_with_one_key_the_last_is_kept(tenant: TenantStore) -> None:
    tenant.put_senders([known(1), known(1, name="Printer")])
    assert tenant.known_senders() == {"key-1": known(1, name="Printer")}
    tenant.put_senders([])
    assert len(tenant.known_senders()) == 1


def test_a_sender_may_have_thousands_of_places(tenant: TenantStore) -> None:
    places = frozenset((f"10.0.{number // 250}.{number % 250}", f"d{number % 7}.example") for number in range(5_000))
    tenant.put_senders([known(1, places=places)])
    fewer = frozenset(sorted(places)[::2])
    tenant.put_senders([known(1, places=fewer)])
    assert tenant.known_senders()["key-1"].places == fewer


def test_senders_are_accepted(tenant: TenantStore) -> None:
    tenant.put_senders([known(1), known(2), known(3, accepted=True)])
    assert tenant.accept_senders(["key-2", "key-3", "key-2", "other"]) == 1
    assert tenant.accept_senders([]) == 0
    assert {key for key, each in tenant.known_senders().items() if each.accepted} == {"key-2", "key-3"}
    assert tenant.known_senders()["key-2"] == replace(known(2), accepted=True)


def test_the_baseline(tenant: TenantStore) -> None:
    assert tenant.baseline() is None
    tenant.put_baseline(NOW, {"closed_since": None, "domains": {"contoso.com": ["mx"]}})
    tenant.put_baseline(NOW + DAY, {"closed_since": "2026-11-28"})
    assert tenant.baseline() == Baseline(NOW + DAY, {"closed_since": "2026-11-28"})
