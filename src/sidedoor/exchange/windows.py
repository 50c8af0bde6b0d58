"""Stretches of time that one query may cover, and times to the tenth of a microsecond as the service writes them. Pure.

A time is kept as the text it came in, because `datetime` has six digits and the service seven: a cursor that is rounded
down by half a microsecond loses the row it stood on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

# Get-MessageTraceV2 and Graph's messageTraces: 90 days back, at most 10 days a query. An hour is left to the clocks.
LONGEST_QUERY = timedelta(days=9, hours=23)
OLDEST = timedelta(days=90)
SLACK = timedelta(hours=1)
_TICKS = 10_000_000
_TIME = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)[T ](?P<time>\d\d:\d\d:\d\d)(?:\.(?P<part>\d{1,12}))?(?P<zone>Z|[+-]\d\d:\d\d)?",
    re.ASCII | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Window:
    """From `start` on and before `end`, both UTC."""

    start: datetime
    end: datetime

    def holds(self, time: str) -> bool:
        """Whether a time is in it; one that cannot be read is, so that its row is not lost."""
        found = ticks(time)
        return found is None or ticks_of(self.start) <= found < ticks_of(self.end)

    def halves(self) -> tuple[Window, Window] | None:
        """Two windows of whole milliseconds; None where there is nothing left to cut."""
        middle = self.start + (self.end - self.start) / 2
        middle = middle.replace(microsecond=middle.microsecond // 1000 * 1000)
        return (Window(self.start, middle), Window(middle, self.end)) if self.start < middle < self.end else None


def windows(since: datetime, until: datetime, longest: timedelta = LONGEST_QUERY) -> Iterator[Window]:
    """The stretch cut into windows, the oldest first: what is 90 days old today is gone tomorrow."""
    start = since
    while start < until:
        end = min(start + longest, until)
        yield Window(start, end)
        start = end


def oldest(now: datetime) -> datetime:
    """The earliest time to plan for: 90 days back, with an hour to spare."""
    return now - OLDEST + SLACK


def still_there(window: Window, now: datetime, kept: timedelta) -> Window | None:
    """What of a window the service has not forgotten yet, a minute before it does; None where that is nothing."""
    start = max(window.start, now - kept + timedelta(minutes=1))
    return Window(start, window.end) if start < window.end else None


@lru_cache(maxsize=1 << 14)  # a page's rows are looked at several times
def ticks(text: str) -> int | None:
    """A time as tenths of a microsecond since 1970; without a zone it is UTC. None where it is no ISO time."""
    match = _TIME.fullmatch(text.strip())
    if match is None:
        return None
    try:
        zone = (match["zone"] or "+00:00").upper().replace("Z", "+00:00")
        whole = datetime.fromisoformat(f"{match['date']}T{match['time']}{zone}")
    except ValueError:
        return None
    return round((whole - _EPOCH).total_seconds()) * _TICKS + int((match["part"] or "").ljust(7, "0")[:7])


def moment(found: int) -> datetime:
    """Ticks as a datetime in UTC, to the microsecond."""
    return _EPOCH + timedelta(microseconds=found // 10)


def ticks_of(when: datetime) -> int:
    """The same of a datetime."""
    return (when - _EPOCH) // timedelta(microseconds=1) * 10


def iso(when: datetime) -> str:
    """As the service writes it: `2026-11-03T08:21:31.0420000Z`."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")


def iso_of(found: int) -> str:
    """Ticks as the service writes them."""
    whole, part = divmod(found, _TICKS)
    return f"{_EPOCH + timedelta(seconds=whole):%Y-%m-%dT%H:%M:%S}.{part:07}Z"


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
