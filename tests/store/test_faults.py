"""Killed, raced, full, stopped: no alert lost or doubled, nothing half, and what is said is ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sidedoor.errors import OutputError, UnreachableError
from sidedoor.store.changes import Changes
from sidedoor.store.errors import RunningError
from sidedoor.store.model import TrailEntry
from sidedoor.store.store import Store, open_store
from tests.store.child import BEFORE, mine, state
from tests.store.postgres import MISSING, Postgres
from tests.store.store_kit import DOMAIN, NOW, ROOT, alert, delivery


@contextmanager
def child(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process of tests/store/child.py; ended if it is still there."""
    command = [sys.executable, "-m", "tests.store.child", *arguments]
    with subprocess.Popen(command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def answer(process: subprocess.Popen[str], given: str = "") -> Any:
    """What it says in the end."""
    said, _ = process.communicate(given, timeout=120)
    assert process.returncode == 0
    return json.loads(said.splitlines()[-1])


def race(url: str, what: str) -> list[Any]:
    """Let two processes do the same thing at the same time; what each of them got."""
    with child("race", url, what) as one, child("race", url, what) as other:
        for process in (one, other):
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in (one, other):
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        return [answer(one), answer(other)]


def test_a_run_that_is_killed_at_any_statement_leaves_nothing_half(url: str) -> None:
    with child("kills", url) as process:
        seen = answer(process)
    assert len(seen) > 10
    assert seen[:-1] == [False] * (len(seen) - 1)
    assert seen[-1]


def test_two_processes_that_find_the_same_raise_it_once(url: str) -> None:
    inserted = race(url, "apply")
    assert sorted(inserted) == [0, 200]
    with open_store(url) as store:
        tenant = store.tenant(DOMAIN)
        assert len(tenant.open_alerts()) == 200
        assert Counter(each.channel for each in tenant.waiting()) == {"mail": 200}
        assert len(tenant.known_senders()) == 300


def test_of_two_that_claim_each_delivery_goes_to_one(url: str) -> None:
    with open_store(url) as store:
        store.tenant(DOMAIN).apply(mine())
    one, other = race(url, "claim")
    assert len(one) + len(other) == 200
    assert set(one).isdisjoint(other)


def test_of_two_that_decide_one_is_told(url: str) -> None:
    answers = race(url, "decide")
    assert sorted(type(each).__name__ for each in answers) == ["list", "str"]
    [owner] = [each for each in answers if isinstance(each, str)]
    [(kind, text)] = [each for each in answers if isinstance(each, list)]
    assert (kind, "changed by ann" in text) == ("StaleError", True)
    with open_store(url) as store:
        assert store.tenant(DOMAIN).decisions()["key"].owner == owner
        assert len(store.tenant(DOMAIN).trail()) == 1


def test_a_token_is_taken_by_one_of_two(url: str) -> None:
    with open_store(url) as store:
        store.put_token("0" * 64, "sign-in", NOW.replace(year=2027), {"for": "you"})
    assert sorted(race(url, "token"), key=str) == [None, {"for": "you"}]
    with open_store(url) as store:
        assert store.take_token("0" * 64, "sign-in", NOW) is None


def test_two_make_the_same_tenants(url: str) -> None:
    assert race(url, "tenant") == ["t49.example", "t49.example"]
    with open_store(url) as store:
        assert len(store.tenants()) == 51


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_two_that_open_a_new_store_both_do(database: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    for attempt in range(3):
        if database == "sqlite":
            url = f"sqlite:///{tmp_path}/{attempt}.db"
        else:
            url = request.getfixturevalue("server").make(f"new_{os.getpid()}_{attempt}")
        assert race(url, "open") == [[], []]


def test_a_run_that_is_killed_lets_go(url: str) -> None:
    with open_store(url) as store, child("hold", url) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        with pytest.raises(RunningError), store.tenant(DOMAIN).running():
            pass
        process.kill()
        process.wait()
        for _ in range(100):  # PostgreSQL notices in a moment
            try:
                with store.tenant(DOMAIN).running():
                    return
            except RunningError:
                continue
        pytest.fail("the lock outlived its holder")


def test_threads_of_one_process_do_not_get_in_each_others_way(store: Store) -> None:
    tenant = store.tenant(DOMAIN)

    def work(number: int) -> int:
        for step in range(10):
            tenant.put_value(f"mark-{number}", step)
            assert tenant.value(f"mark-{number}") == step
            tenant.note(TrailEntry(NOW, str(number), "cli", "test", str(step)))
        return len(tenant.trail("9"))

    with ThreadPoolExecutor(12) as threads:
        assert all(threads.map(work, range(24)))
    assert len(tenant.trail(limit=1_000)) == 240


def nothing_of(store: Store) -> bool:
    """Whether only `BEFORE` is there."""
    return len(store.tenant(DOMAIN).alerts(limit=1_000)) == 2 and store.tenant(DOMAIN).known_senders() == {}


def test_a_disk_that_is_full_leaves_nothing_half(tmp_path: Path) -> None:
    """With the file system's own word (ENOSPC), on one that is small."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], check=False, capture_output=True)
    if mount.returncode:
        pytest.skip("no right to mount a small file system")
    try:
        with open_store(disk / "sidedoor.db") as store:
            store.tenant(DOMAIN).apply(BEFORE)
            free = os.statvfs(disk)
            (disk / "ballast").write_bytes(b"x" * (free.f_bavail * free.f_frsize - 50_000))
            with pytest.raises(OutputError, match=r"sidedoor\.db: cannot be written \(.*full"):
                store.tenant(DOMAIN).apply(mine())
            assert nothing_of(store)
            (disk / "ballast").unlink()
            assert len(store.tenant(DOMAIN).apply(mine()).raised) == 198
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_file_that_may_not_grow_leaves_nothing_half(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/sidedoor.db"
    with open_store(url) as store:
        store.tenant(DOMAIN).apply(BEFORE)
        with child("full", url, "200000") as process:
            kind, text = answer(process)
        assert (kind, "sidedoor.db: cannot be written" in text) == ("OutputError", True)
        assert nothing_of(store)
        assert len(store.tenant(DOMAIN).apply(mine()).raised) == 198


def test_a_server_whose_disk_is_full_says_so(server: Postgres) -> None:
    """A trigger says what PostgreSQL says then (SQLSTATE 53100), in the middle of the transaction."""
    name = f"full_{os.getpid()}"
    url = server.make(name)
    with open_store(url) as store:
        store.tenant(DOMAIN).apply(BEFORE)
        server.sql(
            """CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$""",
            name,
        )
        server.sql("CREATE TRIGGER no_room BEFORE INSERT ON delivery FOR EACH ROW EXECUTE FUNCTION no_room()", name)
        with pytest.raises(OutputError, match="No space left"):
            store.tenant(DOMAIN).apply(mine())
        assert nothing_of(store)


@pytest.mark.skipif(bool(MISSING), reason=MISSING)
def test_a_server_that_is_gone_and_back() -> None:
    with Postgres() as server, open_store(server.make("store")) as store:
        tenant = store.tenant(DOMAIN)
        tenant.apply(BEFORE)
        before = state(store)
        with tenant.running():
            server.stop()
            for what in (tenant.open_alerts, lambda: tenant.apply(mine()), store.tenants):
                with pytest.raises(UnreachableError, match=r"PostgreSQL at 127\.0\.0\.1.*does not answer"):
                    what()
            with pytest.raises(UnreachableError):
                open_store(server.url("store"))
            server.start()
            assert state(store) == before
        assert len(tenant.apply(mine()).raised) == 198
        with tenant.running():
            pass


@pytest.mark.skipif(bool(MISSING), reason=MISSING)
def test_a_server_that_goes_in_the_middle_of_a_transaction_leaves_nothing_half() -> None:
    with Postgres() as server, open_store(server.make("store")) as store:
        tenant = store.tenant(DOMAIN)
        tenant.apply(BEFORE)

        def stopped_halfway() -> None:
            with tenant._write() as connection:
                tenant._answer(connection, "alert-1", {"acknowledged_by": "nobody"})
                server.stop()
                tenant._answer(connection, "alert-1", {"acknowledged_by": "nobody"})

        with pytest.raises(UnreachableError):
            stopped_halfway()
        server.start()
        assert tenant.alert("alert-1") == alert(1)


def test_who_holds_the_file_too_long_is_told_of(tmp_path: Path) -> None:
    with open_store(tmp_path / "sidedoor.db") as store, open_store(tmp_path / "sidedoor.db") as other:
        tenant = other.tenant(DOMAIN)
        with tenant._read() as patience:
            raw = patience.connection.driver_connection
            assert raw is not None
            raw.execute("PRAGMA busy_timeout = 50")  # of the one connection that is in the pool
        with store.tenant(DOMAIN)._write(), pytest.raises(UnreachableError, match="held it for too long"):
            tenant.apply(Changes(NOW, raised=(alert(1),), deliveries=(delivery(alert(1)),)))
        assert len(tenant.apply(BEFORE).raised) == 2
