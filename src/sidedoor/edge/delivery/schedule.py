"""When to try again, and when to give up (RFC 5321 section 4.5.4.1). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

_MINUTES = (1, 5, 15, 30, 60, 120, 240)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Waits between attempts, the last one repeated, until a message is `give_up` old.

    RFC 5321 asks for 30 minutes at least and 4 to 5 days; sooner first retries serve greylisting and short outages.
    """

    waits: tuple[timedelta, ...] = tuple(timedelta(minutes=minutes) for minutes in _MINUTES)
    give_up: timedelta = timedelta(days=5)

    def next_attempt(self, now: datetime, attempts: int) -> datetime:
        """When to try again after `attempts` failed ones (1 or more)."""
        return now + self.waits[min(max(attempts, 1), len(self.waits)) - 1]

    def expired(self, received_at: datetime, now: datetime) -> bool:
        """Whether a message that came at `received_at` has been tried for long enough."""
        return now - received_at >= self.give_up
