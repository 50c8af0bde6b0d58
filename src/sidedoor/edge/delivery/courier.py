"""Takes what is due out of the spool, has it delivered, and writes down what became of it."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from sidedoor.edge.delivery.notice import failure_notice
from sidedoor.edge.delivery.schedule import Schedule
from sidedoor.edge.delivery.transport import Transport, all_alike
from sidedoor.edge.spool.model import Delivery, Fate, Kept, Outcome, SpoolError
from sidedoor.edge.spool.spool import Spool

_IDLE = 5.0  # seconds between looks where nothing is announced: another process may release from quarantine


def _say_nothing(_message: Kept, _outcomes: Sequence[Outcome]) -> None:
    """For those who keep no log."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Courier:
    """`run` until cancelled. `reporter`: the name that notices are from. `at_once`: deliveries under way at a time.

    told: called with the message and its outcomes after each attempt, for the log.
    """

    spool: Spool
    transport: Transport
    reporter: str
    schedule: Schedule = field(default_factory=Schedule)
    at_once: int = 20
    told: Callable[[Kept, Sequence[Outcome]], None] = _say_nothing
    now: Callable[[], datetime] = _utc_now
    _under_way: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    async def run(self) -> None:
        """Deliver for ever. Cancelling it lets the deliveries under way finish."""
        try:
            while True:
                await self._start_due()
                await self._rest()
        finally:
            await self.drain()

    async def drain(self) -> None:
        """Wait for the deliveries under way."""
        while self._under_way:
            await asyncio.wait(self._under_way.values())

    async def _start_due(self) -> None:
        self.spool.arrived.clear()
        free = self.at_once - len(self._under_way)
        if free <= 0:
            return
        for delivery in await self.spool.due(self.now(), free, self._under_way):
            task = asyncio.create_task(self._deliver(delivery))
            self._under_way[delivery.message.id] = task
            task.add_done_callback(partial(self._done, delivery.message.id))

    def _done(self, message_id: str, _: asyncio.Task[None]) -> None:
        del self._under_way[message_id]
        self.spool.arrived.set()

    async def _rest(self) -> None:
        """Sleep until something arrives, ends, or is due."""
        due = await self.spool.next_due() if not self._under_way else None
        seconds = _IDLE if due is None else min(_IDLE, max(0.0, (due - self.now()).total_seconds()))
        try:
            await asyncio.wait_for(self.spool.arrived.wait(), seconds)
        except TimeoutError:
            return

    async def _deliver(self, delivery: Delivery) -> None:
        try:
            outcomes = await self.transport.deliver(delivery)
        except Exception as error:  # noqa: BLE001  # a transport's fault must not lose mail or stop the others
            outcomes = all_alike(delivery.recipients, Fate.DEFERRED, f"451 4.3.0 {type(error).__name__}")
        now = self.now()
        outcomes = [self._aged(delivery, outcome, now) for outcome in outcomes]
        failed = [outcome for outcome in outcomes if outcome.fate is Fate.FAILED]
        notice = failure_notice(uuid.uuid4().hex, delivery.message, failed, self.reporter, now)
        attempt = self.schedule.next_attempt(now, delivery.attempts + 1)
        await self._settle(delivery, outcomes, attempt, (notice,) if notice else ())
        self.told(delivery.message, outcomes)

    def _aged(self, delivery: Delivery, outcome: Outcome, now: datetime) -> Outcome:
        """What was deferred for too long has failed."""
        if outcome.fate is not Fate.DEFERRED or not self.schedule.expired(delivery.message.received_at, now):
            return outcome
        return Outcome(outcome.recipient, Fate.FAILED, f"550 5.4.7 given up; last: {outcome.reply}")

    async def _settle(
        self, delivery: Delivery, outcomes: Sequence[Outcome], attempt: datetime, notices: Sequence[Kept]
    ) -> None:
        """Until it is written down the message counts as under way, so a full disk does not deliver it again."""
        wait = 1.0
        while True:
            try:
                await self.spool.settle(delivery.message.id, outcomes, attempt, notices)
            except SpoolError:
                await asyncio.sleep(wait)
                wait = min(wait * 2, _IDLE)
            else:
                return
