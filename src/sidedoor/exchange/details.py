"""Details of chosen messages, one request each: envelope sender, connector, TLS and the device's own address."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from sidedoor.exchange.clock import Clock
from sidedoor.exchange.estimate import of_details
from sidedoor.exchange.flows import Target
from sidedoor.exchange.graph import Graph
from sidedoor.exchange.http import BrokenError
from sidedoor.exchange.invoke import Exchange
from sidedoor.exchange.pacing import Pacer
from sidedoor.exchange.windows import iso, moment, oldest, ticks
from sidedoor.exchange.wire import Refusal, RefusedError, Row, text_of
from sidedoor.exchange.work import Cursor, Line, Step

# In a row; then it is not the message but the right that is missing, or the service that is broken.
_MOST_REFUSED, _MOST_BROKEN = 20, 3


class DetailSource(Protocol):
    """Where details come from; `key` is the column that names the message."""

    @property
    def key(self) -> str:
        """MessageTraceId, or id."""

    def events(self, target: Target) -> Sequence[Row]:
        """All events. Raises RefusedError, UnreachableError."""


@dataclass(frozen=True, slots=True)
class V2Details:
    """Get-MessageTraceDetailV2."""

    exchange: Exchange
    pacer: Pacer
    clock: Clock
    key: str = "MessageTraceId"

    def events(self, target: Target) -> Sequence[Row]:
        """Without dates only the last 48 hours are looked at, and an older message gives an empty answer, no error."""
        now = self.clock.now()
        received = _moment(target.time, now)
        parameters = {
            "MessageTraceId": target.key,
            "RecipientAddress": target.recipient,
            "StartDate": iso(max(received - timedelta(hours=1), oldest(now))),
            "EndDate": iso(min(received + timedelta(days=2), now)),
        }
        return self.exchange.page("Get-MessageTraceDetailV2", parameters, self.pacer).rows


@dataclass(frozen=True, slots=True)
class GraphDetails:
    """Graph's getDetailsByRecipient."""

    graph: Graph
    pacer: Pacer
    key: str = "id"

    def events(self, target: Target) -> Sequence[Row]:
        """All events."""
        return self.graph.details(target.key, target.recipient, self.pacer)


@dataclass(slots=True)
class DetailWork:
    """The details of all targets into one JSON file.

    A message that the service will not tell about, or breaks at, is passed over and asked about once more at the end.
    """

    source: DetailSource
    targets: Sequence[Target]
    name: str
    header: Line = ()

    def start(self) -> Cursor:
        """The first target."""
        return _State().cursor()

    def resume(self, lines: Iterable[Line]) -> None:
        """The cursor says all."""

    def progress(self, rows: int, cursor: Cursor | None) -> str:
        """How many messages, and how long the rest takes."""
        if cursor is None:
            return f"details of {len(self.targets):,} messages: {rows:,} events"
        left = _State.of(cursor).left(len(self.targets))
        done = len(self.targets) - left
        return f"details of {done:,} of {len(self.targets):,} messages; the rest takes {of_details(left)} by the limits"

    def step(self, cursor: Cursor) -> Step:
        """One message. Raises RefusedError, BrokenError where one message after the other fails."""
        state, targets = _State.of(cursor), len(self.targets)
        at = state.current(targets)
        if at is None:
            return Step((), None, self._missing(state))
        target = self.targets[at]
        try:
            found = self.source.events(target)
        except (RefusedError, BrokenError) as error:
            if _is_hopeless(error, state.failed + 1):
                raise
            return self._then(state.failing(targets), told=[f"details of a message: {error}"])
        # A filter may be ignored without an error: what is of another message is not taken.
        events = [row for row in found if text_of(row, self.source.key).lower() == target.key.lower()]
        lines = [(line,) for line in dict.fromkeys(json.dumps(row, ensure_ascii=True) for row in events)]
        return self._then(state.answered(targets, told=bool(events)), lines)

    def _then(self, state: _State, lines: Sequence[Line] = (), told: Sequence[str] = ()) -> Step:
        """On to the next target, or to the end."""
        if state.current(len(self.targets)) is None:
            return Step(lines, None, self._missing(state), told)
        return Step(lines, state.cursor(), told=told)

    def _missing(self, state: _State) -> list[str]:
        lacking = state.empty + state.lost
        return [f"details of {lacking} of {len(self.targets)} messages: the service gave none"] if lacking else []


@dataclass(frozen=True, slots=True)
class _State:
    """next: the target to ask about. passed: targets that failed; `retried` of them have been asked about again.

    lost: targets that failed then too. empty: targets that the service told nothing of. failed: failures in a row.
    """

    next: int = 0
    passed: tuple[int, ...] = ()
    retried: int = 0
    lost: int = 0
    empty: int = 0
    failed: int = 0

    def current(self, targets: int) -> int | None:
        """The number of the target to ask about; None where there is none left."""
        if self.next < targets:
            return self.next
        return self.passed[self.retried] if self.retried < len(self.passed) else None

    def left(self, targets: int) -> int:
        """How many targets are still to be asked about."""
        return max(0, targets - self.next) + len(self.passed) - self.retried

    def answered(self, targets: int, *, told: bool) -> _State:
        """After an answer, empty or not."""
        return replace(self._onward(targets), empty=self.empty + (not told), failed=0)

    def failing(self, targets: int) -> _State:
        """After a failure."""
        if self.next < targets:
            return replace(self._onward(targets), passed=(*self.passed, self.next), failed=self.failed + 1)
        return replace(self._onward(targets), lost=self.lost + 1, failed=self.failed + 1)

    def _onward(self, targets: int) -> _State:
        return replace(self, next=self.next + 1) if self.next < targets else replace(self, retried=self.retried + 1)

    def cursor(self) -> Cursor:
        """For the state file."""
        return {**asdict(self), "passed": list(self.passed)}

    @staticmethod
    def of(cursor: Cursor) -> _State:
        """From the state file."""
        counts = {name: _number(cursor, name) for name in ("next", "retried", "lost", "empty", "failed")}
        passed = cursor.get("passed")
        numbers = passed if isinstance(passed, list) else []
        return _State(passed=tuple(each for each in numbers if isinstance(each, int)), **counts)


def _is_hopeless(error: RefusedError | BrokenError, failed: int) -> bool:
    """Whether the next message would fare no better. `failed`: failures in a row."""
    if isinstance(error, BrokenError):
        return failed >= _MOST_BROKEN
    return failed >= _MOST_REFUSED or error.refusal in {Refusal.UNAUTHORIZED, Refusal.NOT_PROVISIONED}


def _moment(text: str, now: datetime) -> datetime:
    """A time of a list, to the microsecond, never in the future."""
    found = ticks(text)
    if found is None:
        return now - timedelta(days=9)
    return min(moment(found), now)


def _number(cursor: Cursor, name: str) -> int:
    value = cursor.get(name)
    return value if isinstance(value, int) else 0
