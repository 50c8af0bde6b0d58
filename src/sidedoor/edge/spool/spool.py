"""The spool as the server sees it: `await keep([message])` returns when the message is on disk.

While one batch is being synced the next gathers, so the more clients wait the fewer syncs each message costs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from sidedoor.edge.spool.model import Delivery, Held, Kept, Outcome, SpoolError
from sidedoor.edge.spool.store import Store

T = TypeVar("T")
_MOST_BYTES = 32 * 1024 * 1024  # of one batch, beyond its first message


@dataclass(frozen=True, slots=True)
class _Asked:
    """What one client waits for."""

    messages: tuple[Kept, ...]
    held: tuple[Held, ...]
    kept: asyncio.Future[None]

    @property
    def size(self) -> int:
        return sum(len(message.content) for message in (*self.messages, *(one.message for one in self.held)))


class Spool:
    """A store with one thread of its own. Make it inside a running event loop; close it when the server has stopped."""

    def __init__(self, path: Path, most_in_batch: int = 64) -> None:
        """Open the spool at `path`. Raises SpoolError."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="spool")
        self._store = self._thread.submit(Store, path).result()
        self.identity = self._store.identity
        self._most = most_in_batch
        self._pending: list[_Asked] = []
        self._writer: asyncio.Task[None] | None = None
        self.arrived = asyncio.Event()

    async def keep(self, messages: Sequence[Kept], held: Sequence[Held] = ()) -> None:
        """Return when `messages` and `held` are on disk, all or none. Raises SpoolError where they could not be kept.

        The recipients of one transaction may fare differently: some are delivered to, some held back.
        """
        kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pending.append(_Asked(tuple(messages), tuple(held), kept))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())
        # A client that goes away must not take the batch with it, and what was written stays written.
        await asyncio.shield(kept)

    async def _write(self) -> None:
        try:
            while self._pending:
                await asyncio.sleep(0)  # who is being read at this moment may come along: a seventh more a second
                batch = self._next_batch()
                await self._commit(batch)
        finally:
            self._writer = None

    def _next_batch(self) -> list[_Asked]:
        size, count = 0, 0
        for asked in self._pending[: self._most]:
            size += asked.size
            if count and size > _MOST_BYTES:
                break
            count += 1
        batch, self._pending = self._pending[:count], self._pending[count:]
        return batch

    async def _commit(self, batch: Sequence[_Asked]) -> None:
        try:
            messages = [message for asked in batch for message in asked.messages]
            await self._run(partial(self._store.add, messages, [held for asked in batch for held in asked.held]))
        except SpoolError as error:
            if len(batch) > 1:
                # One message too many for the disk must not refuse the others.
                for one in batch:
                    await self._commit([one])
                return
            self._finish(batch, error)
        except Exception as error:  # noqa: BLE001  # whatever it is, every client gets its 4xx and the server lives
            self._finish(batch, SpoolError(f"the spool cannot be written ({type(error).__name__})"))
        else:
            self._finish(batch, None)
            self.arrived.set()

    @staticmethod
    def _finish(batch: Sequence[_Asked], error: SpoolError | None) -> None:
        for asked in batch:
            if asked.kept.done():
                continue
            if error is None:
                asked.kept.set_result(None)
            else:
                asked.kept.set_exception(error)

    async def due(self, now: datetime, most: int, excluded: Iterable[str] = ()) -> list[Delivery]:
        """See `Store.due`."""
        return await self._run(partial(self._store.due, now, most, tuple(excluded)))

    async def next_due(self) -> datetime | None:
        """See `Store.next_due`."""
        return await self._run(self._store.next_due)

    async def settle(
        self, message_id: str, outcomes: Iterable[Outcome], next_attempt: datetime, notices: Sequence[Kept] = ()
    ) -> None:
        """See `Store.settle`."""
        await self._run(partial(self._store.settle, message_id, tuple(outcomes), next_attempt, tuple(notices)))

    def prepare(self, message: Kept) -> None:
        """See `Store.prepare`; for other threads than that of the event loop, which it would hold up."""
        self._thread.submit(self._store.prepare, message).result()

    def settle_arriving(self, asked: Iterable[str], own: Collection[str], now: datetime) -> None:
        """See `Store.settle_arriving`; for other threads too."""
        self._thread.submit(self._store.settle_arriving, asked, own, now).result()

    async def arriving(self) -> list[str]:
        """See `Store.arriving`."""
        return await self._run(self._store.arriving)

    async def is_empty(self) -> bool:
        """See `Store.is_empty`."""
        return await self._run(self._store.is_empty)

    async def count(self) -> int:
        """Messages in the spool."""
        return await self._run(self._store.count)

    async def close(self) -> None:
        """Write what is pending and give the file back."""
        if self._writer is not None:
            await self._writer
        await self._run(self._store.close)
        self._thread.shutdown()

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
