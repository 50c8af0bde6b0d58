"""Whatever findings come and go, whatever is untold, quiet, snoozed or down: nothing lost, nothing doubled."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sidedoor.store.model import DeliveryState, Finding, Occasion, Severity
from sidedoor.watch.find import Untold
from sidedoor.watch.gathering import is_gathered
from sidedoor.watch.lifecycle import ChannelRule, Rules, advance
from sidedoor.watch.quiet import QuietHours
from tests.watch.world import World, at_least

START = datetime(2026, 11, 20, tzinfo=UTC)
NIGHT = QuietHours(time(22), time(6), UTC)
CHANNELS = (
    ChannelRule("log", at_least(Severity.INFO)),
    ChannelRule("pager", at_least(Severity.SERIOUS), NIGHT),
    ChannelRule("dns", lambda finding: finding.kind.startswith("spf")),
)
SOURCES = ("history", "settings", "dns:contoso.com")
KINDS = (("new-sender", "history"), ("direct-send-reopened", "settings"), ("spf-changed", "dns:contoso.com"))

findings = st.builds(
    lambda kind, subject, severity: Finding(
        kind[0], "contoso.com" if kind[0] == "spf-changed" else subject, severity, "t", "x", "d", kind[1]
    ),
    st.sampled_from(KINDS), st.sampled_from(["", "a", "b", "c", "d", "e"]), st.sampled_from(Severity),
)  # fmt: skip


@dataclass(frozen=True)
class Step:
    """One run, and what people and channels did before it."""

    hours: float
    found: tuple[Finding, ...]
    untold: frozenset[str]
    down: frozenset[str]
    acknowledges: str = ""
    snoozes: str = ""


steps = st.lists(
    st.builds(
        Step,
        st.sampled_from([0, 0.1, 1, 3, 9, 30]),
        st.lists(findings, max_size=8).map(tuple),
        st.frozensets(st.sampled_from(SOURCES), max_size=1),
        st.frozensets(st.sampled_from(["log", "pager"]), max_size=1),
        st.sampled_from(["", "", "new-sender"]),
        st.sampled_from(["", "", "spf-changed"]),
    ),
    max_size=14,
)


def play(history: list[Step], check: Any) -> tuple[World, datetime]:
    """All steps, with a check before each run is applied."""
    world, now = World(Rules(CHANNELS, at_once=3)), START
    for step in history:
        now += timedelta(hours=step.hours)
        world.edit(step.acknowledges, acknowledged_at=now, acknowledged_by="anna")
        world.edit(step.snoozes, snoozed_until=now + timedelta(hours=5))
        untold = Untold(step.untold)
        check(world, step, now, untold)
        changes = advance(world.standing(now), step.found, untold, world.rules, now=now, new_id=world.ids)
        world.apply(changes, now)
        world.send(now, step.down)
    return world, now


def nothing(world: World, step: Step, now: datetime, untold: Untold) -> None:
    """No check."""


@settings(max_examples=200, deadline=None)
@given(steps, st.randoms(use_true_random=False))
def test_order_does_not_matter(history: list[Step], chance: Any) -> None:
    def check(world: World, step: Step, now: datetime, untold: Untold) -> None:
        shuffled = list(step.found)
        chance.shuffle(shuffled)
        other = World(world.rules, dict(reversed(world.alerts.items())), dict(reversed(world.deliveries.items())))
        assert other.ask(shuffled, now, untold) == world.ask(step.found, now, untold)

    play(history, check)


@settings(max_examples=200, deadline=None)
@given(steps)
def test_the_same_run_again_changes_nothing(history: list[Step]) -> None:
    world, now = play(history, nothing)
    if not history:
        return
    last = history[-1]
    again = world.ask(last.found, now, Untold(last.untold))
    assert again.raised == ()
    assert again.recovered == frozenset()
    assert again.deliveries == ()
    assert again.needless == frozenset()


@settings(max_examples=200, deadline=None)
@given(steps)
def test_what_is_untold_neither_comes_nor_goes(history: list[Step]) -> None:
    def check(world: World, step: Step, now: datetime, untold: Untold) -> None:
        changes = world.ask(step.found, now, untold)
        assert not [alert for alert in changes.raised if alert.finding.source in step.untold]
        touched = {*changes.recovered, *changes.seen}
        gathered = {name for name, alert in world.alerts.items() if is_gathered(alert.finding)}
        assert not [n for n in touched - gathered if world.alerts[n].finding.source in step.untold]

    play(history, check)


@settings(max_examples=300, deadline=None)
@given(steps)
def test_nothing_is_lost_and_nothing_is_doubled(history: list[Step]) -> None:
    world, now = play(history, nothing)
    opened = [(a.finding.kind, a.finding.subject) for a in world.alerts.values() if a.recovered_at is None]
    assert len(opened) == len(set(opened))
    told = [(d.alert, d.occasion, d.channel, d.severity) for d in world.deliveries.values()]
    assert len(told) == len(set(told))
    for delivery in world.deliveries.values():
        alert, news = world.alerts[delivery.alert], (Occasion.RAISED, Occasion.WORSENED)
        mine = [d for d in world.deliveries.values() if (d.alert, d.channel) == (delivery.alert, delivery.channel)]
        if delivery.occasion is Occasion.RECOVERED:
            assert alert.recovered_at is not None
            assert [d for d in mine if d.occasion in news and d.state is not DeliveryState.NEEDLESS]
        if delivery.occasion is Occasion.WORSENED:
            assert [d for d in mine if d.occasion is Occasion.RAISED]
        if delivery.channel == "pager" and delivery.severity is not Severity.CRITICAL and not delivery.attempts:
            assert not NIGHT.holds(delivery.not_before)
    # In the end every channel is up: whoever should know, knows.
    for day in range(1, 4):
        world.send(now + timedelta(days=day))
    assert not [d for d in world.deliveries.values() if d.state is DeliveryState.DUE]
    spoken_for = {(a.finding.kind, a.raised_at) for a in world.alerts.values() if is_gathered(a.finding)}
    for alert in world.alerts.values():
        for rule in CHANNELS:
            heard = [d for d in world.deliveries.values() if (d.alert, d.channel) == (alert.id, rule.name)]
            sent = [d for d in heard if d.state is DeliveryState.SENT]
            if alert.recovered_at is not None:
                over = [d for d in sent if d.occasion is Occasion.RECOVERED]
                assert len(over) == (1 if [d for d in sent if d.occasion is not Occasion.RECOVERED] else 0)
            elif rule.wants(alert.finding) and alert.acknowledged_at is None:
                assert sent or (alert.finding.kind, alert.raised_at) in spoken_for


@settings(max_examples=100, deadline=None)
@given(st.lists(findings, max_size=12), st.integers(1, 5))
def test_a_run_says_no_more_than_at_once_of_a_kind(found: list[Finding], limit: int) -> None:
    world = World(Rules(CHANNELS, at_once=limit))
    changes = world.ask(found, START)
    for kind, _ in KINDS:
        alerts = {alert.id for alert in changes.raised if alert.finding.kind == kind}
        said = {d.alert for d in changes.deliveries if d.channel == "log" and d.alert in alerts}
        assert len(said) <= max(limit, 1)
        assert bool(said) == bool(alerts)
    assert {(a.finding.kind, a.finding.subject) for a in changes.raised if not is_gathered(a.finding)} == {
        (each.kind, each.subject) for each in found
    }


def test_severity_of_a_delivery_is_that_of_its_alert_then() -> None:
    world = World(Rules(CHANNELS[:1]))
    one = Finding("spf-changed", "contoso.com", Severity.WARNING, "t", "x", "d", "dns:contoso.com")
    world.run([one], START)
    world.run([replace(one, severity=Severity.CRITICAL)], START + timedelta(hours=1))
    assert [d.severity for d in world.deliveries.values()] == [Severity.WARNING, Severity.CRITICAL]
