"""From findings to alerts, each raised once, and to messages about them, each sent once. Pure: no clock, no dice.

What is decided here, and why:

- What rests on something that was not told neither comes nor goes (`find.untold`).
- An alert that is over and comes back is a new alert. From the third time within a day on its message waits for an
  hour: what flaps is over again by then, and nobody is told of either; what stays is told of.
- More alerts of one kind in one run than `Rules.at_once` are raised one by one, but told of by one alert with a list,
  the worst first. That one is over when all of them are, and worsens when one of them does.
- Quiet hours hold all but what is critical; a snooze holds everything. What is over before its message was due is not
  told of at all; what was due and could not be sent is, and then that it is over.
- An acknowledged alert sends nothing but that it is over, to those who were told of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sidedoor.store.model import Alert, Delivery, Finding
from sidedoor.watch.find import Untold
from sidedoor.watch.gathering import count_of, gathered, is_gathered, still
from sidedoor.watch.messages import ChannelRule, NewId, Outbox

__all__ = ["Changes", "ChannelRule", "Rules", "Standing", "advance"]

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Rules:
    """at_once: as above. The message of an alert that came up `flaps` times in `flap_span` before waits `flap_hold`."""

    channels: tuple[ChannelRule, ...] = ()
    at_once: int = 10
    flaps: int = 2
    flap_span: timedelta = timedelta(hours=24)
    flap_hold: timedelta = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Standing:
    """What the store holds. open: alerts that are not over. past: those that were over lately, at least `flap_span`
    back. deliveries: all about the open ones.
    """

    open: tuple[Alert, ...] = ()
    past: tuple[Alert, ...] = ()
    deliveries: tuple[Delivery, ...] = ()


@dataclass(frozen=True, slots=True)
class Changes:
    """What a run makes of it, for one transaction. raised: new alerts. seen: alert's id -> what holds now. recovered:
    ids of alerts that are over. deliveries: new messages. needless: ids of messages that must not go out any more.
    held: id of a message that is due -> the time before which it must not go out.
    """

    raised: tuple[Alert, ...] = ()
    seen: Mapping[str, Finding] = field(default_factory=dict)
    recovered: frozenset[str] = frozenset()
    deliveries: tuple[Delivery, ...] = ()
    needless: frozenset[str] = frozenset()
    held: Mapping[str, datetime] = field(default_factory=dict)


def advance(
    standing: Standing, findings: Sequence[Finding], untold: Untold, rules: Rules, *, now: datetime, new_id: NewId
) -> Changes:
    """One run: findings against open alerts. The same inputs in any order give the same changes, ids apart."""
    # A clock that was set back, or stands, must not make an alert over before it was raised, nor of two runs one.
    latest = max((alert.seen_at for alert in standing.open), default=None)
    if latest is not None and latest >= now:
        now = latest + timedelta(microseconds=1)
    return _Advance(standing, untold, rules, now, new_id).run(findings)


class _Advance:
    """One run in the making."""

    def __init__(self, standing: Standing, untold: Untold, rules: Rules, now: datetime, new_id: NewId) -> None:
        self.open = sorted(standing.open, key=lambda alert: _key(alert.finding))
        self.past, self.untold, self.rules, self.now, self.new_id = standing.past, untold, rules, now, new_id
        self.outbox = Outbox(standing.deliveries, rules.channels, now, new_id)
        self.seen: dict[str, Finding] = {}
        self.recovered: set[str] = set()

    def run(self, findings: Sequence[Finding]) -> Changes:
        """What is new, what goes on, what is over, and what becomes of messages that wait."""
        current = _one_each(finding for finding in findings if not self.untold.bars(finding.source))
        raised = self._raise(current)
        for alert in self.open:
            self.outbox.review(alert)
        spoken_for = {(alert.finding.kind, alert.raised_at) for alert in self.open if is_gathered(alert.finding)}
        for alert in self.open:
            if not is_gathered(alert.finding):
                silent = (alert.finding.kind, alert.raised_at) in spoken_for
                self._go_on(alert, current.get(_key(alert.finding)), silent=silent)
        for alert in self.open:
            if is_gathered(alert.finding):
                self._gathered(alert)
        return Changes(
            tuple(raised), self.seen, frozenset(self.recovered), tuple(self.outbox.new),
            frozenset(self.outbox.needless), self.outbox.held,
        )  # fmt: skip

    def _raise(self, current: Mapping[Key, Finding]) -> list[Alert]:
        known = {_key(alert.finding) for alert in self.open}
        groups: dict[str, list[Finding]] = {}
        for key in sorted(current):
            if key not in known:
                groups.setdefault(key[0], []).append(current[key])
        raised: list[Alert] = []
        for group in groups.values():
            many = len(group) > self.rules.at_once
            raised += [self._alert(finding, silent=many) for finding in group]
            if many:
                raised.append(self._alert(gathered(group, self.now), silent=False))
        return raised

    def _alert(self, finding: Finding, *, silent: bool) -> Alert:
        alert = Alert(self.new_id(), finding, self.now, self.now)
        if not silent:
            self.outbox.tell(alert, self._patience(finding))
        return alert

    def _patience(self, finding: Finding) -> datetime:
        """When people may be told of a new alert: now, or later where it flaps."""
        since, key = self.now - self.rules.flap_span, _key(finding)
        before = [alert for alert in self.past if _key(alert.finding) == key and alert.raised_at > since]
        return self.now + self.rules.flap_hold if len(before) >= self.rules.flaps else self.now

    def _go_on(self, alert: Alert, finding: Finding | None, *, silent: bool) -> None:
        """silent: an alert for many speaks for it, while that one stands."""
        old = alert.finding
        if finding is not None:
            self.seen[alert.id] = finding
            if finding.severity.rank > old.severity.rank and not silent and alert.acknowledged_at is None:
                self.outbox.worsen(replace(alert, finding=finding))
        elif not self.untold.keeps(old.kind, old.subject, old.source):
            self._over(alert)

    def _gathered(self, alert: Alert) -> None:
        """By what became of the alerts that it was raised for."""
        place = (alert.finding.kind, alert.raised_at)
        members = [
            self.seen.get(each.id, each.finding)
            for each in self.open
            if (each.finding.kind, each.raised_at) == place
            and not is_gathered(each.finding)
            and each.id not in self.recovered
        ]
        if not members:
            self._over(alert)
            return
        raised = count_of(alert.finding)
        self._go_on(alert, still(alert.finding.subject, raised, members, alert.raised_at), silent=False)

    def _over(self, alert: Alert) -> None:
        self.recovered.add(alert.id)
        self.outbox.over(alert)


def _key(finding: Finding) -> Key:
    return finding.kind, finding.subject


def _one_each(findings: Iterable[Finding]) -> dict[Key, Finding]:
    """One finding for each kind and subject: the worst, whatever their order."""
    found: dict[Key, Finding] = {}
    for finding in findings:
        other = found.get(_key(finding))
        if other is None or (finding.severity.rank, finding.text) > (other.severity.rank, other.text):
            found[_key(finding)] = finding
    return found
