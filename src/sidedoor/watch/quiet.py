"""Quiet hours: a span of the local day in which only what is critical may disturb. Pure: the time zone comes in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo

_SPAN = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)\s*-\s*([01]?\d|2[0-3]):([0-5]\d)", re.ASCII)


class QuietError(ValueError):
    """The text is no span of the day; the message says what was expected."""


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From `start` up to `end` by the wall clock of `zone`, over midnight where start is later than end."""

    start: time
    end: time
    zone: tzinfo

    def holds(self, moment: datetime) -> bool:
        """Whether it is quiet then."""
        clock = moment.astimezone(self.zone).time().replace(fold=0)
        if self.start < self.end:
            return self.start <= clock < self.end
        return clock >= self.start or clock < self.end

    def release(self, moment: datetime) -> datetime:
        """The moment itself where it is not quiet, else the next end of quiet hours, in UTC.

        The wall clock shows `end` once a day: never on the day that skips it (it is over when the clock jumps), twice
        on the day that repeats it. The first of these that lies ahead counts.
        """
        if not self.holds(moment):
            return moment
        local = moment.astimezone(self.zone)
        for day in (local.date(), local.date() + timedelta(days=1)):
            for fold in (0, 1):
                end = datetime.combine(day, self.end, self.zone).replace(fold=fold).astimezone(UTC)
                if end > moment:
                    return end
        raise AssertionError("an end of day after tomorrow is not needed")  # tomorrow's is always ahead


def parse_quiet(text: str, zone: tzinfo) -> QuietHours | None:
    """`22:00-06:00`; None for an empty text. Raises QuietError."""
    if not text.strip():
        return None
    match = _SPAN.fullmatch(text.strip())
    if match is None:
        raise QuietError(f"{text[:40]!r} is no span of the day such as 22:00-06:00")
    hours = [int(part) for part in match.groups()]
    start, end = time(hours[0], hours[1]), time(hours[2], hours[3])
    if start == end:
        raise QuietError(f"{text[:40]!r} begins when it ends: leave it empty, or name two times")
    return QuietHours(start, end, zone)
