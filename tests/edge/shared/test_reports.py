"""What an edge tells the store of its decisions: no count is lost between two tellings, whatever comes in between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from sidedoor.edge.interface import DecisionRecord
from sidedoor.edge.settings import Settings
from sidedoor.edge.shared.link import AwayError
from sidedoor.edge.shared.reports import Reporter, ToldLog
from sidedoor.policy.rule import compile_rule
from sidedoor.store.model import EdgeCount, EdgeLine, SeenEdge
from sidedoor.tenant.snapshot import TenantSnapshot
from tests.edge.shared.test_link import Fake, link_to
from tests.edge.test_log_file import record
from tests.edge.test_reception import NOW


class Counting(Fake):
    """Keeps what it is told. fails: what the next telling raises."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: dict[tuple[object, ...], int] = {}
        self.fails: Exception | None = None

    def report_edge(self, seen: SeenEdge, counts: Iterable[EdgeCount], lines: Iterable[EdgeLine]) -> None:
        if self.fails is not None:
            fails, self.fails = self.fails, None
            raise fails
        self.counts.update({(each.day, each.outcome, each.submission): each.count for each in counts})

    def sweep_edges(self, now: Any) -> None:
        """Nothing is old."""


class Nowhere:
    """A log that keeps nothing."""

    def write(self, record: DecisionRecord) -> None:
        """See `DecisionLog`."""

    def close(self) -> None:
        """See `DecisionLog`."""


def settings() -> Settings:
    return Settings(compile_rule(TenantSnapshot()), NOW)


def reporter(fake: Counting, log: ToldLog, during: Callable[[], None] = lambda: None) -> Reporter:
    async def waiting() -> int:
        during()
        return 0

    return Reporter(link_to(fake), "edge-1", log, settings, waiting)


def test_a_decision_made_while_the_spool_is_counted_is_told() -> None:
    fake, log = Counting(), ToldLog(Nowhere())
    log.write(record("first"))

    async def run() -> None:
        await reporter(fake, log, lambda: log.write(record("meanwhile"))).tell()
        await reporter(fake, log).tell()

    asyncio.run(run())
    assert list(fake.counts.values()) == [2]


@pytest.mark.parametrize("error", [RuntimeError("a defect"), AwayError("gone")])
def test_what_could_not_be_told_is_told_the_next_time(error: Exception) -> None:
    fake, log = Counting(), ToldLog(Nowhere())
    log.write(record("first"))
    fake.fails = error

    async def run() -> None:
        one = reporter(fake, log)
        with pytest.raises(type(error)):
            await one.tell()
        await one.tell()

    asyncio.run(run())
    assert list(fake.counts.values()) == [1]
