"""The spool keeps what it has taken: through refusals, kills and a full disk, till each recipient is settled."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidedoor.edge.spool.model import Fate, Held, Kept, Outcome, SpoolError
from sidedoor.edge.spool.spool import Spool
from sidedoor.edge.spool.store import Store

NOW = datetime(2026, 11, 3, 8, 15, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)


def kept(
    name: str = "m1", *recipients: str, content: bytes = b"Subject: x\r\n\r\nbody\r\n", at: datetime = NOW
) -> Kept:
    return Kept(name, at, "scan@contoso.com", recipients or ("a@contoso.com",), content)


def test_what_is_kept_is_there_after_opening_again(tmp_path: Path) -> None:
    message = kept("m1", "a@contoso.com", "b@contoso.com", content=bytes(range(256)) * 100)
    first = Store(tmp_path / "spool.db")
    first.add([message])
    first.close()
    [delivery] = Store(tmp_path / "spool.db").due(NOW, 10)
    assert delivery.message == message
    assert delivery.recipients == ("a@contoso.com", "b@contoso.com")
    assert delivery.attempts == 0


def test_each_recipient_is_settled_by_itself(tmp_path: Path) -> None:
    store = Store(tmp_path / "spool.db")
    store.add([kept("m1", "a@x.example", "b@x.example", "c@x.example")])
    store.settle(
        "m1",
        [
            Outcome("a@x.example", Fate.DELIVERED, "250 ok"),
            Outcome("b@x.example", Fate.DEFERRED, "451 later"),
            Outcome("c@x.example", Fate.FAILED, "550 no"),
        ],
        LATER,
    )
    assert store.due(NOW, 10) == []
    assert store.next_due() == LATER
    [delivery] = store.due(LATER, 10)
    assert (delivery.recipients, delivery.attempts) == (("b@x.example",), 1)
    [waiting] = store.waiting()
    assert (waiting.recipient, waiting.last_reply, waiting.attempts) == ("b@x.example", "451 later", 1)
    store.settle("m1", [Outcome("b@x.example", Fate.DELIVERED, "250 ok")], LATER)
    assert store.count() == 0
    assert store.next_due() is None
    with pytest.raises(KeyError):
        store.message("m1")


def test_a_notice_is_kept_in_the_transaction_that_ends_the_message(tmp_path: Path) -> None:
    store = Store(tmp_path / "spool.db")
    store.add([kept("m1")])
    store.settle("m1", [Outcome("a@contoso.com", Fate.FAILED, "550 no")], LATER, [kept("n1", "scan@contoso.com")])
    assert [delivery.message.id for delivery in store.due(NOW, 10)] == ["n1"]


def test_the_longest_due_come_first_and_those_under_way_are_left_out(tmp_path: Path) -> None:
    store = Store(tmp_path / "spool.db")
    store.add([kept(f"m{n}", at=NOW - timedelta(minutes=n)) for n in range(5)])
    assert [delivery.message.id for delivery in store.due(NOW, 2)] == ["m4", "m3"]
    assert [delivery.message.id for delivery in store.due(NOW, 2, ["m4"])] == ["m3", "m2"]
    assert store.retry("m2", NOW - timedelta(hours=1))
    assert not store.retry("gone", NOW)
    assert store.due(NOW, 1)[0].message.id == "m2"


def test_a_batch_is_kept_whole_or_not_at_all(tmp_path: Path) -> None:
    store = Store(tmp_path / "spool.db")
    with pytest.raises(SpoolError):
        store.add([kept("m1"), kept("m2"), kept("m1")])
    assert store.count() == 0


def test_another_file_is_not_taken_for_a_spool(tmp_path: Path) -> None:
    (tmp_path / "spool.db").write_bytes(b"not a database, and long enough to be looked at" * 10)
    with pytest.raises(SpoolError):
        Store(tmp_path / "spool.db")


def test_one_message_that_cannot_be_kept_refuses_itself_alone(tmp_path: Path) -> None:
    async def run() -> list[BaseException | None]:
        spool = Spool(tmp_path / "spool.db")
        await spool.keep([kept("m1")])
        results = await asyncio.gather(*(spool.keep([kept(f"m{n}")]) for n in (1, 2, 3)), return_exceptions=True)
        assert await spool.count() == 3
        await spool.close()
        return results

    first, second, third = asyncio.run(run())
    assert isinstance(first, SpoolError)
    assert second is None
    assert third is None


def test_a_full_disk_is_an_error_and_the_spool_lives_on(tmp_path: Path) -> None:
    async def run() -> None:
        spool = Spool(tmp_path / "spool.db")
        await spool.keep([kept("m1")])
        # What a full disk does to SQLite, without needing one: no page beyond those there are.
        pages = spool._store._db.execute("PRAGMA page_count").fetchone()[0]
        spool._store._db.execute(f"PRAGMA max_page_count = {pages + 5}")
        with pytest.raises(SpoolError, match="full"):
            await spool.keep([kept("m2", content=b"x" * 1_000_000)])
        spool._store._db.execute("PRAGMA max_page_count = 1000000")
        await spool.keep([kept("m3")])
        assert await spool.count() == 2
        await spool.close()

    asyncio.run(run())


def test_a_client_that_goes_away_takes_no_other_with_it(tmp_path: Path) -> None:
    async def run() -> None:
        spool = Spool(tmp_path / "spool.db")
        gone = asyncio.create_task(spool.keep([kept("m1")]))
        stays = asyncio.create_task(spool.keep([kept("m2")]))
        await asyncio.sleep(0)
        gone.cancel()
        await stays
        await spool.close()

    asyncio.run(run())
    assert Store(tmp_path / "spool.db").count() == 2


@settings(max_examples=25, deadline=None)
@given(
    messages=st.lists(
        st.tuples(st.binary(max_size=300), st.sets(st.sampled_from("abcde"), min_size=1)), min_size=1, max_size=8
    ),
    fates=st.lists(st.sampled_from(Fate), min_size=1, max_size=20),
)
def test_every_recipient_ends_settled_or_waits(
    tmp_path_factory: pytest.TempPathFactory, messages: list[tuple[bytes, set[str]]], fates: list[Fate]
) -> None:
    store = Store(tmp_path_factory.mktemp("spool") / "spool.db")
    whole = [kept(f"m{n}", *sorted(who), content=content) for n, (content, who) in enumerate(messages)]
    store.add(whole)
    expected = {(message.id, one) for message in whole for one in message.recipients}
    deliveries = store.due(NOW, 100)
    assert {(delivery.message.id, one) for delivery in deliveries for one in delivery.recipients} == expected
    asked = [(delivery.message.id, one) for delivery in deliveries for one in delivery.recipients]
    for (message_id, one), fate in zip(asked, fates, strict=False):
        store.settle(message_id, [Outcome(one, fate, "x")], LATER)
        if fate is not Fate.DEFERRED:
            expected.discard((message_id, one))
    assert {(waiting.message_id, waiting.recipient) for waiting in store.waiting()} == expected
    assert store.count() == len({message_id for message_id, _ in expected})
    store.close()


def test_what_is_held_back_is_listed_released_or_deleted(tmp_path: Path) -> None:
    store = Store(tmp_path / "spool.db")
    store.add([kept("m1")], [Held(kept("q1", "b@contoso.com"), "rule Lockdown"), Held(kept("q2"), "rule Lockdown")])
    assert store.count() == 1
    first, second = store.quarantine()
    assert (first.id, first.recipients, first.why) == ("q1", ("b@contoso.com",), "rule Lockdown")
    assert store.held("q1") == Held(kept("q1", "b@contoso.com"), "rule Lockdown")
    store.release("q1", LATER)
    assert store.message("q1") == kept("q1", "b@contoso.com", at=LATER)
    store.delete(second.id)
    assert list(store.quarantine()) == []
    for gone in (store.held, store.delete):
        with pytest.raises(KeyError):
            gone("q1")


def test_a_transaction_is_kept_and_held_back_together_or_not_at_all(tmp_path: Path) -> None:
    async def run() -> tuple[int, list[str]]:
        spool = Spool(tmp_path / "spool.db")
        await spool.keep([kept("m1")], [Held(kept("q1"), "why")])
        with pytest.raises(SpoolError):
            await spool.keep([kept("m2")], [Held(kept("q1"), "why")])
        count, names = await spool.count(), [one.id for one in spool._store.quarantine()]
        await spool.close()
        return count, names

    assert asyncio.run(run()) == (1, ["q1"])


WRITER = """
import asyncio, sys
from datetime import UTC, datetime
from pathlib import Path
from sidedoor.edge.spool.model import Kept
from sidedoor.edge.spool.spool import Spool

async def client(spool, number):
    for count in range(100_000):
        name = f"{number}-{count}"
        await spool.keep([Kept(name, datetime.now(UTC), "", ("a@b.example",), name.encode() * 200)])
        sys.stdout.write(name + "\\n")
        sys.stdout.flush()

async def main():
    spool = Spool(Path(sys.argv[1]))
    await asyncio.gather(*(client(spool, number) for number in range(8)))

asyncio.run(main())
"""


@pytest.mark.parametrize("moment", [0.15, 0.3, 0.5])
def test_a_kill_loses_nothing_that_was_acknowledged(tmp_path: Path, moment: float) -> None:
    path = tmp_path / "spool.db"
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        first = writer.stdout.readline()
        time.sleep(moment)
        os.kill(writer.pid, signal.SIGKILL)
        acknowledged = (first + writer.stdout.read()).decode().splitlines()
    store = Store(path)
    there = {delivery.message.id: delivery.message for delivery in store.due(datetime.now(UTC), 1_000_000)}
    assert len(acknowledged) > 10
    # The last line may be cut by the kill; every whole one was acknowledged.
    missing = [name for name in acknowledged[:-1] if name not in there]
    assert missing == []
    assert all(message.content == name.encode() * 200 for name, message in there.items())
