"""EmailEvents by advanced hunting: both senders, the connector and the authentication results of the last 30 days."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sidedoor.exchange.graph import Graph, kusto_time
from sidedoor.exchange.pacing import Pacer
from sidedoor.exchange.windows import Window, iso, moment, ticks
from sidedoor.exchange.wire import text_of
from sidedoor.exchange.work import Cursor, Line, Step

KEPT = timedelta(days=30)
SLICE = timedelta(days=1)
# 100,000 rows by API, 30,000 in the portal (advanced-hunting-limits); an answer of just as many has been cut.
CAPS = frozenset({10_000, 30_000, 100_000})
_MOST = 100_000
# Columns that the table has had since 2024; a query that names one it lacks fails as a whole. No subject.
COLUMNS: Line = (
    "Timestamp", "NetworkMessageId", "InternetMessageId", "SenderMailFromAddress", "SenderFromAddress",
    "SenderMailFromDomain", "SenderFromDomain", "SenderIPv4", "SenderIPv6", "RecipientEmailAddress", "EmailDirection",
    "DeliveryAction", "DeliveryLocation", "ThreatTypes", "Connectors", "AuthenticationDetails",
)  # fmt: skip


@dataclass(slots=True)
class HuntingWork:
    """The EmailEvents of one day. A slice that comes back full is cut in two and asked again."""

    graph: Graph
    pacer: Pacer
    window: Window
    name: str
    header: Line = COLUMNS

    def start(self) -> Cursor:
        """The day as one slice."""
        return {"left": _written([self.window])}

    def resume(self, lines: Iterable[Line]) -> None:
        """Slices do not overlap: nothing can come twice."""

    def progress(self, rows: int, cursor: Cursor | None) -> str:
        """How many rows."""
        return f"EmailEvents: {rows:,} rows{'' if cursor is None else ' so far'}"

    def step(self, cursor: Cursor) -> Step:
        """One slice."""
        first, *rest = _slices(cursor)
        rows = self.graph.hunt(query(first), self.pacer)
        left = _written(rest)
        if len(rows) >= _MOST or len(rows) in CAPS:
            halves = first.halves()
            if halves is not None:
                return Step((), {"left": _written(halves) + left})
            missing = [f"EmailEvents of {iso(first.start)}: more than the service gives in one answer"]
        else:
            missing = []
        ours = [row for row in rows if first.holds(text_of(row, "Timestamp"))]
        told = [f"{len(rows) - len(ours)} rows of other times were left out"] if len(ours) < len(rows) else []
        lines = [tuple(text_of(row, name) for name in COLUMNS) for row in ours]
        return Step(lines, {"left": left} if left else None, missing, told)


def query(window: Window) -> str:
    """The question in Kusto. Outbound mail has not come in by any door."""
    return (
        f"EmailEvents | where Timestamp >= {kusto_time(window.start)} and Timestamp < {kusto_time(window.end)} "
        f"| where EmailDirection != 'Outbound' | project {', '.join(COLUMNS)}"
    )


def _written(slices: Iterable[Window]) -> list[list[str]]:
    return [[iso(each.start), iso(each.end)] for each in slices]


def _slices(cursor: Cursor) -> list[Window]:
    left = cursor.get("left")
    assert isinstance(left, list)
    return [Window(_moment(start), _moment(end)) for start, end in left]


def _moment(text: str) -> datetime:
    found = ticks(text)
    assert found is not None
    return moment(found)
