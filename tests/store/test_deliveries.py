"""The outbox: what is due, who gets to send it, and what became of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sidedoor.store.changes import Changes
from sidedoor.store.model import Delivery, DeliveryState, Occasion
from sidedoor.store.tenant import TenantStore
from tests.store.store_kit import DAY, HOUR, NOW, alert, delivery


@pytest.fixture
def due(tenant: TenantStore) -> Delivery:
    """One that is due."""
    one = delivery(alert(1))
    tenant.apply(Changes(NOW, raised=(alert(1),), deliveries=(one,)))
    return one


def test_what_is_due_comes_with_its_alert_the_longest_due_first(tenant: TenantStore) -> None:
    one, two = alert(1), alert(2)
    late, early = delivery(one), delivery(two, not_before=NOW - DAY)
    future = delivery(one, "teams", not_before=NOW + HOUR)
    tenant.apply(Changes(NOW, raised=(one, two), deliveries=(late, early, future)))
    assert tenant.due_deliveries(NOW) == [(early, two), (late, one)]
    assert [each.channel for each, _ in tenant.due_deliveries(NOW + HOUR)] == ["mail", "mail", "teams"]
    assert tenant.waiting() == [early, late, future]


def test_one_claim_wins(tenant: TenantStore, due: Delivery) -> None:
    assert tenant.claim(due, NOW)
    assert not tenant.claim(due, NOW)
    [(sending, of)] = tenant.interrupted()
    assert (sending, of) == (replace(due, state=DeliveryState.SENDING, attempts=1), alert(1))
    assert tenant.due_deliveries(NOW + DAY) == []


def test_nothing_is_claimed_before_its_time_or_while_its_alert_is_snoozed(tenant: TenantStore, due: Delivery) -> None:
    assert not tenant.claim(due, NOW - HOUR)
    tenant.snooze("alert-1", NOW + DAY, "ann", "web", NOW)
    assert not tenant.claim(due, NOW + HOUR)
    assert tenant.claim(due, NOW + DAY)


def test_an_interrupted_one_is_claimed_again_by_one(tenant: TenantStore, due: Delivery) -> None:
    tenant.claim(due, NOW)
    [(interrupted, _)] = tenant.interrupted()
    assert tenant.claim(interrupted, NOW)
    assert not tenant.claim(interrupted, NOW)
    assert [each.attempts for each, _ in tenant.interrupted()] == [2]


@pytest.mark.parametrize("state", [DeliveryState.SENT, DeliveryState.GIVEN_UP])
def test_an_end_is_an_end(tenant: TenantStore, due: Delivery, state: DeliveryState) -> None:
    assert not tenant.finish(due.id, state, NOW)  # nobody has claimed it
    tenant.claim(due, NOW)
    assert tenant.finish(due.id, state, NOW + HOUR, "451 later")
    assert tenant.deliveries("alert-1") == [
        replace(due, state=state, attempts=1, error="451 later", done_at=NOW + HOUR)
    ]
    assert not tenant.finish(due.id, DeliveryState.DUE, NOW)
    assert not tenant.claim(tenant.deliveries("alert-1")[0], NOW + DAY)
    assert (tenant.interrupted(), tenant.waiting()) == ([], [])


def test_a_channel_that_is_down_is_tried_again_later(tenant: TenantStore, due: Delivery) -> None:
    tenant.claim(due, NOW)
    assert tenant.finish(due.id, DeliveryState.DUE, NOW, "no route", not_before=NOW + HOUR)
    assert tenant.due_deliveries(NOW) == []
    [(again, _)] = tenant.due_deliveries(NOW + HOUR)
    assert again == replace(due, attempts=1, error="no route", not_before=NOW + HOUR)
    assert tenant.claim(again, NOW + HOUR)


def test_counts_by_channel_and_state(tenant: TenantStore) -> None:
    alerts = tuple(map(alert, range(3)))
    messages = [delivery(each, channel) for each in alerts for channel in ("mail", "teams")]
    tenant.apply(Changes(NOW, raised=alerts, deliveries=tuple(messages)))
    tenant.claim(messages[0], NOW)
    tenant.finish(messages[0].id, DeliveryState.SENT, NOW)
    assert tenant.count_deliveries() == {
        ("mail", DeliveryState.SENT): 1,
        ("mail", DeliveryState.DUE): 2,
        ("teams", DeliveryState.DUE): 3,
    }


def test_no_delivery_without_its_alert(tenant: TenantStore) -> None:
    lost = delivery(alert(9), occasion=Occasion.RECOVERED)
    assert tenant.apply(Changes(NOW, deliveries=(lost,))).deliveries == frozenset()
    assert tenant.waiting() == []
