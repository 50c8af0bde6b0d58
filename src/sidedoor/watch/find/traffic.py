"""How much came in a day: bursts of spoofs, and mail that goes round the filter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date, timedelta

from sidedoor.audit.model import Verdict
from sidedoor.plan import lockdown
from sidedoor.policy.decision import Submission
from sidedoor.report.words import count, day
from sidedoor.store.model import Finding, Severity
from sidedoor.watch.find.door import WEEK, closed_since, known_until, uses_door
from sidedoor.watch.find.made import listed, made
from sidedoor.watch.kinds import Kind
from sidedoor.watch.sight import Baseline, SenderSight, Sight, Thresholds

_NEWS = 2  # days: a burst is told of while the last one is no older
_BEFORE = 28  # days that say what is usual
_LEAST_BEFORE = 3  # fewer tell nothing
_TENFOLD = 10


def find(sight: Sight, baseline: Baseline, thresholds: Thresholds) -> Iterator[Finding]:
    """Both."""
    if sight.window is not None:
        yield from _burst(sight, baseline, thresholds)
        yield from _bypass(sight, thresholds)


def _burst(sight: Sight, baseline: Baseline, thresholds: Thresholds) -> Iterator[Finding]:
    spoofers = [seen for seen in sight.senders if seen.assessment is Verdict.SPOOFING]
    counts = _by_day(spoofers)
    recent = [each for each in _bursts(counts, sight, thresholds) if each >= known_until(sight).date() - _days(_NEWS)]
    if not recent:
        return
    worst = max(recent, key=lambda each: (counts[each], each))
    at_work = sorted(
        (seen for seen in spoofers if seen.daily.get(worst)), key=lambda seen: (-seen.daily[worst], seen.key)
    )
    direct = sum(seen.daily[worst] for seen in at_work if uses_door(seen.sender))
    came_in = closed_since(sight, baseline) is None and direct >= thresholds.burst_messages
    text = (
        f"{count(counts[worst], 'message')} in your name on {day(worst)} from {count(len(at_work), 'spoofing sender')}"
        f", {direct:,} by Direct Send{', and the door is open' if came_in else ''}."
    )
    yield made(
        Kind.SPOOF_BURST, "", day(worst), text,
        severity=Severity.SERIOUS if came_in else Severity.WARNING,
        evidence=[
            ("day", worst.isoformat()), ("messages", f"{counts[worst]:,}"), ("by Direct Send", f"{direct:,}"),
            ("senders", listed([seen.sender.name for seen in at_work], 5)),
            ("posing as", listed([name for seen in at_work[:3] for name in seen.sender.mail_from[:2]], 6)),
            ("other days", listed([f"{each.isoformat()}: {counts[each]:,}" for each in recent if each != worst])),
        ],
    )  # fmt: skip


def _by_day(senders: list[SenderSight]) -> Counter[date]:
    counts: Counter[date] = Counter()
    for seen in senders:
        counts.update(seen.daily)
    return counts


def _bursts(counts: Mapping[date, int], sight: Sight, thresholds: Thresholds) -> list[date]:
    """Days far above the usual, which is the upper quartile of the 28 days before: a week of it, and it is usual."""
    assert sight.window is not None
    first = sight.window[0].date()
    found = []
    for each in sorted(counts):
        days = [each - _days(ago) for ago in range(1, _BEFORE + 1)]
        before = sorted(counts.get(past, 0) for past in days if past >= first)
        if len(before) >= _LEAST_BEFORE:
            usual = before[len(before) * 3 // 4]
            if counts[each] >= max(thresholds.burst_messages, thresholds.burst_factor * usual):
                found.append(each)
    return found


def _days(number: int) -> timedelta:
    return timedelta(days=number)


def _bypass(sight: Sight, thresholds: Thresholds) -> Iterator[Finding]:
    until = known_until(sight).date()
    week = {each: messages for each, messages in sight.sent_directly.items() if until - WEEK < each <= until}
    messages = sum(week.values())
    if messages < thresholds.bypass_messages:
        return
    locked = lockdown.stands(sight.snapshot)
    rows = [seen for seen in sight.senders if seen.sender.submission is Submission.SENT_DIRECTLY]
    rows.sort(key=lambda seen: (-sum(seen.daily.get(each, 0) for each in week), seen.key))
    text = f"{count(messages, 'message')} in the last seven days came to Exchange Online without passing the filter."
    if locked:
        text += " A connector locks the door to all but the filter, and yet they came: it does not do what it should."
    yield made(
        Kind.FILTER_BYPASSED, "", f"{messages:,} messages in a week", text,
        severity=Severity.SERIOUS if locked or messages >= _TENFOLD * thresholds.bypass_messages else Severity.WARNING,
        evidence=[
            ("messages", f"{messages:,}"), ("days", listed([f"{each}: {week[each]:,}" for each in sorted(week)], 7)),
            ("senders", listed([seen.sender.name for seen in rows], 5)),
        ],
    )  # fmt: skip
