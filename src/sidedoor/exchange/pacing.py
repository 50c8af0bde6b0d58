"""How fast the service may be asked, and how long to wait when it says no. Pure but for the clock it is given.

Message traces: 100 requests in five minutes for the tenant, list and detail together (the strictest of the readings
of Get-MessageTraceV2 and of Graph's messageTraces). Advanced hunting: 45 calls a minute (advanced-hunting-limits).
Mail by Graph: 10,000 requests in ten minutes for an application and a mailbox (Graph, throttling-limits, Outlook).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from sidedoor.exchange.clock import Clock

TRACE_REQUESTS, TRACE_WINDOW = 100, 300.0
HUNTING_REQUESTS, HUNTING_WINDOW = 45, 60.0
MAILBOX_REQUESTS, MAILBOX_WINDOW = 10_000, 600.0
# Requests arrive later than they were sent, each by another amount: the service's five minutes are not quite ours.
_MARGIN = 3.0
_USUAL_WAIT = 60.0
_WORTH_SAYING = 5.0
_LONGEST_WAIT = 3_600.0


class Pacer:
    """At most `requests` within any `window` seconds; `wait` sleeps until one more may be sent, and counts it."""

    def __init__(self, clock: Clock, requests: int, window: float, say: Callable[[str], None] = lambda _: None) -> None:
        self._clock, self._requests, self._window, self._say = clock, requests, window + _MARGIN, say
        self._sent: deque[float] = deque()
        self.count = 0

    def wait(self) -> None:
        """Every request counts, those that failed and those that are repeated too."""
        if len(self._sent) >= self._requests:
            left = self._sent[0] + self._window - self._clock.steady()
            if left > 0:
                if left > _WORTH_SAYING:
                    self._say(f"{self._requests} requests are all the service takes for now; going on in {left:.0f} s")
                self._clock.sleep(left)
            self._sent.popleft()
        self._sent.append(self._clock.steady())
        self.count += 1

    def sent(self) -> list[float]:
        """When the requests that still count were sent, in seconds since 1970: for a run that follows this one."""
        age, now = self._clock.steady(), self._clock.now().timestamp()
        return [round(now - (age - each), 1) for each in self._sent if age - each < self._window]

    def remember(self, sent: Iterable[float]) -> None:
        """Requests of an earlier run count too. One that lies ahead of a clock that was set back was sent just now."""
        steady, now = self._clock.steady(), self._clock.now().timestamp()
        ages = sorted((max(now - each, 0.0) for each in sent), reverse=True)[-self._requests :]
        self._sent = deque(steady - age for age in ages if age < self._window)


def trace_pacer(clock: Clock, say: Callable[[str], None] = lambda _: None) -> Pacer:
    """For message traces and their details."""
    return Pacer(clock, TRACE_REQUESTS, TRACE_WINDOW, say)


def hunting_pacer(clock: Clock, say: Callable[[str], None] = lambda _: None) -> Pacer:
    """For advanced hunting."""
    return Pacer(clock, HUNTING_REQUESTS, HUNTING_WINDOW, say)


def mailbox_pacer(clock: Clock) -> Pacer:
    """For one mailbox."""
    return Pacer(clock, MAILBOX_REQUESTS, MAILBOX_WINDOW)


def retry_after(header: str | None, date: str | None, now: datetime) -> float:
    """Seconds that a Retry-After header asks for (RFC 9110 section 10.2.3), between one second and an hour.

    A time in it is the service's: it is held against the answer's own Date, and our clock where that is missing.
    """
    if header is None:
        return _USUAL_WAIT
    text = header.strip()
    if text.isascii() and text.isdecimal():
        return min(max(float(text[:10]), 1.0), _LONGEST_WAIT)
    when = _http_date(text)
    if when is None:
        return _USUAL_WAIT
    begin = _http_date(date or "") or now
    return min(max((when - begin).total_seconds(), 1.0), _LONGEST_WAIT)


def _http_date(text: str) -> datetime | None:
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when


def backoff(attempt: int) -> float:
    """Seconds before the next attempt after `attempt` failed ones: 1, 2, 4 ... 64."""
    return float(2 ** min(max(attempt - 1, 0), 6))
