"""When changed settings are read: not while files are still being put in place."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from datetime import datetime

from sidedoor.edge.current import Current
from sidedoor.edge.settings import Settings
from tests.edge.test_conversation import SETTINGS


class Looks:
    """A source whose signature is the next of `signs` at each look, the last of them from then on."""

    behind = False

    def __init__(self, *signs: str) -> None:
        self._signs = list(signs)
        self._sign = ""
        self.read_at: list[str] = []

    def signature(self) -> Hashable:
        self._sign = self._signs.pop(0) if len(self._signs) > 1 else self._signs[0]
        return self._sign

    def read(self, now: datetime) -> Settings:
        self.read_at.append(self._sign)
        return SETTINGS


def reads(*signs: str) -> list[str]:
    """At which signs settings are read, the first time at the beginning."""
    source = Looks(*signs)

    async def run() -> None:
        watching = asyncio.create_task(Current(source, lambda _: None).watch(0.001))
        await asyncio.sleep(0.25)
        watching.cancel()

    asyncio.run(run())
    return source.read_at


def test_files_that_are_being_replaced_are_read_when_they_are_all_there() -> None:
    assert reads("old", "old", "old") == ["old"]
    assert reads("old", "old", "one", "two", "three", "three", "three") == ["old", "three"]


def test_what_changes_for_a_moment_and_back_is_not_read() -> None:
    assert reads("old", "old", "being written", "old", "old") == ["old"]


def test_each_change_is_read() -> None:
    assert reads("old", *["new"] * 4, *["newer"] * 4) == ["old", "new", "newer"]
