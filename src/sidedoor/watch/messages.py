"""Which messages about alerts go to which channel, and from when on. Pure; sending them is others' business."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sidedoor.store.model import Alert, Delivery, DeliveryState, Finding, Occasion, Severity
from sidedoor.watch.quiet import QuietHours

NewId = Callable[[], str]
_AFTER = timedelta(microseconds=1)
_NEWS = frozenset({Occasion.RAISED, Occasion.WORSENED})


@dataclass(frozen=True, slots=True)
class ChannelRule:
    """What goes to a channel, and when it must not be disturbed; None: always, as for programs."""

    name: str
    wants: Callable[[Finding], bool]
    quiet: QuietHours | None = None


class Outbox:
    """The messages of one run in the making. before: deliveries about the open alerts, as the store has them."""

    def __init__(
        self, before: Iterable[Delivery], channels: Iterable[ChannelRule], now: datetime, new_id: NewId
    ) -> None:
        self.new: list[Delivery] = []
        self.needless: set[str] = set()
        self.held: dict[str, datetime] = {}
        self._channels = {rule.name: rule for rule in sorted(channels, key=lambda rule: rule.name)}
        self._now, self._new_id = now, new_id
        self._before: dict[str, list[Delivery]] = {}
        for delivery in sorted(before, key=lambda delivery: delivery.id):
            self._before.setdefault(delivery.alert, []).append(delivery)

    def tell(self, alert: Alert, earliest: datetime) -> None:
        """A new alert, to every channel that wants it."""
        for rule in self._channels.values():
            if rule.wants(alert.finding):
                self._put(alert, Occasion.RAISED, rule, earliest)

    def worsen(self, alert: Alert) -> None:
        """An alert whose severity rose to what it is now: to channels that want it now, each step once."""
        for rule in self._channels.values():
            if rule.wants(alert.finding):
                self._worsen(alert, rule)

    def _worsen(self, alert: Alert, rule: ChannelRule) -> None:
        told = self._news(alert, rule.name)
        if not told:
            self._put(alert, Occasion.RAISED, rule, self._now)
            return
        waiting = [delivery for delivery in told if self._waits(delivery)]
        hurry = alert.finding.severity is Severity.CRITICAL
        if waiting and not (hurry and all(delivery.severity is not Severity.CRITICAL for delivery in waiting)):
            return  # the message that waits will show what holds when it goes
        self.needless.update(delivery.id for delivery in waiting)
        self._put(alert, Occasion.WORSENED, rule, self._now)

    def over(self, alert: Alert) -> None:
        """An alert that is over: to those who were told of it, or are about to be."""
        for name in sorted({delivery.channel for delivery in self._before.get(alert.id, ())}):
            told = self._news(alert, name)
            spare = [each for each in told if self._waits(each) or _was_held(each, alert)]
            self.needless.update(each.id for each in spare)
            # What a channel gave up on never got there; what is due goes before this.
            got = [each for each in told if each not in spare and each.state is not DeliveryState.GIVEN_UP]
            if got and name in self._channels:
                due = [each.not_before + _AFTER for each in got if each.state is DeliveryState.DUE]
                after = max([self._now, *due])
                self._put(alert, Occasion.RECOVERED, self._channels[name], after)

    def review(self, alert: Alert) -> None:
        """Messages that are due already, after a person acknowledged or snoozed their alert."""
        for delivery in self._before.get(alert.id, ()):
            if delivery.state is not DeliveryState.DUE or delivery.id in self.needless:
                continue
            if alert.acknowledged_at is not None and delivery.occasion in _NEWS:
                self.needless.add(delivery.id)
            elif alert.snoozed_until is not None and alert.snoozed_until > max(delivery.not_before, self._now):
                rule = self._channels.get(delivery.channel)
                self.held[delivery.id] = _quiet(rule, delivery.severity, alert.snoozed_until)

    def _news(self, alert: Alert, channel: str) -> list[Delivery]:
        return [
            delivery
            for delivery in self._before.get(alert.id, ())
            if delivery.channel == channel and delivery.occasion in _NEWS and delivery.id not in self.needless
            and delivery.state is not DeliveryState.NEEDLESS
        ]  # fmt: skip

    def _waits(self, delivery: Delivery) -> bool:
        """Whether its time has not come yet. One that failed was due, whenever its next attempt is."""
        return (
            delivery.state is DeliveryState.DUE
            and not delivery.attempts
            and max(delivery.not_before, self.held.get(delivery.id, delivery.not_before)) > self._now
        )

    def _put(self, alert: Alert, occasion: Occasion, rule: ChannelRule, earliest: datetime) -> None:
        severity = alert.finding.severity
        same = (occasion, rule.name, severity)
        if any((each.occasion, each.channel, each.severity) == same for each in self._before.get(alert.id, ())):
            return  # each step is told of once, and what was not to be told of then is not now
        at = max(earliest, alert.snoozed_until) if alert.snoozed_until is not None else earliest
        at = _quiet(rule, severity, at)
        self.new.append(
            Delivery(self._new_id(), alert.id, occasion, rule.name, DeliveryState.DUE, at, severity=severity)
        )


def _was_held(delivery: Delivery, alert: Alert) -> bool:
    """Whether the news was held back, and nobody tried to send it since its time came."""
    untried = delivery.state is DeliveryState.DUE and not delivery.attempts
    return untried and delivery.occasion is Occasion.RAISED and delivery.not_before > alert.raised_at


def _quiet(rule: ChannelRule | None, severity: Severity, at: datetime) -> datetime:
    """The time, or the end of quiet hours then; what is critical does not wait for that."""
    if rule is None or rule.quiet is None or severity is Severity.CRITICAL:
        return at
    return rule.quiet.release(at)
