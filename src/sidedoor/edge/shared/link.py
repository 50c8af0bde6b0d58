"""The way to the store that edges share: threads that may hang without holding up anybody, and a switch.

While the store is away nobody waits for it: who asks is told at once, and the one who looks every few seconds (`look`)
finds out when it is back. Threads are daemons, because a server that takes connections and says nothing may hold one
for as long as it likes, and the edge has to be able to end.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

from sidedoor.errors import SidedoorError, UnreachableError

if TYPE_CHECKING:
    from sidedoor.store.store import Store
    from sidedoor.store.tenant import TenantStore

T = TypeVar("T")
_THREADS = 3
PATIENCE = 15.0  # seconds for an answer, beyond the 10 that a connection may take to come about


class AwayError(UnreachableError):
    """The store cannot be asked now; its `__cause__` says why."""


class Link:
    """One tenant's part of the store, opened when it is first asked for; for any thread."""

    def __init__(self, opens: Callable[[], Store], domain: str, say: Callable[[str], None]) -> None:
        """opens: raises what `open_store` raises. say: is told when the store goes away and when it is back."""
        self.domain = domain
        self._opens, self._say = opens, say
        self._work: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._lock = threading.Lock()  # for opening
        self._store: Store | None = None
        self._tenant: TenantStore | None = None
        self._state = threading.Lock()  # for the two below
        self._away = ""
        self._since = 0.0
        for number in range(_THREADS):
            threading.Thread(target=self._run, name=f"store-{number}", daemon=True).start()

    @property
    def is_away(self) -> bool:
        """Whether the last that was heard of the store was trouble."""
        return bool(self._away)

    def ask(self, work: Callable[[TenantStore], T], *, patience: float = PATIENCE, look: bool = False) -> T:
        """Do `work` and wait, outside of the event loop. Raises AwayError, and what `work` raises of its own.

        Without `look` it is AwayError at once while the store is away.
        """
        self._refuse(look=look)
        future = self._submit(work)
        try:
            return future.result(patience)
        except TimeoutError as error:
            future.cancel()  # what no thread has begun is not begun any more
            raise self._too_slow(patience) from error

    async def call(self, work: Callable[[TenantStore], T], *, patience: float = PATIENCE, look: bool = False) -> T:
        """The same in the event loop."""
        self._refuse(look=look)
        asked = self._submit(work)
        future = asyncio.wrap_future(asked)
        future.add_done_callback(_heard)
        try:
            return await asyncio.wait_for(asyncio.shield(future), patience)
        except TimeoutError as error:
            asked.cancel()
            raise self._too_slow(patience) from error

    def _refuse(self, *, look: bool) -> None:
        if self._away and not look:
            raise AwayError(self._away)

    def _submit(self, work: Callable[[TenantStore], T]) -> Future[T]:
        future: Future[T] = Future()
        self._work.put(lambda: self._do(work, future))
        return future

    def _run(self) -> None:
        while True:
            self._work.get()()

    def _do(self, work: Callable[[TenantStore], T], future: Future[T]) -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            done = work(self._reach())
        except SidedoorError as error:
            self._went(str(error))
            away = AwayError(str(error))
            away.__cause__ = error
            future.set_exception(away)
        except BaseException as error:  # noqa: BLE001  # of `work`, for whoever waits for it
            future.set_exception(error)
        else:
            self._came()
            future.set_result(done)

    def _reach(self) -> TenantStore:
        with self._lock:
            if self._tenant is None:
                self._store = self._store or self._opens()
                self._tenant = self._store.tenant(self.domain)
            return self._tenant

    def _went(self, why: str) -> None:
        with self._state:
            first, self._away = not self._away, why or "the store does not answer"
            self._since = time.monotonic() if first else self._since
        with self._lock:
            self._tenant = None  # it may have been deleted: made anew, if so
        if first:
            self._say(f"the store is away, what would be held back is refused until it is back ({why})")

    def _came(self) -> None:
        with self._state:
            was, self._away = self._away, ""
            seconds = time.monotonic() - self._since
        if was:
            self._say(f"the store is back after {seconds:.0f} s")

    def _too_slow(self, patience: float) -> AwayError:
        self._went(f"no answer within {patience:.0f} s")
        return AwayError(f"the store of {self.domain} does not answer within {patience:.0f} s")

    def close(self) -> None:
        """Give the connections back, of whoever is not in the middle of something."""
        with self._state:
            store, self._store = self._store, None
        if store is not None:
            store.close()


def _heard(future: asyncio.Future[Any]) -> None:
    """What nobody waits for any more is not to be complained of."""
    if not future.cancelled():
        future.exception()
