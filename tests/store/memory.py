"""A store as plain dictionaries: what SQLite and PostgreSQL have to be like (tests/store/test_machine.py)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from sidedoor.store.changes import Applied, Changes, RunEnd
from sidedoor.store.errors import NotThereError, StaleError
from sidedoor.store.model import (
    Alert,
    AlertFilter,
    Baseline,
    Decision,
    Delivery,
    DeliveryState,
    EdgeCount,
    EdgeLine,
    Forgotten,
    HeldMessage,
    KnownSender,
    Observation,
    PublishedSettings,
    Run,
    SeenEdge,
    TrailEntry,
    Word,
)

_OPEN = (DeliveryState.DUE, DeliveryState.SENDING)


class Memory:
    """One tenant. Methods as in `TenantStore`."""

    def __init__(self) -> None:
        self.decided: dict[str, Decision] = {}
        self.lines: list[TrailEntry] = []
        self.senders: dict[str, KnownSender] = {}
        self.accepted: Baseline | None = None
        self.raised: dict[str, Alert] = {}
        self.outbox: dict[str, Delivery] = {}
        self.seen: dict[tuple[str, str], Observation] = {}
        self.runs: list[Run] = []
        self.begun = 0
        self.values: dict[str, Any] = {}
        self.held: dict[str, HeldMessage] = {}
        self.released: dict[str, datetime] = {}
        self.taken: dict[str, str] = {}
        self.published: PublishedSettings | None = None
        self.edges: dict[str, SeenEdge] = {}
        self.counts: dict[tuple[date, str, str, str], EdgeCount] = {}
        self.edge_log: list[EdgeLine] = []

    def decisions(self) -> dict[str, Decision]:
        return dict(self.decided)

    def decide(self, change: Decision, who: str, via: str, at: datetime) -> Decision:
        current = self.decided.get(change.sender, Decision(change.sender))
        names = ("assessment", "owner", "method", "note", "due")
        differ = [name for name in names if getattr(current, name) != getattr(change, name)]
        if not differ:
            return current
        if change.version != current.version:
            raise StaleError(current)
        self.decided[change.sender] = replace(change, by=who, at=at, version=current.version + 1)
        before, after = ({name: _json(getattr(one, name)) for name in differ} for one in (current, change))
        self.note(TrailEntry(at, who, via, "decide", change.sender, before, after))
        return self.decided[change.sender]

    def trail(self, subject: str | None = None, limit: int = 100) -> list[TrailEntry]:
        return [line for line in reversed(self.lines) if subject in {None, line.subject}][:limit]

    def note(self, entry: TrailEntry) -> None:
        self.lines.append(entry)

    def known_senders(self) -> dict[str, KnownSender]:
        return dict(self.senders)

    def put_senders(self, senders: Iterable[KnownSender]) -> None:
        self.senders.update({one.key: one for one in senders})

    def accept_senders(self, keys: Iterable[str]) -> int:
        new = [key for key in set(keys) if key in self.senders and not self.senders[key].accepted]
        self.senders.update({key: replace(self.senders[key], accepted=True) for key in new})
        return len(new)

    def sender_keys(self) -> dict[str, str]:
        return {one.id: one.key for one in sorted(self.senders.values(), key=lambda each: each.last_seen)}

    def baseline(self) -> Baseline | None:
        return self.accepted

    def open_alerts(self) -> list[Alert]:
        found = [each for each in self.raised.values() if each.recovered_at is None]
        return sorted(found, key=lambda each: (-each.finding.severity.rank, each.raised_at, each.id))

    def alerts(self, wanted: AlertFilter = AlertFilter(), limit: int = 50, offset: int = 0) -> list[Alert]:  # noqa: B008  # frozen
        found = sorted(self._wanted(wanted), key=lambda each: (each.raised_at, each.id), reverse=True)
        return found[offset : offset + limit]

    def count_alerts(self, wanted: AlertFilter) -> int:
        return len(self._wanted(wanted))

    def _wanted(self, wanted: AlertFilter) -> list[Alert]:
        def holds(each: Alert) -> bool:
            found = each.finding
            texts = [found.title, found.text, found.subject, *(part for pair in found.evidence for part in pair)]
            return (
                (not wanted.open_only or each.recovered_at is None)
                and (not wanted.kinds or found.kind in wanted.kinds)
                and found.severity.rank >= wanted.severity.rank
                and wanted.search.casefold() in "\n".join(texts).casefold()
                and wanted.subject in {None, found.subject}
            )

        return [each for each in self.raised.values() if holds(each)]

    def acknowledge(self, alert_id: str, who: str, via: str, at: datetime) -> Alert:
        found = self._there(alert_id)
        if found.acknowledged_at is None:
            self.raised[alert_id] = replace(found, acknowledged_at=at, acknowledged_by=who)
            said = {"kind": found.finding.kind, "subject": found.finding.subject}
            self.note(TrailEntry(at, who, via, "acknowledge", alert_id, {}, said))
        return self.raised[alert_id]

    def snooze(self, alert_id: str, until: datetime | None, who: str, via: str, at: datetime) -> Alert:
        found = self._there(alert_id)
        if found.snoozed_until != until:
            self.raised[alert_id] = replace(found, snoozed_until=until)
            before, after = ({"until": _json(moment)} for moment in (found.snoozed_until, until))
            self.note(TrailEntry(at, who, via, "snooze", alert_id, before, after))
        return self.raised[alert_id]

    def accept_alert(self, alert_id: str, baseline: Baseline, who: str, via: str, at: datetime) -> Alert:
        found = self._there(alert_id)
        self.accepted = baseline
        if found.acknowledged_at is None:
            self.raised[alert_id] = replace(found, acknowledged_at=at, acknowledged_by=who)
        said = {"kind": found.finding.kind, "subject": found.finding.subject}
        self.note(TrailEntry(at, who, via, "accept", alert_id, {}, said))
        return self.raised[alert_id]

    def _there(self, alert_id: str) -> Alert:
        if alert_id not in self.raised:
            raise NotThereError(alert_id)
        return self.raised[alert_id]

    def apply(self, changes: Changes) -> Applied:
        new = []
        for each in changes.raised:
            open_ones = {(one.finding.kind, one.finding.subject) for one in self.open_alerts()}
            if each.id not in self.raised and (each.finding.kind, each.finding.subject) not in open_ones:
                self.raised[each.id] = each
                new.append(each.id)
        still = {each.id for each in self.open_alerts()}
        for key in still & changes.seen.keys():
            same = self.raised[key].finding
            finding = replace(changes.seen[key], kind=same.kind, subject=same.subject)
            self.raised[key] = replace(self.raised[key], finding=finding, seen_at=changes.at)
        over = still & changes.recovered
        self.raised.update({key: replace(self.raised[key], recovered_at=changes.at) for key in over})
        needless = set(filter(self._is_due, changes.needless))
        for key in needless:
            self._deliver(key, state=DeliveryState.NEEDLESS, done_at=changes.at)
        for key in filter(self._is_due, changes.held):
            self._deliver(key, not_before=changes.held[key])
        sent = frozenset(each.id for each in changes.deliveries if self._put(each))
        self.put_senders(changes.senders)
        self.accepted = changes.baseline or self.accepted
        self.values.update(changes.values)
        return Applied(frozenset(new), frozenset(over), sent, frozenset(needless))

    def _put(self, given: Delivery) -> bool:
        if given.alert not in self.raised or given.id in self.outbox:
            return False
        told = {(each.alert, each.occasion, each.channel, each.severity) for each in self.outbox.values()}
        if (given.alert, given.occasion, given.channel, given.severity) in told:
            return False
        self.outbox[given.id] = given
        return True

    def _is_due(self, key: str) -> bool:
        return key in self.outbox and self.outbox[key].state is DeliveryState.DUE

    def _deliver(self, key: str, **values: Any) -> None:
        self.outbox[key] = replace(self.outbox[key], **values)

    def due_deliveries(self, now: datetime) -> list[tuple[Delivery, Alert]]:
        found = [each for each in self.outbox.values() if each.state is DeliveryState.DUE and each.not_before <= now]
        return _in_order((each, self.raised[each.alert]) for each in found if not self._asleep(each, now))

    def interrupted(self) -> list[tuple[Delivery, Alert]]:
        found = [each for each in self.outbox.values() if each.state is DeliveryState.SENDING]
        return _in_order((each, self.raised[each.alert]) for each in found)

    def _asleep(self, each: Delivery, now: datetime) -> bool:
        until = self.raised[each.alert].snoozed_until
        return until is not None and until > now

    def claim(self, wanted: Delivery, at: datetime) -> bool:
        there = self.outbox.get(wanted.id)
        if there is None or (there.state, there.attempts) != (wanted.state, wanted.attempts):
            return False
        if there.state not in _OPEN or there.not_before > at or self._asleep(there, at):
            return False
        self._deliver(wanted.id, state=DeliveryState.SENDING, attempts=there.attempts + 1)
        return True

    def finish(
        self, delivery_id: str, state: DeliveryState, at: datetime, error: str = "", not_before: datetime | None = None
    ) -> bool:
        if delivery_id not in self.outbox or self.outbox[delivery_id].state is not DeliveryState.SENDING:
            return False
        when = {"not_before": not_before or at} if state is DeliveryState.DUE else {"done_at": at}
        self._deliver(delivery_id, state=state, error=error, **when)
        return True

    def count_deliveries(self) -> dict[tuple[str, DeliveryState], int]:
        return dict(Counter((each.channel, each.state) for each in self.outbox.values()))

    def put_observations(self, seen: Iterable[Observation]) -> list[Observation]:
        new = []
        for each in seen:
            if (each.kind, each.key) not in self.seen:
                self.seen[each.kind, each.key] = each
                new.append(each)
        return new

    def observations(self, kind: str, since: datetime | None = None, limit: int | None = None) -> list[Observation]:
        found = [each for each in self.seen.values() if each.kind == kind and (since is None or each.at >= since)]
        return sorted(found, key=lambda each: (each.at, each.key), reverse=True)[:limit]

    def begin_run(self, started: datetime) -> int:
        self.begun += 1
        self.runs.append(Run(started, None, "", (), self.begun))
        return self.begun

    def end_run(self, end: RunEnd) -> None:
        if all(run.number != end.number for run in self.runs):
            raise NotThereError("run")
        self.runs = [
            replace(run, ended=end.ended, outcome=end.outcome, said=end.said) if run.number == end.number else run
            for run in self.runs
        ]

    def last_runs(self, limit: int = 10) -> list[Run]:
        return self.runs[::-1][:limit]

    def latest_time(self) -> datetime | None:
        return max((time for run in self.runs for time in (run.started, run.ended) if time is not None), default=None)

    def value(self, name: str) -> Any:
        return self.values.get(name)

    def change_value(self, name: str, body: Any, entry: TrailEntry) -> None:
        self.put_value(name, body)
        self.note(entry)

    def put_value(self, name: str, body: Any) -> None:
        self.values[name] = body

    def forget(self, before: datetime, *, trail_before: datetime | None = None) -> Forgotten:
        old = {each.id for each in self.raised.values() if each.recovered_at is not None and each.recovered_at < before}
        said = {
            key for key, one in self.decided.items() if one != Decision(key, by=one.by, at=one.at, version=one.version)
        }
        reports: list[list[Any]] = [
            [key for key, one in self.edges.items() if one.seen_at < before],
            [key for key in self.counts if key[0] < before.date()],
            [one for one in self.edge_log if one.at < before],
        ]
        self.edges = {key: one for key, one in self.edges.items() if key not in reports[0]}
        self.counts = {key: one for key, one in self.counts.items() if key not in reports[1]}
        self.edge_log = [one for one in self.edge_log if one not in reports[2]]
        gone: dict[str, set[Any]] = {
            "alerts": old,
            "deliveries": {key for key, each in self.outbox.items() if each.alert in old},
            "observations": {key for key, each in self.seen.items() if each.at < before},
            "senders": {key for key, one in self.senders.items() if one.last_seen < before and key not in said},
        }
        runs = [run for run in self.runs[:-1] if run.started < before]
        lines = [line for line in self.lines if trail_before is not None and line.at < trail_before]
        self.raised = {key: each for key, each in self.raised.items() if key not in gone["alerts"]}
        self.outbox = {key: each for key, each in self.outbox.items() if key not in gone["deliveries"]}
        self.seen = {key: each for key, each in self.seen.items() if key not in gone["observations"]}
        self.senders = {key: each for key, each in self.senders.items() if key not in gone["senders"]}
        self.runs = [run for run in self.runs if run not in runs]
        self.lines = [line for line in self.lines if line not in lines]
        counts = {name: len(keys) for name, keys in gone.items()}
        return Forgotten(**counts, runs=len(runs), trail=len(lines), edges=sum(map(len, reports)))

    def hold(self, messages: Iterable[HeldMessage]) -> None:
        self.held.update({each.id: each for each in messages})

    def unhold(self, ids: Iterable[str]) -> int:
        return sum(self.held.pop(key, None) is not None for key in set(ids) if key not in self.released)

    def held_messages(self) -> list[HeldMessage]:
        found = [replace(each, content=None) for key, each in self.held.items() if key not in self.released]
        return sorted(found, key=lambda each: (each.received_at, each.id))

    def held_message(self, message_id: str) -> HeldMessage | None:
        return None if message_id in self.released else self.held.get(message_id)

    def release_held(self, message_id: str, at: datetime, who: str = "", via: str = "") -> bool:
        return self._let_go(
            TrailEntry(at, who, via, "release", message_id), lambda key: self.released.update({key: at})
        )

    def delete_held(self, message_id: str, at: datetime, who: str = "", via: str = "") -> bool:
        return self._let_go(TrailEntry(at, who, via, "delete", message_id), self.held.pop)

    def _let_go(self, entry: TrailEntry, act: Callable[[str], Any]) -> bool:
        found = self.held_message(entry.subject)
        if found is None:
            return False
        act(entry.subject)
        before = {
            "envelope_sender": found.envelope_sender, "recipients": list(found.recipients), "why": found.why,
        }  # fmt: skip
        self.lines += [replace(entry, before=before)] if entry.who else []
        return True

    def released_messages(self) -> int:
        return len(self.released.keys() - self.taken.keys())

    def take_held(self, taker: str, prepare: Any) -> str | None:
        free = sorted(self.released.keys() - self.taken.keys(), key=lambda key: (self.released[key], key))
        if not free:
            return None
        prepare(self.held[free[0]])
        self.taken[free[0]] = taker
        return free[0]

    def settle_taken(self, taker: str, arriving: Iterable[str], settle: Any) -> None:
        settle(frozenset(key for key in arriving if self.taken.get(key) == taker))
        for key in [key for key, by in self.taken.items() if by == taker]:
            del self.held[key], self.released[key], self.taken[key]

    def publish_settings(self, body: Any, who: str, via: str, at: datetime) -> PublishedSettings:
        if self.published is None or self.published.body != body:
            self.published = PublishedSettings(self.settings_version() + 1, at, who, body)
            version = {"version": self.published.version}
            self.note(TrailEntry(at, who, via, "publish-settings", "", {}, version))
        return self.published

    def published_settings(self) -> PublishedSettings | None:
        return self.published

    def settings_version(self) -> int:
        return 0 if self.published is None else self.published.version

    def report_edge(self, seen: SeenEdge, counts: Iterable[EdgeCount] = (), lines: Iterable[EdgeLine] = ()) -> None:
        self.edges[seen.name] = seen
        self.counts.update({(one.day, one.edge, one.outcome, one.submission): one for one in counts})
        for each in lines:
            if all((one.edge, one.seq) != (each.edge, each.seq) for one in self.edge_log):
                self.edge_log.append(each)

    def sweep_edges(self, now: datetime) -> int:
        gone = {key for key, one in self.edges.items() if one.seen_at < now - timedelta(days=1)}
        self.edges = {key: one for key, one in self.edges.items() if key not in gone}
        self.edge_log = [one for one in self.edge_log if one.edge not in gone]
        return len(gone)

    def seen_edges(self) -> list[SeenEdge]:
        return [self.edges[key] for key in sorted(self.edges)]

    def edge_counts(self, since: date) -> list[EdgeCount]:
        return [self.counts[key] for key in sorted(self.counts, key=_by_day) if key[0] >= since]

    def edge_lines(self, limit: int = 100) -> list[EdgeLine]:
        return self.edge_log[::-1][:limit]


def _by_day(key: tuple[date, str, str, str]) -> tuple[date, str, date, str, str]:
    day, edge, outcome, submission = key
    return (day, edge, day, outcome, submission)


def _in_order(found: Iterable[tuple[Delivery, Alert]]) -> list[tuple[Delivery, Alert]]:
    return sorted(found, key=lambda pair: (pair[0].not_before, pair[0].id))


def _json(value: Any) -> Any:
    if isinstance(value, Word):
        return value.value
    return value.isoformat() if hasattr(value, "isoformat") else value
