"""How many pages follow something at once: each holds a connection."""

from __future__ import annotations

from collections import Counter

_MOST = 50
_MOST_OF_ONE = 4


class Streams:
    """Counts them; for use in one event loop."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()
        self.closing = False

    def enter(self, whose: str) -> bool:
        """Whether one more may begin; `leave` when it ends."""
        if self._open.total() >= _MOST or self._open[whose] >= _MOST_OF_ONE:
            return False
        self._open[whose] += 1
        return True

    def leave(self, whose: str) -> None:
        """One has ended."""
        self._open[whose] -= 1
        if self._open[whose] <= 0:
            del self._open[whose]
