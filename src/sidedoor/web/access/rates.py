"""How often somebody may try to sign in."""

from __future__ import annotations

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

_EACH: RateLimitItem = RateLimitItemPerMinute(10)  # of one client address, guessing
_MANY: RateLimitItem = RateLimitItemPerMinute(60)  # where an office may come from one address, and guesses lead nowhere
_ALL: RateLimitItem = RateLimitItemPerMinute(600)  # of all: an attacker has more than one address


class Tries:
    """Counts tries in this process; a moving window, so that there is no moment at which all is forgotten."""

    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def allowed(self, what: str, client: str, *, many: bool = False) -> bool:
        """Count one try; False where there were too many."""
        return self._limiter.hit(_MANY if many else _EACH, what, client) and self._limiter.hit(_ALL, what)

    def exhausted(self, what: str, client: str) -> bool:
        """Whether there were too many, without counting this one: for what counts failures only."""
        return not (self._limiter.test(_EACH, what, client) and self._limiter.test(_ALL, what))
