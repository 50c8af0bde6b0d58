"""How long a collection takes by the service's limits alone. Pure; said before it starts."""

from __future__ import annotations

from dataclasses import dataclass

from sidedoor.exchange.graph import PAGE
from sidedoor.exchange.pacing import TRACE_REQUESTS, TRACE_WINDOW

_TYPICAL = 1_000_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """Trace requests, and the seconds that the limit makes of them (a request's own time not counted)."""

    requests: int

    @property
    def seconds(self) -> float:
        """The first hundred go at once, the next when five minutes have passed."""
        return max(0, self.requests - 1) // TRACE_REQUESTS * TRACE_WINDOW

    def __str__(self) -> str:
        return f"{self.requests:,} requests, {duration(self.seconds)}"


def of_lists(messages: int, windows: int) -> Estimate:
    """5,000 rows a request; each window has a last one that is not full, and one that proves it was the last."""
    return Estimate(2 * windows + messages // PAGE if windows else 0)


def of_details(messages: int) -> Estimate:
    """One request a message."""
    return Estimate(messages)


def outlook(windows: int, details: int, days: int = 0) -> list[str]:
    """What is said before the first request, when nobody knows yet how many messages there are."""
    lines = []
    if windows:
        least, typical = of_lists(0, windows), of_lists(_TYPICAL, windows)
        lines.append(
            f"message traces: {windows} windows of up to ten days; the service gives {PAGE:,} rows a request and takes "
            f"{TRACE_REQUESTS} requests in five minutes: at least {least}; with {_TYPICAL:,} messages {typical}"
        )
    if days:
        lines.append(f"EmailEvents: {days} days, a request each or, where a day has very many messages, a few")
    if windows and details:
        lines.append(f"details: of up to {details:,} messages, one request each: at most {of_details(details)}")
        together = Estimate(of_lists(_TYPICAL, windows).requests + details)
        lines.append(f"in all, with {_TYPICAL:,} messages and all those details: {together} by the service's limits")
    return lines


def duration(seconds: float) -> str:
    """`under a minute`, `25 min`, `1 h 40 min`."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return "under a minute"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest:02} min" if hours else f"{rest} min"
