"""The outbox: every message goes out once, whatever a channel does and wherever a run is cut off."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sidedoor.store.changes import Changes
from sidedoor.store.model import Alert, Delivery, DeliveryState, Finding, Occasion, Severity
from sidedoor.store.store import open_store
from sidedoor.store.tenant import TenantStore
from sidedoor.watch.channels.interface import ChannelError, PermanentError, TemporaryError
from sidedoor.watch.telling import tell

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


@dataclass
class Fake:
    """A channel with a list of failures, taken one by one; then it works."""

    name: str = "team"
    looks: bool = False
    failures: list[ChannelError | BaseException] = field(default_factory=list)
    got: list[tuple[str, bool]] = field(default_factory=list)
    asked: int = 0

    def send(self, alert: Alert, occasion: Occasion, tenant: str, delivery_id: str, *, repeat: bool) -> None:
        self.asked += 1
        assert tenant == "contoso.com"
        if self.failures:
            raise self.failures.pop(0)
        self.got.append((f"{alert.id} {occasion} {delivery_id}", repeat))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[TenantStore]:
    with open_store(tmp_path / "sidedoor.db") as opened:
        tenant = opened.tenant("contoso.com")
        raised = [
            Alert(
                f"a{number}", Finding("new-sender", f"s{number}", Severity.WARNING, "t", "x", "y", "history"), NOW, NOW
            )
            for number in range(3)
        ]
        deliveries = [Delivery(f"d{n}", f"a{n}", Occasion.RAISED, "team", DeliveryState.DUE, NOW) for n in range(3)]
        tenant.apply(Changes(NOW, tuple(raised), deliveries=tuple(deliveries)))
        yield tenant


def test_each_message_goes_out_once(store: TenantStore) -> None:
    team = Fake()
    assert tell(store, {"team": team}, NOW).sent == 3
    assert tell(store, {"team": team}, NOW + timedelta(days=9)).sent == 0
    assert team.got == [(f"a{n} raised d{n}", False) for n in range(3)]


def test_a_channel_that_is_down_costs_one_attempt_a_run_and_loses_nothing(store: TenantStore) -> None:
    team = Fake(failures=[TemporaryError("no connection") for _ in range(5)])
    now = NOW
    told = tell(store, {"team": team}, now)
    assert (told.sent, told.waiting, team.asked) == (0, 3, 1)
    assert told.troubles == {"team": "no connection"}
    for _ in range(40):
        now += timedelta(minutes=30)
        tell(store, {"team": team}, now)
    assert sorted(team.got) == [(f"a{n} raised d{n}", False) for n in range(3)]


def test_one_channel_down_does_not_hold_up_the_other(store: TenantStore) -> None:
    more = [Delivery(f"e{n}", f"a{n}", Occasion.RAISED, "siem", DeliveryState.DUE, NOW) for n in range(3)]
    store.apply(Changes(NOW, deliveries=tuple(more)))
    team, siem = Fake(failures=[TemporaryError("down")] * 9), Fake("siem")
    told = tell(store, {"team": team, "siem": siem}, NOW)
    assert (told.sent, told.waiting, len(siem.got)) == (3, 3, 3)


def test_what_may_have_arrived_is_sent_again_as_a_repeat(store: TenantStore) -> None:
    team = Fake(failures=[TemporaryError("time-out", maybe_arrived=True)])
    tell(store, {"team": team}, NOW)
    tell(store, {"team": team}, NOW + timedelta(minutes=2))
    assert dict(team.got) == {"a0 raised d0": True, "a1 raised d1": False, "a2 raised d2": False}


def test_a_run_cut_off_while_sending_is_sent_again_as_a_repeat(store: TenantStore) -> None:
    with pytest.raises(KeyboardInterrupt):
        tell(store, {"team": Fake(failures=[KeyboardInterrupt()])}, NOW)
    team = Fake()
    tell(store, {"team": team}, NOW)
    assert dict(team.got) == {"a0 raised d0": True, "a1 raised d1": False, "a2 raised d2": False}


def test_advice_is_followed_and_a_permanent_failure_waits_for_somebody(store: TenantStore) -> None:
    tell(store, {"team": Fake(failures=[TemporaryError("busy", retry_after=7200)])}, NOW)
    assert min(each.not_before for each in store.waiting() if each.attempts) == NOW + timedelta(hours=2)
    team = Fake(failures=[PermanentError("no such webhook")])
    tell(store, {"team": team}, NOW + timedelta(minutes=1))
    (later,) = {each.not_before for each in store.waiting() if each.error == "no such webhook"}
    assert later == NOW + timedelta(minutes=1, hours=6)


def test_after_two_days_it_is_given_up_and_said(store: TenantStore) -> None:
    now, given_up = NOW, 0
    for _ in range(200):
        given_up += tell(store, {"team": Fake(failures=[TemporaryError("down")])}, now).given_up
        now += timedelta(hours=1)
    assert given_up == 3
    assert store.count_deliveries() == {("team", DeliveryState.GIVEN_UP): 3}


def test_a_channel_that_is_no_more(store: TenantStore) -> None:
    assert tell(store, {}, NOW).given_up == 3
