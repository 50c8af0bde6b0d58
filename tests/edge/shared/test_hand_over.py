"""A released message goes to one spool, once, wherever its taker is killed, and whoever comes next."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, event

from sidedoor.edge.spool.model import Kept
from sidedoor.edge.spool.store import Store as Spool
from sidedoor.store.model import HeldMessage
from sidedoor.store.store import Store, open_store
from sidedoor.store.tenant import TenantStore
from tests.store.child import die_after
from tests.store.postgres import Postgres
from tests.store.store_kit import DOMAIN, HOUR, NOW, held

LATER = NOW + HOUR


def settle(tenant: TenantStore, spool: Spool) -> None:
    arriving = spool.arriving()
    tenant.settle_taken(spool.identity, arriving, lambda own: spool.settle_arriving(arriving, own, LATER))


def hand_over(tenant: TenantStore, spool: Spool) -> str | None:
    """As `edge.shared.fetcher` does it, without its threads."""

    def prepare(each: HeldMessage) -> None:
        content = each.content or b""
        spool.prepare(Kept(each.id, each.received_at, each.envelope_sender, each.recipients, content, each.smtputf8))

    settle(tenant, spool)
    taken = tenant.take_held(spool.identity, prepare)
    settle(tenant, spool)
    return taken


def in_spool(spool: Spool) -> list[Kept]:
    return [delivery.message for delivery in spool.due(LATER, 100)]


def fill(tenant: TenantStore, *numbers: int) -> None:
    tenant.hold([held(number) for number in numbers])
    for number in numbers:
        assert tenant.release_held(f"m-{number}", NOW)


def rows(store: Store) -> int:
    with store._database.read() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM held_message").scalar_one())


def test_it_arrives_as_it_was(store: Store, tmp_path: Path) -> None:
    tenant, spool = store.tenant(DOMAIN), Spool(tmp_path / "spool.db")
    whole = bytes(range(256)) * 1_000
    tenant.hold([held(1, content=whole, envelope_sender="bär@contoso.com", smtputf8=True), held(2)])
    assert hand_over(tenant, spool) is None
    assert tenant.release_held("m-1", NOW)
    assert hand_over(tenant, spool) == "m-1"
    assert in_spool(spool) == [Kept("m-1", LATER, "bär@contoso.com", ("desk@contoso.com",), whole, smtputf8=True)]
    assert (rows(store), [each.id for each in tenant.held_messages()]) == (1, ["m-2"])


def test_of_many_that_take_each_message_goes_to_one(url: str, tmp_path: Path) -> None:
    with open_store(url) as store:
        fill(store.tenant(DOMAIN), *range(30))
    spools = [Spool(tmp_path / f"{number}.db") for number in range(4)]

    def take(spool: Spool) -> None:
        with open_store(url) as mine:
            tenant = mine.tenant(DOMAIN)
            while tenant.released_messages():
                hand_over(tenant, spool)

    threads = [threading.Thread(target=take, args=(spool,)) for spool in spools]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    arrived = [message.id for spool in spools for message in in_spool(spool)]
    assert sorted(arrived) == sorted(f"m-{number}" for number in range(30))


def test_what_has_no_room_stays_for_others(store: Store, tmp_path: Path) -> None:
    tenant, full, other = store.tenant(DOMAIN), Spool(tmp_path / "full.db"), Spool(tmp_path / "other.db")
    fill(tenant, 1)

    def no_room(_: HeldMessage) -> None:
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        tenant.take_held(full.identity, no_room)
    assert hand_over(tenant, other) == "m-1"
    settle(tenant, full)
    assert in_spool(full) == []


def killed(url: str, path: Path, steps: int) -> bool:
    """Hand over in a process that is killed; False where it came to its end."""
    if (pid := os.fork()) == 0:
        store, spool = open_store(url), Spool(path)
        tenant = store.tenant(DOMAIN)
        spool._db.set_trace_callback(die_after(steps, store))
        hand_over(tenant, spool)
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(pid, 0)[1])


def same_first(tenant: TenantStore, same: Spool, other: Spool) -> None:
    hand_over(tenant, same)
    hand_over(tenant, other)


def other_first(tenant: TenantStore, same: Spool, other: Spool) -> None:
    hand_over(tenant, other)
    hand_over(tenant, same)


def settled_only(tenant: TenantStore, same: Spool, other: Spool) -> None:
    """The dead one's spool is adopted by somebody who takes with a spool of his own."""
    settle(tenant, same)
    hand_over(tenant, other)


@pytest.mark.parametrize(
    ("url", "after"),
    [("sqlite", same_first), *(("postgresql", after) for after in (same_first, other_first, settled_only))],
    indirect=["url"],
)
def test_a_kill_at_any_step_neither_loses_nor_doubles(
    url: str, tmp_path: Path, after: Callable[[TenantStore, Spool, Spool], None]
) -> None:
    steps, where = 0, set()
    while True:
        path = tmp_path / f"{steps}.db"
        with open_store(url) as store:
            fill(store.tenant(DOMAIN), steps)
        was_killed = killed(url, path, steps)
        with open_store(url) as store:
            same, other = Spool(path), Spool(tmp_path / "other.db")
            after(store.tenant(DOMAIN), same, other)
            arrived = [(name, message.id) for name, spool in (("same", same), ("other", other))
                       for message in in_spool(spool) if message.id == f"m-{steps}"]  # fmt: skip
            assert len(arrived) == 1, (steps, arrived)
            assert rows(store) == 0
            where.add(arrived[0][0])
            for spool in (same, other):
                assert spool.arriving() == []
                spool.close()
        if not was_killed:
            break
        steps += 1
    assert steps > 20
    assert where == ({"same"} if after is same_first else {"same", "other"})


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_who_settles_waits_for_a_hand_over_that_its_dead_owner_left_open(url: str, tmp_path: Path) -> None:
    """The server may still be about to commit what a killed process has asked for."""
    with open_store(url) as store, open_store(url) as adopter:
        tenant, spool = store.tenant(DOMAIN), Spool(tmp_path / "spool.db")
        fill(tenant, 1)
        prepared, settled, own = threading.Event(), threading.Event(), list[frozenset[str]]()

        def prepare(each: HeldMessage) -> None:
            prepared.set()
            assert not settled.wait(1.0)  # nobody has decided meanwhile

        thread = threading.Thread(target=lambda: tenant.take_held(spool.identity, prepare))
        thread.start()
        assert prepared.wait(10)
        adopter.tenant(DOMAIN).settle_taken(spool.identity, ["m-1"], own.append)
        settled.set()
        thread.join(10)
    assert own == [frozenset({"m-1"})]


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_mail_is_synced_where_the_server_does_not_by_itself(url: str, server: Postgres) -> None:
    name = url.rpartition("/")[2]
    server.sql(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    with open_store(url) as store:
        tenant, seen = store.tenant(DOMAIN), list[str]()

        def note(connection: Connection) -> None:
            seen.append(connection.exec_driver_sql("SHOW synchronous_commit").scalar_one())

        event.listen(store._database.engine, "commit", note)
        tenant.hold([held(1)])
        tenant.unhold(["m-1"])
    assert seen == ["on", "off"]


def test_a_moment_of_release_counts_for_retries(store: Store, tmp_path: Path) -> None:
    """Five days of retries begin when a message is let go, not when it came."""
    tenant, spool = store.tenant(DOMAIN), Spool(tmp_path / "spool.db")
    fill(tenant, 1)
    hand_over(tenant, spool)
    received: datetime = in_spool(spool)[0].received_at
    assert received == LATER
