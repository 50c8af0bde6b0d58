"""The settings in force, and those that will be: what has changed is read, and comes into force after a delay.

The service takes up to 30 minutes to spread a changed setting (Exchange Team Blog 4408790); a faithful twin waits too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from sidedoor.edge.settings import Settings, SettingsSource
from sidedoor.errors import SidedoorError

_LOOK_EVERY = 1.0  # seconds
_MOST_TIMERS = 1_000


class Current:
    """`settings` is what the door asks; `changed` is called when others come into force."""

    def __init__(self, source: SettingsSource, say: Callable[[str], None], delay: float = 0.0) -> None:
        """Read for the first time. `delay` in seconds. Raises InputError."""
        self._source, self._say, self._delay = source, say, delay
        self._signature = source.signature()
        self.settings = source.read(datetime.now(UTC))
        self.changed: Callable[[Settings], None] = lambda _: None
        self._reading = asyncio.Lock()
        self._timers: list[asyncio.TimerHandle] = []

    def get(self) -> Settings:
        """The settings in force."""
        return self.settings

    async def watch(self, every: float = _LOOK_EVERY) -> None:
        """Look at the source again and again; ends when cancelled.

        A change is read when two looks find it the same: files that are being replaced one by one are no settings, and
        a door that is shut by half of them refuses mail for good.
        """
        last = self._signature
        while True:
            await asyncio.sleep(every)
            seen, before = await asyncio.to_thread(self._source.signature), last
            last = seen
            if (seen != self._signature and seen == before) or self._source.behind:
                await self.reload()

    async def reload(self) -> None:
        """Read now. Where that fails the settings stay as they are, and the operator is told."""
        async with self._reading:
            self._signature = await asyncio.to_thread(self._source.signature)
            try:
                fresh = await asyncio.to_thread(self._source.read, datetime.now(UTC))
            except (SidedoorError, OSError) as error:
                self._say(f"settings not reloaded, the old ones stay: {error}")
                return
            self._put_into_force(fresh)

    def _put_into_force(self, fresh: Settings) -> None:
        if not self._delay:
            self._apply(fresh)
            return
        self._say(f"settings read; in force in {self._delay / 60:.0f} minutes")
        # Changes spread one after another, so the timers end in the order of the changes.
        self._timers.append(asyncio.get_running_loop().call_later(self._delay, self._apply, fresh))
        self._timers = [timer for timer in self._timers if not timer.cancelled()][-_MOST_TIMERS:]

    def _apply(self, fresh: Settings) -> None:
        self.settings = fresh.since_now(datetime.now(UTC))
        for warning in fresh.warnings:
            self._say(f"warning: {warning}")
        self._say(f"settings in force: {fresh.summary()}")
        self.changed(self.settings)

    def close(self) -> None:
        """Forget settings that are not in force yet."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
