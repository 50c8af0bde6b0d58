"""What a worker and its parent know of each other: a pair of sockets. Whoever sees the other end close is alone."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress

READY, BEAT = b"r", b"."
BEAT_EVERY = 5.0
"""Seconds between signs of life."""


class Lifeline:
    """The worker's end. `number` counts the workers of a parent, from 1."""

    def __init__(self, number: int, end: socket.socket) -> None:
        self.number = number
        self._end = end
        self._end.setblocking(False)
        self._timer: asyncio.TimerHandle | None = None

    def attach(self, alone: Callable[[], None]) -> None:
        """In the event loop, when all is up: say so, give signs of life, and call `alone` if the parent dies."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._end, self._look, alone)
        self._say(READY)
        self._beat()

    def _beat(self) -> None:
        self._say(BEAT)
        self._timer = asyncio.get_running_loop().call_later(BEAT_EVERY, self._beat)

    def _say(self, word: bytes) -> None:
        with suppress(OSError):  # gone, which the reader finds; or it does not read, and has enough to read then
            self._end.send(word)

    def _look(self, alone: Callable[[], None]) -> None:
        try:
            data = self._end.recv(64)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self._end)
            alone()

    def detach(self) -> None:
        """No more signs of life: the worker ends."""
        if self._timer is not None:
            self._timer.cancel()
        asyncio.get_running_loop().remove_reader(self._end)
