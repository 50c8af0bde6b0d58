"""A store and an outbox in memory: what `advance` says is done, and messages go out when they are due."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from sidedoor.store.model import Alert, Delivery, DeliveryState, Finding, Severity
from sidedoor.watch.find import Untold
from sidedoor.watch.lifecycle import Changes, ChannelRule, Rules, Standing, advance
from tests.watch.kit import counter


class Said(NamedTuple):
    """A message that went out."""

    at: datetime
    channel: str
    occasion: str
    kind: str
    subject: str
    severity: str


def at_least(severity: Severity) -> Callable[[Finding], bool]:
    """What a channel for this severity wants."""
    return lambda finding: finding.severity.rank >= severity.rank


EVERYTHING = ChannelRule("log", at_least(Severity.INFO))
PAGER = ChannelRule("pager", at_least(Severity.WARNING))


@dataclass
class World:
    """Alerts and deliveries by id; what was said, in order."""

    rules: Rules = field(default_factory=lambda: Rules((EVERYTHING,)))
    alerts: dict[str, Alert] = field(default_factory=dict)
    deliveries: dict[str, Delivery] = field(default_factory=dict)
    said: list[Said] = field(default_factory=list)
    ids: Callable[[], str] = field(default_factory=counter)

    def standing(self, now: datetime) -> Standing:
        """What the store hands to `advance`."""
        alerts = self.alerts.values()
        past = [a for a in alerts if a.recovered_at and a.recovered_at > now - timedelta(days=2)]
        open_ones = tuple(alert for alert in alerts if alert.recovered_at is None)
        about = {alert.id for alert in open_ones}
        return Standing(open_ones, tuple(past), tuple(each for each in self.deliveries.values() if each.alert in about))

    def ask(self, findings: Sequence[Finding], now: datetime, untold: Untold | None = None) -> Changes:
        """What `advance` would change; nothing is changed."""
        ids = counter()
        return advance(
            self.standing(now), findings, untold or Untold(), self.rules, now=now, new_id=lambda: f"x{ids()}"
        )

    def run(self, findings: Sequence[Finding], now: datetime, untold: Untold | None = None) -> Changes:
        """One run: advance, apply, send."""
        changes = advance(self.standing(now), findings, untold or Untold(), self.rules, now=now, new_id=self.ids)
        self.apply(changes, now)
        self.send(now)
        return changes

    def apply(self, changes: Changes, now: datetime) -> None:
        """In one transaction, as the store does."""
        for alert in changes.raised:
            assert alert.id not in self.alerts
            self.alerts[alert.id] = alert
        for name, finding in changes.seen.items():
            seen_at = max(now, self.alerts[name].seen_at)
            self.alerts[name] = replace(self.alerts[name], finding=finding, seen_at=seen_at)
        for name in changes.recovered:
            self.alerts[name] = replace(self.alerts[name], recovered_at=max(now, self.alerts[name].raised_at))
        for name in changes.needless:
            assert self.deliveries[name].state is DeliveryState.DUE
            self.deliveries[name] = replace(self.deliveries[name], state=DeliveryState.NEEDLESS)
        for name, when in changes.held.items():
            self.deliveries[name] = replace(self.deliveries[name], not_before=when)
        for delivery in changes.deliveries:
            unique = (delivery.alert, delivery.occasion, delivery.channel, delivery.severity)
            assert unique not in {(d.alert, d.occasion, d.channel, d.severity) for d in self.deliveries.values()}
            self.deliveries[delivery.id] = delivery

    def send(self, now: datetime, down: frozenset[str] = frozenset()) -> None:
        """What is due goes out, the oldest first; a channel that is down takes nothing."""
        due = [each for each in self.deliveries.values() if each.state is DeliveryState.DUE and each.not_before <= now]
        for each in sorted(due, key=lambda each: (each.not_before, each.id)):
            if each.channel in down:
                later = now + timedelta(minutes=10 * (each.attempts + 1))
                self.deliveries[each.id] = replace(each, attempts=each.attempts + 1, not_before=later)
                continue
            finding = self.alerts[each.alert].finding
            self.deliveries[each.id] = replace(each, state=DeliveryState.SENT, done_at=now)
            self.said.append(
                Said(now, each.channel, each.occasion.value, finding.kind, finding.subject, finding.severity.value)
            )

    def open(self) -> dict[tuple[str, str], str]:
        """(kind, subject) -> severity of what is not over."""
        return {
            (a.finding.kind, a.finding.subject): a.finding.severity.value
            for a in self.alerts.values()
            if a.recovered_at is None
        }

    def edit(self, kind: str, **values: object) -> None:
        """A person does something to the open alerts of a kind."""
        for name, alert in self.alerts.items():
            if alert.finding.kind == kind and alert.recovered_at is None:
                self.alerts[name] = replace(alert, **values)  # type: ignore[arg-type]  # names of fields

    def words(self) -> list[str]:
        """What was said, without time and channel."""
        return [f"{each.occasion} {each.kind} {each.subject} {each.severity}".replace("  ", " ") for each in self.said]
