"""How often message traces may be asked for: 100 requests in five minutes, lists and details and Graph's together.

Sources disagree whether list and detail share it (Exchange Team Blog 4488587 says so); the strictest is taken.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta

REQUESTS, WINDOW = 100, timedelta(minutes=5)


class Quota:
    """`wait()` counts a request."""

    def __init__(self, now: Callable[[], datetime], most: int = REQUESTS) -> None:
        self._now, self._most = now, most
        self._asked: deque[datetime] = deque()

    def wait(self) -> int:
        """Seconds until a request would be answered; 0 where this one is."""
        now = self._now()
        while self._asked and now - self._asked[0] >= WINDOW:
            self._asked.popleft()
        if len(self._asked) >= self._most:
            first = self._asked[0] if self._asked else now
            return max(1, int((first + WINDOW - now).total_seconds()))
        self._asked.append(now)
        return 0
