"""The post room: its own spool, and those of processes that are gone."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from sidedoor.edge import post as post_module
from sidedoor.edge.post import PostRoom
from sidedoor.edge.reception.stamps import Marks
from sidedoor.edge.spool.folder import SpoolFolder
from sidedoor.edge.spool.model import Delivery, Fate, Outcome
from sidedoor.edge.spool.store import Store
from tests.edge.test_delivery import kept


class Carrier:
    """A transport that takes everything."""

    def __init__(self) -> None:
        self.got: list[str] = []

    async def deliver(self, delivery: Delivery) -> Sequence[Outcome]:
        self.got.append(delivery.message.id)
        return [Outcome(each, Fate.DELIVERED, "250 OK") for each in delivery.recipients]

    async def close(self) -> None:
        """Nothing is open."""


class Room:
    """A post room that looks for spools all the time, and what it says."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(post_module, "_ADOPT_EVERY", 0.02)
        self.carrier, self.said, self.looks = Carrier(), list[str](), 0
        nowhere: Any = None  # no settings are asked for without transport rules
        self.post = PostRoom(
            folder, self.carrier, "edge.example", Marks.NONE, nowhere, None, self.said.append, transport_rules=False
        )
        look = self.post._folder.abandoned

        def counted() -> Any:
            self.looks += 1
            return look()

        monkeypatch.setattr(self.post._folder, "abandoned", counted)

    async def until(self, holds: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not holds():  # noqa: ASYNC110  # of what has no event
                await asyncio.sleep(0.01)

    async def looked(self) -> None:
        """Until it has looked through the folder twice more."""
        before = self.looks
        await self.until(lambda: self.looks > before + 2)


def fill(path: Path, *names: str) -> None:
    store = Store(path)
    store.add([kept(name) for name in names])
    store.close()


def is_free(path: Path) -> bool:
    """Whether nobody has this spool; whoever looks through the folder has each for a moment."""
    slot = SpoolFolder(path.parent)._locked(path)
    if slot is not None:
        slot.release()
    return slot is not None


def test_a_spool_is_adopted_once_its_owner_is_gone_and_given_back_when_it_is_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        room = Room(tmp_path, monkeypatch)
        others = SpoolFolder(tmp_path)
        slot = others.take()
        assert slot.path.name == "spool-2.db"  # the first is the room's own
        fill(slot.path, "left", "behind")
        room.post.start()
        await room.looked()
        assert room.carrier.got == []  # it has an owner
        slot.release()
        await room.until(lambda: sorted(room.carrier.got) == ["behind", "left"])
        await room.until(lambda: is_free(slot.path))
        assert room.said == ["spool-2.db is left from a process that has ended; its 2 message(s) go on from here"]
        await room.post.close()
        assert is_free(tmp_path / "spool.db")
        assert others.abandoned() == []  # nothing is in them

    asyncio.run(run())


def test_a_dead_machines_spool_goes_on_from_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As docs/edge.md says: the -wal file first, for all of its mail lies there."""

    async def run() -> None:
        dead = Store(tmp_path / "spool-dead.db")
        dead.add([kept("left"), kept("behind")])  # and is not closed: its files are those of a process that was killed
        for end in (".db", ".db-wal"):
            shutil.copy(tmp_path / f"spool-dead{end}", tmp_path / f"copy{end}")
        room = Room(tmp_path, monkeypatch)
        room.post.start()
        await room.looked()
        for end in (".db-wal", ".db"):
            (tmp_path / f"copy{end}").rename(tmp_path / f"spool-7{end}")
        await room.until(lambda: sorted(room.carrier.got) == ["behind", "left"])
        await room.post.close()
        dead.close()

    asyncio.run(run())


def test_a_spool_that_cannot_be_read_is_told_of_once_and_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        (tmp_path / "spool-3.db").write_bytes(b"no database" * 1_000)
        fill(tmp_path / "spool-4.db", "left")
        room = Room(tmp_path, monkeypatch)
        room.post.start()
        await room.until(lambda: room.carrier.got == ["left"])
        await room.looked()
        await room.post.close()
        assert sum("spool-3.db" in text for text in room.said) == 1
        assert "waits for a person" in room.said[0] + room.said[1]

    asyncio.run(run())


def test_mail_of_two_owners_is_adopted_by_one_of_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        names = [f"m{number}" for number in range(12)]
        for number in range(3, 7):
            fill(tmp_path / f"spool-{number}.db", *names[(number - 3) * 3 : (number - 2) * 3])
        one, two = Room(tmp_path, monkeypatch), Room(tmp_path, monkeypatch)
        one.post.start()
        two.post.start()
        await one.until(lambda: len(one.carrier.got) + len(two.carrier.got) >= 12)
        await one.post.close()
        await two.post.close()
        assert sorted(one.carrier.got + two.carrier.got) == sorted(names)

    asyncio.run(run())
