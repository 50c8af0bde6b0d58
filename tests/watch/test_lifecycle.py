"""Alerts: raised once, told of once at each step, over when it is over; nothing lost, nothing doubled."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

from sidedoor.store.model import DeliveryState, Finding, Severity
from sidedoor.watch.find import Untold
from sidedoor.watch.kinds import AT_ONCE
from sidedoor.watch.lifecycle import ChannelRule, Rules
from sidedoor.watch.quiet import QuietHours
from tests.watch.world import EVERYTHING, PAGER, World, at_least

INFO, WARNING, SERIOUS, CRITICAL = Severity
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
NIGHT = QuietHours(time(22), time(6), UTC)
SLEEPER = ChannelRule("sleeper", at_least(WARNING), NIGHT)


def later(hours: float = 0) -> datetime:
    """After noon."""
    return NOON + timedelta(hours=hours)


def a(
    kind: str = "spf-changed", subject: str = "contoso.com", severity: Severity = WARNING, source: str = ""
) -> Finding:
    """A finding."""
    where = source or ("dns:contoso.com" if kind.startswith("spf") else "history")
    return Finding(kind, subject, severity, f"{kind} {subject}", "It is so.", "Do so.", where, (("n", "1"),))


def test_raised_once_seen_again_and_over() -> None:
    world = World()
    world.run([a()], later(0))
    world.run([a()], later(1))
    world.run([], later(2))
    world.run([], later(3))
    assert world.words() == ["raised spf-changed contoso.com warning", "recovered spf-changed contoso.com warning"]
    (alert,) = world.alerts.values()
    assert (alert.raised_at, alert.seen_at, alert.recovered_at) == (later(0), later(1), later(2))


def test_what_comes_back_is_a_new_alert() -> None:
    world = World()
    for hour, found in enumerate([[a()], [], [a()]]):
        world.run(found, later(30 * hour))
    assert len(world.alerts) == 2
    assert world.words()[-1] == "raised spf-changed contoso.com warning"


def test_each_step_for_the_worse_is_told_once() -> None:
    world = World()
    steps = [WARNING, SERIOUS, WARNING, SERIOUS, CRITICAL, CRITICAL]
    for hour, severity in enumerate(steps):
        world.run([a(severity=severity)], later(hour))
    assert world.words() == [
        "raised spf-changed contoso.com warning",
        "worsened spf-changed contoso.com serious",
        "worsened spf-changed contoso.com critical",
    ]
    assert len(world.alerts) == 1


def test_a_channel_hears_of_what_it_wants_from_when_it_wants_it() -> None:
    pager = ChannelRule("pager", at_least(SERIOUS))
    world = World(Rules((pager, EVERYTHING)))
    for hour, severity in enumerate([INFO, SERIOUS, CRITICAL]):
        world.run([a(severity=severity)], later(hour))
    world.run([], later(4))
    paged = [each.occasion for each in world.said if each.channel == "pager"]
    assert paged == ["raised", "worsened", "recovered"]


def test_a_channel_that_is_new_is_not_flooded_and_one_that_is_gone_is_forgotten() -> None:
    world = World()
    world.run([a()], later(0))
    world.rules = Rules((EVERYTHING, PAGER))
    world.run([a()], later(1))
    assert {each.channel for each in world.said} == {"log"}
    world.rules = Rules((PAGER,))
    world.run([], later(2))
    assert len(world.said) == 1
    assert world.open() == {}


def test_quiet_hours_hold_all_but_what_is_critical() -> None:
    world = World(Rules((SLEEPER,)))
    world.run([a(), a("door-open", "", CRITICAL)], later(11))
    assert world.words() == ["raised door-open critical"]
    world.send(later(18))
    assert world.words()[1:] == ["raised spf-changed contoso.com warning"]


def test_what_is_over_before_it_was_due_is_not_told_of() -> None:
    world = World(Rules((SLEEPER, EVERYTHING)))
    world.run([a()], later(11))
    world.run([], later(14))
    world.send(later(24))
    assert [each.channel for each in world.said] == ["log", "log"]
    assert {d.state for d in world.deliveries.values() if d.channel == "sleeper"} == {DeliveryState.NEEDLESS}


def test_what_waits_and_becomes_critical_waits_no_longer() -> None:
    world = World(Rules((SLEEPER,)))
    world.run([a(severity=WARNING)], later(11))
    world.run([a(severity=SERIOUS)], later(12))
    assert world.said == []
    world.run([a(severity=CRITICAL)], later(13))
    assert world.words() == ["worsened spf-changed contoso.com critical"]
    world.run([], later(14))
    world.send(later(48))
    assert world.words()[1:] == ["recovered spf-changed contoso.com critical"]


def test_what_was_due_and_could_not_be_sent_is_not_lost() -> None:
    """The channel was down for the whole time that the door was open: it hears of both, in order."""
    world = World()
    changes = world.ask([a(severity=CRITICAL)], later(0))
    world.apply(changes, later(0))
    world.send(later(0), down=frozenset({"log"}))
    world.apply(world.ask([], later(0.1)), later(0.1))
    world.send(later(5))
    assert [each.occasion for each in world.said] == ["raised", "recovered"]


def test_killed_before_anything_was_sent_the_next_run_sends() -> None:
    world = World()
    world.apply(world.ask([a()], later(0)), later(0))
    world.run([a()], later(1))
    world.run([], later(2))
    assert [each.occasion for each in world.said] == ["raised", "recovered"]


def test_a_message_of_which_nobody_knows_whether_it_arrived_counts_as_told() -> None:
    world = World()
    world.apply(world.ask([a()], later(0)), later(0))
    world.deliveries = {k: replace(d, state=DeliveryState.SENDING) for k, d in world.deliveries.items()}
    world.run([], later(1))
    assert [each.occasion for each in world.said] == ["recovered"]


def test_who_never_got_the_news_does_not_hear_that_it_is_over() -> None:
    world = World()
    world.apply(world.ask([a()], later(0)), later(0))
    world.deliveries = {k: replace(d, state=DeliveryState.GIVEN_UP) for k, d in world.deliveries.items()}
    world.run([], later(1))
    assert world.said == []


def test_an_acknowledged_alert_says_only_that_it_is_over() -> None:
    world = World()
    world.run([a()], later(0))
    world.edit("spf-changed", acknowledged_at=later(0.5), acknowledged_by="anna")
    world.run([a(severity=CRITICAL)], later(1))
    world.run([], later(2))
    assert [each.occasion for each in world.said] == ["raised", "recovered"]


def test_acknowledged_before_it_was_told() -> None:
    world = World(Rules((SLEEPER,)))
    world.run([a()], later(11))
    world.edit("spf-changed", acknowledged_at=later(12), acknowledged_by="anna")
    world.run([a()], later(13))
    world.run([], later(20))
    assert world.said == []


def test_a_snooze_holds_everything() -> None:
    world = World()
    world.run([a()], later(0))
    world.edit("spf-changed", snoozed_until=later(10))
    world.run([a(severity=CRITICAL)], later(1))
    world.run([], later(2))
    assert len(world.said) == 1
    world.send(later(10))
    assert [each.occasion for each in world.said] == ["raised", "recovered"]


def test_a_snooze_holds_what_waits_already_and_ends_after_quiet_hours() -> None:
    world = World(Rules((SLEEPER,)))
    world.run([a()], later(11))
    world.edit("spf-changed", snoozed_until=later(35))  # 23 o'clock on the next day
    world.run([a()], later(12))
    world.send(later(34))
    assert world.said == []
    world.send(later(42))
    assert [each.at for each in world.said] == [later(42)]


def test_what_rests_on_something_untold_neither_comes_nor_goes() -> None:
    world = World()
    untold = Untold(frozenset({"dns:contoso.com"}))
    world.run([a()], later(0))
    world.run([], later(1), untold)
    world.run([a("spf-broken")], later(2), untold)
    world.run([a("spf-broken", source="dns")], later(2.5), Untold(frozenset({"dns"})))
    assert world.words() == ["raised spf-changed contoso.com warning"]
    world.run([], later(3))
    assert world.open() == {}


def test_what_flaps_is_told_of_twice_and_then_only_if_it_stays() -> None:
    world = World()
    for hour in range(6):
        world.run([a()] if hour % 2 == 0 else [], later(hour))
    assert [each.occasion for each in world.said] == ["raised", "recovered"] * 2
    world.run([a()], later(6))
    world.run([a()], later(7.1))
    assert [each.occasion for each in world.said] == ["raised", "recovered"] * 2 + ["raised"]
    assert len(world.alerts) == 4


def test_a_flap_that_was_told_of_two_days_ago_is_forgotten() -> None:
    world = World()
    for hour in (0, 1, 2, 3):
        world.run([a()] if hour % 2 == 0 else [], later(hour))
    world.run([a()], later(40))
    assert world.words().count("raised spf-changed contoso.com warning") == 3


def many(number: int, severity: Severity = WARNING) -> list[Finding]:
    """New senders."""
    return [a("new-sender", f"s{n:03}", severity) for n in range(number)]


def test_many_at_once_are_told_of_by_one() -> None:
    world = World()
    world.run([*many(40), a()], later(0))
    assert sorted(world.words()) == [
        f"raised new-sender {AT_ONCE}{NOON.isoformat()} warning", "raised spf-changed contoso.com warning",
    ]  # fmt: skip
    assert len(world.alerts) == 42
    world.run([*many(40), a("new-sender", "later"), a()], later(1))
    assert world.words()[-1] == "raised new-sender later warning"


def test_the_one_for_many_names_the_worst_first_and_counts_what_goes_on() -> None:
    world = World()
    world.run([*many(40, INFO), a("new-sender", "z-printer", SERIOUS)], later(0))
    one = next(each.finding for each in world.alerts.values() if each.finding.subject.startswith(AT_ONCE))
    assert one.severity is SERIOUS
    assert one.evidence[0] == ("at once", "41")
    assert one.evidence[2] == ("serious", "new-sender z-printer")
    assert len(one.evidence) < 30
    world.run(many(3, INFO), later(1))
    one = next(each.finding for each in world.alerts.values() if each.finding.subject.startswith(AT_ONCE))
    assert (one.severity, one.evidence[1]) == (INFO, ("go on", "3"))
    assert "3 of them go on" in one.text


def test_the_one_for_many_worsens_for_all_and_is_over_with_the_last() -> None:
    world = World()
    world.run(many(20), later(0))
    world.run(many(20, SERIOUS), later(1))
    world.run(many(1, SERIOUS), later(2))
    assert [each.occasion for each in world.said] == ["raised", "worsened"]
    world.run([], later(3))
    assert [each.occasion for each in world.said] == ["raised", "worsened", "recovered"]
    assert world.open() == {}


def test_the_one_for_many_waits_for_what_is_not_told() -> None:
    world = World()
    world.run(many(20), later(0))
    world.run([], later(1), Untold(frozenset({"history"})))
    assert len(world.open()) == 21
    world.run([], later(2))
    assert world.open() == {}


def test_eleven_that_came_one_by_one_are_told_of_one_by_one() -> None:
    world = World()
    for number in range(1, 15):
        world.run(many(number), later(number))
    assert len(world.said) == 14
    assert not any(each.subject.startswith(AT_ONCE) for each in world.said)


def test_a_clock_that_was_set_back() -> None:
    world = World()
    world.run([a()], later(5))
    changes = world.run([a(), a("door-open", "", CRITICAL)], later(1))
    assert all(alert.raised_at > later(5) for alert in changes.raised)
    world.run([], later(0))
    assert all(alert.recovered_at and alert.recovered_at >= alert.raised_at for alert in world.alerts.values())


def test_a_kind_that_nobody_knows_any_more_ends() -> None:
    world = World()
    world.run([a("old-kind", "x")], later(0))
    world.run([], later(1))
    assert world.open() == {}


def test_two_findings_of_one_subject_are_one_alert_the_worse() -> None:
    world = World()
    world.run([a(severity=WARNING), a(severity=SERIOUS), a(severity=INFO)], later(0))
    assert world.words() == ["raised spf-changed contoso.com serious"]
