"""All that an edge shares with others, together: made at the start, looked after while it runs, told at the end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING

from sidedoor.edge.interface import DecisionLog
from sidedoor.edge.settings import Ground, Settings
from sidedoor.edge.shared.fetcher import Fetcher
from sidedoor.edge.shared.link import AwayError, Link
from sidedoor.edge.shared.reports import Reporter, ToldLog
from sidedoor.edge.shared.settings import NAME, PublishedSource
from sidedoor.edge.shared.vault import Vault
from sidedoor.errors import UnreachableError

if TYPE_CHECKING:
    from sidedoor.store.store import Store

EVERY = 2.0
"""Seconds between looks at the store."""
_LAST_WORD = 3.0


class Shared:
    """One process of an edge, as one of several. `begin` in the event loop, `end` when the server has stopped."""

    def __init__(self, opens: Callable[[], Store], domain: str, worker: int, say: Callable[[str], None]) -> None:
        """domain: of the tenant in the store. worker: the number of this process on its machine."""
        self.name = f"{socket.gethostname()[:60]}/{worker}-{token_hex(4)}"
        self.link = Link(opens, domain, say)
        self.vault = Vault(self.link, self.name)
        self.fetcher = Fetcher(self.link)
        self._say = say
        self._reporter: Reporter | None = None
        self._task: asyncio.Task[None] | None = None

    def reach(self) -> None:
        """Open the store for the first time. One that does not answer is said; raises what is wrong with any other."""
        try:
            self.link.ask(lambda _: None, look=True)
        except AwayError as error:
            if error.__cause__ is not None and not isinstance(error.__cause__, UnreachableError | TimeoutError):
                raise error.__cause__ from None

    def source(self, ground: Ground, folder: Path | None) -> PublishedSource:
        """The settings that were published; the copy lies in `folder`."""
        return PublishedSource(self.link, ground, None if folder is None else folder / NAME)

    def log(self, inner: DecisionLog) -> ToldLog:
        """The decision log, what it holds told to the store too."""
        return ToldLog(inner)

    def begin(self, log: ToldLog, settings: Callable[[], Settings], waiting: Callable[[], Awaitable[int]]) -> None:
        """Report from now on."""
        self._reporter = Reporter(self.link, self.name, log, settings, waiting)
        self._task = asyncio.create_task(self._look_after(self._reporter))

    async def _look_after(self, reporter: Reporter) -> None:
        while True:
            try:
                await reporter.tell()
                await self.vault.tidy()
            except AwayError:
                pass  # said when it began
            except Exception as error:  # noqa: BLE001  # reports must not end; mail goes on without them
                self._say(f"the store was not told ({type(error).__name__}: {error})")
            await asyncio.sleep(EVERY)

    async def end(self) -> None:
        """Tell the store what it does not know yet, if it is there."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self._reporter is not None and not self.link.is_away:
            try:
                await asyncio.wait_for(self._reporter.tell(), _LAST_WORD)
                await asyncio.wait_for(self.vault.tidy(), _LAST_WORD)
            except (AwayError, TimeoutError):
                self._say("the store was not told of the last decisions")
