"""Observations, runs, small values, and that there is one run at a time."""

from __future__ import annotations

import pytest

from sidedoor.store.changes import RunEnd
from sidedoor.store.errors import NotThereError, RunningError, StoreError
from sidedoor.store.model import Observation, Run
from sidedoor.store.store import Store, open_store
from sidedoor.store.tenant import TenantStore
from tests.store.store_kit import DAY, DOMAIN, HOUR, NOW


def bounce(number: int, **body: object) -> Observation:
    """A non-delivery report, one each hour."""
    return Observation("bounce", f"key-{number}", NOW + number * HOUR, body)


def test_the_same_thing_is_seen_once_and_stays_as_it_was(tenant: TenantStore) -> None:
    assert tenant.put_observation(bounce(1, code="5.7.68"))
    assert not tenant.put_observation(bounce(1, code="5.7.51"))
    assert tenant.put_observation(Observation("probe", "key-1", NOW, {}))
    assert tenant.observations("bounce") == [bounce(1, code="5.7.68")]


def test_of_many_those_that_are_new_are_told(tenant: TenantStore) -> None:
    tenant.put_observation(bounce(1))
    assert tenant.put_observations([bounce(2, n=1), bounce(1), bounce(2, n=2), bounce(3)]) == [
        bounce(2, n=1),
        bounce(3),
    ]
    assert tenant.put_observations([]) == []
    assert [each.body for each in tenant.observations("bounce")] == [{}, {"n": 1}, {}]


def test_the_newest_are_first(tenant: TenantStore) -> None:
    tenant.put_observations(map(bounce, range(5)))
    assert tenant.latest_observation("bounce") == bounce(4)
    assert tenant.latest_observation("probe") is None
    assert tenant.observations("bounce", since=NOW + 3 * HOUR) == [bounce(4), bounce(3)]
    assert tenant.observations("bounce", limit=1) == [bounce(4)]


def test_runs(tenant: TenantStore) -> None:
    assert (tenant.last_runs(), tenant.latest_time()) == ([], None)
    first, second = tenant.begin_run(NOW), tenant.begin_run(NOW + HOUR)
    tenant.end_run(RunEnd(first, NOW + DAY, "incomplete", ("no DNS", "no history")))
    assert tenant.last_runs() == [
        Run(NOW + HOUR, None, "", (), second),
        Run(NOW, NOW + DAY, "incomplete", ("no DNS", "no history"), first),
    ]
    assert tenant.last_runs(1) == tenant.last_runs()[:1]
    assert tenant.latest_time() == NOW + DAY
    with pytest.raises(NotThereError):
        tenant.end_run(RunEnd(second + 1, NOW, "done"))


def test_a_run_of_another_tenant_is_not_ended(store: Store) -> None:
    number = store.tenant(DOMAIN).begin_run(NOW)
    with pytest.raises(NotThereError):
        store.tenant("fabrikam.com").end_run(RunEnd(number, NOW, "done"))


def test_values(tenant: TenantStore) -> None:
    assert tenant.value("mark") is None
    for body in ({"a": [1, 2.5, None, True]}, "text", None, 0):
        tenant.put_value("mark", body)
        assert tenant.value("mark") == body
    with pytest.raises(StoreError, match="no JSON value"):
        tenant.put_value("mark", {1, 2})


def test_one_run_at_a_time_in_one_process_and_tenant(tenant: TenantStore, store: Store) -> None:
    with tenant.running():
        with pytest.raises(RunningError, match=r"contoso\.com: another run is under way"), tenant.running():
            pass
        with store.tenant("fabrikam.com").running():
            pass
    with tenant.running():
        pass


def test_a_run_that_fails_lets_go_and_says_what_it_said(tenant: TenantStore) -> None:
    with pytest.raises(OverflowError, match="of its own"), tenant.running():
        raise OverflowError("of its own")
    with tenant.running():
        pass


def test_one_run_at_a_time_among_stores(url: str, tenant: TenantStore) -> None:
    with open_store(url) as other, tenant.running():
        with pytest.raises(RunningError), other.tenant(DOMAIN).running():
            pass
        other.tenant(DOMAIN).put_value("mark", 1)  # others may write meanwhile
    assert tenant.value("mark") == 1
