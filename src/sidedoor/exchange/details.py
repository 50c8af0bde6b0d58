"""Details of chosen messages, one request each: envelope sender, connector, TLS and the device's own address."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sidedoor.exchange.clock import Clock
from sidedoor.exchange.flows import Target
from sidedoor.exchange.graph import Graph
from sidedoor.exchange.invoke import Exchange
from sidedoor.exchange.pacing import Pacer
from sidedoor.exchange.windows import iso, moment, oldest, ticks
from sidedoor.exchange.wire import Refusal, RefusedError, Row, text_of
from sidedoor.exchange.work import Cursor, Line, Step

_MOST_REFUSED = 20  # in a row; then it is not the message but the right that is missing


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
        return self.exchange.run("Get-MessageTraceDetailV2", parameters, pacer=self.pacer).rows


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
    """The details of all targets into one JSON file."""

    source: DetailSource
    targets: Sequence[Target]
    name: str
    header: Line = ()

    def start(self) -> Cursor:
        """The first target."""
        return {"next": 0, "unanswered": 0, "refused": 0}

    def resume(self, lines: Sequence[Line]) -> None:
        """The cursor says all."""

    def step(self, cursor: Cursor) -> Step:
        """One message."""
        at, unanswered, refused = (_number(cursor, name) for name in ("next", "unanswered", "refused"))
        if at >= len(self.targets):
            return self._end(len(self.targets), unanswered)
        target = self.targets[at]
        told: list[str] = []
        try:
            found = self.source.events(target)
            refused = 0
        except RefusedError as error:
            if error.refusal in {Refusal.UNAUTHORIZED, Refusal.NOT_PROVISIONED} or refused + 1 >= _MOST_REFUSED:
                raise
            found, refused = (), refused + 1
            told.append(f"details refused: {error}")
        # A filter may be ignored without an error: what is of another message is not taken.
        events = [row for row in found if text_of(row, self.source.key).lower() == target.key.lower()]
        lines = [(json.dumps(row, ensure_ascii=True),) for row in events]
        unanswered += not events
        if at + 1 >= len(self.targets):
            return self._end(len(self.targets), unanswered, lines, told)
        return Step(lines, {"next": at + 1, "unanswered": unanswered, "refused": refused}, told=told)

    def _end(self, asked: int, unanswered: int, lines: Sequence[Line] = (), told: Sequence[str] = ()) -> Step:
        missing = [f"details of {unanswered} of {asked} messages: the service gave none"] if unanswered else []
        return Step(lines, None, missing, told)


def _moment(text: str, now: datetime) -> datetime:
    """A time of a list, to the microsecond, never in the future."""
    found = ticks(text)
    if found is None:
        return now - timedelta(days=9)
    return min(moment(found), now)


def _number(cursor: Cursor, name: str) -> int:
    value = cursor.get(name)
    return value if isinstance(value, int) else 0
