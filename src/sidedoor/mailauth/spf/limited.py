"""Resolvers around a resolver: one that remembers, one that asks only what another does not know, one with an end."""

from __future__ import annotations

import time
from collections.abc import Callable

from sidedoor.mail.domain import Domain
from sidedoor.mailauth.resolver import Answer, Failure, Kind, Query, Resolver, fold

_MAX_REMEMBERED = 5_000


class Remembering:
    """Asks `resolver` each question once."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._answers: dict[Query, Answer] = {}

    def lookup(self, name: Domain | str, kind: Kind) -> Answer:
        """Answer from memory, or ask."""
        known = self.known(name, kind)
        if known is None:
            known = self._resolver.lookup(name, kind)
            if len(self._answers) < _MAX_REMEMBERED:
                self._answers[fold(name), kind] = known
        return known

    def known(self, name: Domain | str, kind: Kind) -> Answer | None:
        """The answer if it was given before."""
        return self._answers.get((fold(name), kind))


class Known:
    """Answers what `memory` knows, and asks `resolver` the rest; a failure that was is asked again."""

    def __init__(self, memory: Remembering, resolver: Resolver) -> None:
        self._memory, self._resolver = memory, resolver

    def lookup(self, name: Domain | str, kind: Kind) -> Answer:
        """Answer from memory, or ask."""
        known = self._memory.known(name, kind)
        return self._resolver.lookup(name, kind) if known is None or isinstance(known, Failure) else known


class Timed:
    """Asks `resolver` until `seconds` are over; from then on there is no answer (RFC 7208 section 4.6.4).

    A question under way is not interrupted: how long one may take is the resolver's own limit.
    """

    def __init__(self, resolver: Resolver, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._resolver, self._seconds, self._clock = resolver, seconds, clock
        self._end = clock() + seconds

    def lookup(self, name: Domain | str, kind: Kind) -> Answer:
        """Ask, if there is time left."""
        if self._clock() > self._end:
            return Failure(f"the {self._seconds:g} s for one check are over", temporary=True)
        return self._resolver.lookup(name, kind)
