"""What a process of an edge tells the store of itself: that it is there, counts of its decisions, their last lines.

The log on disk is the record. What is told here may be a few seconds late; lines that the store did not take in time
are left out, counts are never wrong: they are told as they stand, again and again.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime

from sidedoor.edge.interface import DecisionLog, DecisionRecord
from sidedoor.edge.log import as_json
from sidedoor.edge.settings import Settings
from sidedoor.edge.shared.link import Link
from sidedoor.store.model import EdgeCount, EdgeLine, SeenEdge

_MOST_LINES = 100  # at a time
_SWEEP_EVERY = 3_600.0
_Key = tuple[date, str, str]


class ToldLog:
    """A decision log that notes what to tell beside what it writes."""

    def __init__(self, inner: DecisionLog) -> None:
        self._inner = inner
        self.counts: Counter[_Key] = Counter()
        self.changed: set[_Key] = set()
        self.lines: deque[tuple[int, DecisionRecord]] = deque(maxlen=_MOST_LINES)
        self._seq = 0

    def write(self, record: DecisionRecord) -> None:
        """See `DecisionLog`."""
        self._inner.write(record)
        recipient = record.recipient
        key = (recipient.decided_at.date(), record.outcome.value, recipient.decision.submission.value)
        self.counts[key] += 1
        self.changed.add(key)
        self._seq += 1
        self.lines.append((self._seq, record))

    def reopen(self) -> None:
        """Begin a new file, where there is one."""
        reopen = getattr(self._inner, "reopen", None)
        if reopen is not None:
            reopen()

    def close(self) -> None:
        """See `DecisionLog`."""
        self._inner.close()


class Reporter:
    """`tell` every few seconds. waiting: how many messages wait in the spools of this process."""

    def __init__(
        self,
        link: Link,
        name: str,
        log: ToldLog,
        settings: Callable[[], Settings],
        waiting: Callable[[], Awaitable[int]],
    ) -> None:
        self._link, self._name, self._log = link, name, log
        self._settings, self._waiting = settings, waiting
        self._began = datetime.now(UTC)
        self._swept: float | None = None

    async def tell(self) -> None:
        """Also how it is found out that the store is back. Raises AwayError; what was to be told waits then."""
        waiting = await self._waiting()
        seen = SeenEdge(self._name, self._began, datetime.now(UTC), self._settings().version, waiting)
        counts, lines = self._take()
        try:
            await self._link.call(lambda tenant: tenant.report_edge(seen, counts, lines), look=True)
        except BaseException:  # being stopped too: the last word tells it then
            self._log.changed.update((each.day, each.outcome, each.submission) for each in counts)
            raise
        while self._log.lines and lines and self._log.lines[0][0] <= lines[-1].seq:
            self._log.lines.popleft()
        await self._sweep()

    def _take(self) -> tuple[list[EdgeCount], list[EdgeLine]]:
        """What to tell. Nothing is awaited between reading what changed and forgetting it: a decision in between would
        be told only when the next of its kind is made."""
        counts = [EdgeCount(self._name, *key, self._log.counts[key]) for key in sorted(self._log.changed)]
        lines = [
            EdgeLine(self._name, seq, record.recipient.decided_at, as_json(record)) for seq, record in self._log.lines
        ]
        self._log.changed.clear()
        return counts, lines

    async def _sweep(self) -> None:
        now = time.monotonic()
        if self._swept is None or now - self._swept > _SWEEP_EVERY:
            self._swept = now
            await self._link.call(lambda tenant: tenant.sweep_edges(datetime.now(UTC)))
