"""Honest senders that fell silent, by what they used to do, and by what other receivers still see of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import pairwise

from sidedoor.audit.model import Verdict
from sidedoor.policy.decision import Submission
from sidedoor.report.words import count, day
from sidedoor.store.model import Finding, KnownSender, Severity
from sidedoor.watch.find.bounced import bounced
from sidedoor.watch.find.door import SETTLED, addresses, attributed, closed_since, known_until, left, told_of, uses_door
from sidedoor.watch.find.made import made
from sidedoor.watch.find.moves import belonging, habits_of, news, successors
from sidedoor.watch.kinds import Kind
from sidedoor.watch.sight import Baseline, ReportedSight, SenderSight, Sight, Thresholds

_WEEKEND, _FORTNIGHT = 3, 14
_SOON = timedelta(days=2)  # no patience is shorter than a full day, so nobody is silent before


def find(sight: Sight, baseline: Baseline, thresholds: Thresholds) -> Iterator[Finding]:
    """Those that should be heard and are not. One that moved, is refused, or has an heir is not silent."""
    if sight.history_until is None:
        return
    new, refused, heirs, taken = successors(sight, baseline), bounced(sight), _Heirs(sight), attributed(sight)
    heard = known_until(sight) - _SOON
    for seen, known in belonging(sight, baseline):
        if seen.sender.last_seen > heard or seen.key in refused or not _expected(seen, taken):
            continue
        for finding in _silent(seen, sight, baseline, thresholds):
            if not any(news(seen, known, new.get(seen.key, []))) and not heirs.of(seen, known):
                yield finding


class _Heirs:
    """Who goes on where a sender stopped, after its move was accepted: its habits, at one of its accepted places."""

    def __init__(self, sight: Sight) -> None:
        self._sight = sight

    @cached_property  # for the first that is silent; most runs have none
    def _by_habit(self) -> Mapping[tuple[str, str], Sequence[SenderSight]]:
        found: dict[tuple[str, str], list[SenderSight]] = {}
        for seen in (each for each in self._sight.senders if each.assessment is not Verdict.SPOOFING):
            for habit in habits_of(seen):
                found.setdefault(habit, []).append(seen)
        return found

    def of(self, old: SenderSight, known: KnownSender) -> bool:
        """Whether there is one; a neighbour behind the same address is none."""
        homes = addresses(known.places)
        return any(
            new.sender.last_seen > old.sender.last_seen and homes & addresses(new.places)
            for habit in habits_of(old)
            for new in self._by_habit.get(habit, ())
        )


def _expected(seen: SenderSight, taken: Mapping[str, datetime]) -> bool:
    """Whether its mail should still be seen here: nobody moved it, no connector takes it, nothing shows it refused."""
    if not (uses_door(seen.sender) or seen.sender.submission is Submission.SENT_DIRECTLY) or left(seen):
        return False
    if seen.last_blocked is not None and seen.last_blocked >= seen.sender.last_seen:
        return False
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
