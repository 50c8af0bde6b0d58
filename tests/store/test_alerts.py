"""Alerts: each once, whoever raises it and however often; and what people and pages do with them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sidedoor.store.changes import Applied, Changes, RunEnd
from sidedoor.store.errors import NotThereError
from sidedoor.store.model import AlertFilter, Baseline, DeliveryState, Occasion, Severity
from sidedoor.store.tenant import TenantStore
from tests.store.store_kit import DAY, HOUR, NOW, alert, delivery, finding, known


def raised(tenant: TenantStore, *numbers: int) -> Applied:
    """Raise alerts with a delivery each."""
    alerts = tuple(alert(number) for number in numbers)
    return tenant.apply(Changes(NOW, raised=alerts, deliveries=tuple(map(delivery, alerts))))


def test_an_alert_and_its_deliveries_are_kept(tenant: TenantStore) -> None:
    applied = raised(tenant, 1, 2)
    assert applied.raised == {"alert-1", "alert-2"}
    assert len(applied.deliveries) == 2
    assert tenant.open_alerts() == [alert(1), alert(2)]
    assert tenant.alert("alert-1") == alert(1)
    assert tenant.alert("alert-9") is None
    assert tenant.deliveries("alert-1") == [delivery(alert(1))]


def test_the_same_finding_is_one_alert_whoever_raises_it(tenant: TenantStore) -> None:
    raised(tenant, 1)
    double = replace(alert(1), id="of-another-run")
    applied = tenant.apply(Changes(NOW, raised=(double, alert(2)), deliveries=(delivery(double), delivery(alert(2)))))
    assert applied.raised == {"alert-2"}
    assert applied.deliveries == {"alert-2-raised-mail"}
    assert [each.id for each in tenant.open_alerts()] == ["alert-1", "alert-2"]
    assert tenant.deliveries("of-another-run") == []


def test_the_same_changes_twice_change_once(tenant: TenantStore) -> None:
    raised(tenant, 1)
    assert raised(tenant, 1) == Applied()
    over = Changes(
        NOW + HOUR, recovered=frozenset({"alert-1"}), deliveries=(delivery(alert(1), occasion=Occasion.RECOVERED),)
    )
    assert tenant.apply(over) == Applied(
        recovered=frozenset({"alert-1"}), deliveries=frozenset({"alert-1-recovered-mail"})
    )
    assert tenant.apply(replace(over, at=NOW + DAY)) == Applied()
    assert tenant.alert("alert-1") == replace(alert(1), recovered_at=NOW + HOUR)


def test_what_recovered_can_be_raised_again(tenant: TenantStore) -> None:
    raised(tenant, 1)
    tenant.apply(Changes(NOW + HOUR, recovered=frozenset({"alert-1"})))
    again = replace(alert(1), id="again", raised_at=NOW + DAY)
    assert tenant.apply(Changes(NOW + DAY, raised=(again,))).raised == {"again"}
    assert tenant.open_alerts() == [again]
    assert tenant.count_alerts() == 2


def test_an_alert_that_still_holds_says_what_holds_now(tenant: TenantStore) -> None:
    raised(tenant, 1)
    worse = finding("key-1", Severity.CRITICAL, text="now 300 messages", evidence=(("messages", "300"),), since=None)
    tenant.apply(Changes(NOW + HOUR, seen={"alert-1": worse}))
    assert tenant.alert("alert-1") == replace(alert(1), finding=worse, seen_at=NOW + HOUR)
    assert tenant.count_alerts(AlertFilter(search="300 MESSAGES")) == 1
    assert tenant.count_alerts(AlertFilter(search="192.0.2.7")) == 0


def test_what_is_over_is_not_changed_any_more(tenant: TenantStore) -> None:
    raised(tenant, 1)
    tenant.apply(Changes(NOW + HOUR, recovered=frozenset({"alert-1"})))
    before = tenant.alert("alert-1")
    tenant.apply(Changes(NOW + DAY, seen={"alert-1": finding("key-1", Severity.CRITICAL)}))
    assert tenant.alert("alert-1") == before


def test_an_alert_that_worsens_step_by_step_is_told_of_at_each_step_once(tenant: TenantStore) -> None:
    raised(tenant, 1)
    told = []
    for step, severity in enumerate((Severity.SERIOUS, Severity.CRITICAL, Severity.SERIOUS, Severity.CRITICAL)):
        message = delivery(alert(1), occasion=Occasion.WORSENED, id=f"step-{step}")
        changes = Changes(NOW, seen={"alert-1": finding("key-1", severity)}, deliveries=(message,))
        told += sorted(tenant.apply(changes).deliveries)
    assert told == ["step-0", "step-1"]


def test_needless_deliveries_do_not_go_out_but_what_is_being_sent_does(tenant: TenantStore) -> None:
    raised(tenant, 1, 2)
    due = {each.id: each for each, _ in tenant.due_deliveries(NOW)}
    assert tenant.claim(due["alert-1-raised-mail"], NOW)
    applied = tenant.apply(Changes(NOW + HOUR, needless=frozenset(due)))
    assert applied.needless == {"alert-2-raised-mail"}
    [needless] = tenant.deliveries("alert-2")
    assert (needless.state, needless.done_at) == (DeliveryState.NEEDLESS, NOW + HOUR)
    assert [each.id for each in tenant.waiting()] == ["alert-1-raised-mail"]


def test_one_transaction_takes_everything_a_run_says(tenant: TenantStore) -> None:
    number = tenant.begin_run(NOW)
    tenant.apply(
        Changes(
            NOW,
            raised=(alert(1),),
            senders=(known(1),),
            baseline=Baseline(NOW, {"senders": ["key-1"]}),
            values={"mark": [1, None, "x"]},
            end=RunEnd(number, NOW + HOUR, "done", ("all well",)),
        )
    )
    assert tenant.known_senders() == {"key-1": known(1)}
    assert tenant.baseline() == Baseline(NOW, {"senders": ["key-1"]})
    assert tenant.value("mark") == [1, None, "x"]
    [run] = tenant.last_runs()
    assert (run.ended, run.outcome, run.said) == (NOW + HOUR, "done", ("all well",))


def test_a_run_that_is_not_there_cannot_end_and_takes_nothing_with_it(tenant: TenantStore) -> None:
    with pytest.raises(NotThereError):
        tenant.apply(Changes(NOW, raised=(alert(1),), end=RunEnd(99, NOW, "done")))
    assert tenant.open_alerts() == []


def test_the_worst_open_alert_is_first(tenant: TenantStore) -> None:
    alerts = (alert(1), alert(2, severity=Severity.CRITICAL), alert(3, NOW - DAY), alert(4, severity=Severity.INFO))
    tenant.apply(Changes(NOW, raised=alerts))
    assert [each.id for each in tenant.open_alerts()] == ["alert-2", "alert-3", "alert-1", "alert-4"]


def test_a_page_of_alerts(tenant: TenantStore) -> None:
    tenant.apply(Changes(NOW, raised=tuple(alert(number, NOW - number * HOUR) for number in range(10))))
    tenant.apply(Changes(NOW, recovered=frozenset({"alert-0"})))
    assert [each.id for each in tenant.alerts(limit=2, offset=3)] == ["alert-3", "alert-4"]
    assert (tenant.count_alerts(), tenant.count_alerts(AlertFilter(open_only=True))) == (10, 9)
    assert tenant.alerts(offset=10) == []


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        (AlertFilter(), ["c", "b", "a"]),
        (AlertFilter(open_only=True), ["c", "b"]),
        (AlertFilter(kinds=frozenset({"spf-limit", "mx-changed"})), ["c", "b"]),
        (AlertFilter(severity=Severity.SERIOUS), ["c"]),
        (AlertFilter(subject="bücher.example"), ["b"]),
        (AlertFilter(search="BÜCHER"), ["b"]),
        (AlertFilter(search="100%"), ["a"]),
        (AlertFilter(search="_"), []),
        (AlertFilter(search="%"), ["a"]),
        (AlertFilter(search="helo"), ["a"]),
        (AlertFilter(search="x" * 100_000), []),
        (AlertFilter(open_only=True, search="100%"), []),
    ],
)
def test_alerts_are_found(tenant: TenantStore, wanted: AlertFilter, ids: list[str]) -> None:
    plain: dict[str, Any] = {"text": "", "evidence": ()}
    alerts = (
        alert(1, NOW - DAY, id="a", finding=finding("a", text="100% of it", evidence=(("helo", "scanner"),))),
        alert(2, id="b", finding=finding("bücher.example", kind="spf-limit", **plain)),
        alert(3, NOW + DAY, id="c", finding=finding("c", Severity.CRITICAL, kind="mx-changed", **plain)),
    )
    tenant.apply(Changes(NOW, raised=alerts))
    tenant.apply(Changes(NOW, recovered=frozenset({"a"})))
    assert [each.id for each in tenant.alerts(wanted)] == ids
    assert tenant.count_alerts(wanted) == len(ids)


def test_the_first_to_acknowledge_stays_and_is_in_the_trail(tenant: TenantStore) -> None:
    raised(tenant, 1)
    first = tenant.acknowledge("alert-1", "ann", "web", NOW + HOUR)
    assert (first.acknowledged_by, first.acknowledged_at) == ("ann", NOW + HOUR)
    assert tenant.acknowledge("alert-1", "bob", "web", NOW + DAY) == first
    [line] = tenant.trail("alert-1")
    assert (line.what, line.who, line.after) == ("acknowledge", "ann", {"kind": "new-sender", "subject": "key-1"})


def test_a_snooze_holds_messages_back_and_can_be_ended(tenant: TenantStore) -> None:
    raised(tenant, 1)
    assert tenant.snooze("alert-1", NOW + DAY, "ann", "api", NOW).snoozed_until == NOW + DAY
    assert tenant.due_deliveries(NOW + HOUR) == []
    assert len(tenant.due_deliveries(NOW + DAY)) == 1
    assert tenant.snooze("alert-1", None, "bob", "web", NOW).snoozed_until is None
    assert len(tenant.due_deliveries(NOW + HOUR)) == 1
    assert [(line.who, line.after["until"]) for line in tenant.trail("alert-1")] == [
        ("bob", None), ("ann", "2026-11-29T06:00:00.123456+00:00"),
    ]  # fmt: skip


def test_what_is_not_there_is_not_answered(tenant: TenantStore) -> None:
    with pytest.raises(NotThereError, match="no alert 'alert-9'"):
        tenant.acknowledge("alert-9", "ann", "web", NOW)
    with pytest.raises(NotThereError):
        tenant.snooze("alert-9", NOW, "ann", "web", NOW)
    assert tenant.trail() == []
