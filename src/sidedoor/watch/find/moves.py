"""Honest senders that moved, or fell silent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from sidedoor.audit.hostname import specific_host
from sidedoor.audit.model import Verdict
from sidedoor.policy.decision import Submission
from sidedoor.report.words import count, day
from sidedoor.store.model import Finding, KnownSender, Severity
from sidedoor.watch.find.bounced import bounced
from sidedoor.watch.find.door import (
    SETTLED,
    addresses,
    attributed,
    closed_since,
    honest,
    known_until,
    left,
    strange,
    told_of,
    uses_door,
)
from sidedoor.watch.find.made import listed, made
from sidedoor.watch.kinds import Kind
from sidedoor.watch.sight import Baseline, ReportedSight, SenderSight, Sight, Thresholds

# A host that moved is never in two places: days that the old and the new one may overlap, since mail settles late.
_OVERLAP = timedelta(days=1)
_WEEKEND, _FORTNIGHT = 3, 14


def find(sight: Sight, baseline: Baseline, thresholds: Thresholds) -> Iterator[Finding]:
    """What became of the honest senders of the baseline."""
    new, refused, heirs = successors(sight, baseline), bounced(sight), _Heirs(sight)
    for seen in sight.senders:
        known = baseline.senders.get(seen.key)
        if known is None or not known.accepted or not honest(seen):
            continue
        moved = _moved(seen, known, new.get(seen.key, []), sight, baseline)
        if moved is not None:
            yield moved
        elif sight.history_until is None or seen.key in refused or heirs.of(seen, known):
            continue
        elif _expected(seen, sight):
            yield from _silent(seen, sight, baseline, thresholds)


def successors(sight: Sight, baseline: Baseline) -> Mapping[str, list[SenderSight]]:
    """Key of an honest sender of the baseline -> new senders elsewhere that greet and write exactly as it did.

    Only where the old one has stopped, and where no two of the baseline could be meant.
    """
    habits: dict[tuple[str, str], set[str]] = {}
    old: dict[str, SenderSight] = {}
    for seen in sight.senders:
        known = baseline.senders.get(seen.key)
        if known is not None and known.accepted and honest(seen):
            old[seen.key] = seen
            for habit in _habits(seen):
                habits.setdefault(habit, set()).add(seen.key)
    found: dict[str, list[SenderSight]] = {}
    for seen in sight.senders:
        if seen.key in baseline.senders or seen.assessment is Verdict.SPOOFING or not uses_door(seen.sender):
            continue
        alike = {key for habit in _habits(seen) for key in habits.get(habit, ())}
        moved = [key for key in alike if _follows(seen, old[key], baseline.senders[key])]
        if len(moved) == 1:
            found.setdefault(moved[0], []).append(seen)
    return found


class _Heirs:
    """Who goes on where a sender stopped, after its move was accepted: its habits, at one of its accepted places."""

    def __init__(self, sight: Sight) -> None:
        self._by_habit: dict[tuple[str, str], list[SenderSight]] = {}
        for seen in sight.senders:
            for habit in _habits(seen):
                self._by_habit.setdefault(habit, []).append(seen)

    def of(self, old: SenderSight, known: KnownSender) -> bool:
        """Whether there is one; a neighbour behind the same address is none."""
        homes = addresses(known.places)
        return any(
            new.sender.last_seen > old.sender.last_seen and homes & addresses(new.places)
            for habit in _habits(old)
            for new in self._by_habit[habit]
        )


def _habits(seen: SenderSight) -> list[tuple[str, str]]:
    hosts = sorted({host for name in seen.sender.helo if (host := specific_host(name))})
    return [(address.lower(), host) for address in seen.sender.mail_from if "@" in address for host in hosts]


def _follows(new: SenderSight, old: SenderSight, known: KnownSender) -> bool:
    elsewhere = bool(strange(new.places, known.places))
    return elsewhere and old.sender.last_seen <= new.sender.first_seen + _OVERLAP


def _moved(
    seen: SenderSight, known: KnownSender, followers: list[SenderSight], sight: Sight, baseline: Baseline
) -> Finding | None:
    # A service that SPF lists sends from wherever its network is today.
    device = seen.sender.service is None and seen.sender.submission is not Submission.INTERNET
    own = strange(seen.places, known.places) if device and addresses(known.places) else []
    other = sorted({each for new in followers for each in strange(new.places, known.places)})
    if not own and not other:
        return None
    closed = closed_since(sight, baseline) is not None
    again = (
        "A sender with the same HELO and envelope address appeared there when this one stopped; both can be copied"
        if other else "It is the same sender by its network and name"
    )  # fmt: skip
    text = (
        f"It now sends from {listed(own or other, 3)}, and was known at {listed(sorted(addresses(known.places)), 3)}. "
        f"{again}, so ask its owner. A connector by address does not know the new one."
    )
    return made(
        Kind.SENDER_MOVED, seen.key, seen.sender.name, text,
        severity=Severity.SERIOUS if closed else Severity.WARNING,
        evidence=[
            ("address", (own or other)[0]), ("new addresses", listed(own or other)), *told_of(seen)[:1],
            ("known addresses", listed(sorted(addresses(known.places)))), *told_of(seen)[3:],
            ("new report ids", listed([new.sender.id for new in followers])),
        ],
        since=min((new.sender.first_seen for new in followers), default=None),
    )  # fmt: skip


def _expected(seen: SenderSight, sight: Sight) -> bool:
    """Whether its mail should still be seen here: nobody moved it, no connector takes it, nothing shows it refused."""
    if not (uses_door(seen.sender) or seen.sender.submission is Submission.SENT_DIRECTLY) or left(seen):
        return False
    if seen.last_blocked is not None and seen.last_blocked >= seen.sender.last_seen:
        return False
    taken = attributed(sight)
    return not any(taken.get(each, seen.sender.last_seen) > seen.sender.last_seen for each in addresses(seen.places))


@dataclass(frozen=True, slots=True)
class _Habit:
    """Full days since its last mail, the longest it ever paused before (days), and on how many days it wrote."""

    silent: int
    pause: int
    active: int


def _habit(seen: SenderSight, until: datetime) -> _Habit:
    days = sorted(each for each, messages in seen.daily.items() if messages)
    pause = max(((later - earlier).days for earlier, later in pairwise(days)), default=1)
    # Who was seen for less than two weeks, or never on a weekend, has weekends that nobody has seen yet.
    if not days or (days[-1] - days[0]).days < _FORTNIGHT or not any(each.weekday() >= 5 for each in days):
        pause = max(pause, _WEEKEND)
    return _Habit((until - seen.sender.last_seen).days, pause, len(days))


def _silent(seen: SenderSight, sight: Sight, baseline: Baseline, thresholds: Thresholds) -> Iterator[Finding]:
    habit, closed = _habit(seen, known_until(sight)), closed_since(sight, baseline)
    last = seen.sender.last_seen
    # Mail that stops when the door closes has hardly stopped by itself: its longest pause is patience enough.
    shut = closed is not None and closed - timedelta(days=habit.pause + 1) <= last <= closed + SETTLED
    if shut and closed is not None and habit.active > 1 and habit.silent > habit.pause:
        alive = _alive(seen, sight, closed)
        if alive is not None:
            yield _reported(seen, alive)
            return
    patience = habit.pause + 1 if shut else max(thresholds.silent_days, thresholds.silent_factor * habit.pause)
    # Who had been silent for so long when the history was first read was no news then.
    begun = baseline.history_since is not None and last + timedelta(days=patience) >= baseline.history_since
    if begun and habit.active >= thresholds.regular_days and habit.silent > patience:
        yield _silence(seen, habit, shut=shut)


def _silence(seen: SenderSight, habit: _Habit, *, shut: bool) -> Finding:
    last = seen.sender.last_seen
    text = (
        f"Nothing since {day(last)}, {count(habit.silent, 'full day')}. It wrote on {count(habit.active, 'day')} and "
        f"never paused for more than {count(habit.pause, 'day')}."
    )
    if shut:
        text += (
            " It stopped when the door was closed. A refusal is invisible in the trace: look for a bounce, 550 5.7.68, "
            "in its own log, on its display or in its mailbox."
        )
    return made(
        Kind.SENDER_SILENT, seen.key, seen.sender.name, text,
        severity=Severity.SERIOUS if shut else Severity.WARNING,
        evidence=[*told_of(seen), ("silent for", f"{habit.silent} days"), ("longest pause", f"{habit.pause} days")],
        since=last,
    )  # fmt: skip


def _alive(seen: SenderSight, sight: Sight, closed: datetime) -> ReportedSight | None:
    """What DMARC reports of other receivers say of its addresses since the door was closed."""
    own = addresses(seen.places)
    # A report is about a day, and the door was open for part of the day on which it was closed.
    day_after = closed + timedelta(days=1) + SETTLED
    rows = [row for row in sight.reported if row.address in own and row.last > day_after]
    return max(rows, key=lambda row: (row.last, row.address), default=None)


def _reported(seen: SenderSight, row: ReportedSight) -> Finding:
    text = (
        f"Nothing has come here since {day(seen.sender.last_seen)}, when the door was closed, but other receivers' "
        f"DMARC reports show {row.address} at work until {day(row.last)} ({row.passed:,} passed, {row.failed:,} not). "
        "Its mail to you is probably refused, and a refusal is invisible in the trace."
    )
    return made(
        Kind.REPORTED_ELSEWHERE, seen.key, seen.sender.name, text,
        evidence=[*told_of(seen), ("reported address", row.address), ("reported until", row.last.isoformat())],
        since=seen.sender.last_seen,
    )  # fmt: skip
