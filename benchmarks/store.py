"""The store with 20,000 senders and 10,000 alerts: what a run writes and what a page reads, on SQLite and PostgreSQL.

    python benchmarks/store.py [--quick] [--senders 20000] [--alerts 10000] [--rounds 5] [--postgresql URL]

The floor of each database is its own driver without anything of ours: the same senders and places inserted by
`executemany` in one transaction, and read back by one SELECT each. Without `--postgresql` a server of its own is
started where PostgreSQL is installed.
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sqlalchemy import insert
from tests.store.postgres import MISSING, Postgres

from gather.form import Bench
from sidedoor.store.changes import Changes
from sidedoor.store.model import (
    Alert,
    AlertFilter,
    Decision,
    Delivery,
    DeliveryState,
    Finding,
    KnownSender,
    Occasion,
    Severity,
    TrailEntry,
    Word,
)
from sidedoor.store.schema import decision
from sidedoor.store.store import Store, open_store
from sidedoor.store.tenant import TenantStore

NOW = datetime(2026, 11, 28, tzinfo=UTC)
PLACES = 5  # of a sender
PUT, READ, PAGE = "store-put", "store-read", "store-page"


def main() -> int:
    """Measure both and tell."""
    bench = Bench(__file__, __doc__)
    bench.size("--senders", 20_000, quick=5_000)
    bench.size("--alerts", 10_000, quick=2_000)
    bench.size("--rounds", 5, quick=3)
    bench.option("--postgresql", default="", metavar="URL", help="a server that is there already")
    asked = bench.options()
    with tempfile.TemporaryDirectory(prefix="store-") as folder:
        floor = sqlite_floor(Path(folder), asked.senders)
        measured(bench, "SQLite", f"sqlite:///{folder}/sidedoor.db", asked, ("sqlite3 alone", *floor))
    with server(asked.postgresql) as url:
        if url:
            floor = postgresql_floor(url, asked.senders)
            measured(bench, "PostgreSQL", url, asked, ("psycopg alone", *floor))
        else:
            bench.left_out("PostgreSQL", MISSING)
    return bench.end()


@contextmanager
def server(url: str) -> Iterator[str]:
    """The one that was given, or one of our own, or none."""
    if url or MISSING:
        yield url
        return
    with Postgres() as own:
        yield own.make("store")


def measured(bench: Bench, name: str, url: str, asked: argparse.Namespace, floor: tuple[str, float, float]) -> None:
    """Tell everything of one database. `floor`: the driver's name, its seconds to write and to read."""
    with open_store(url) as store:
        store.tenant("neighbour.example").put_senders(senders(2_000))  # rows that must not cost anything
        tenant = store.tenant("bench.example")
        for what, seconds, goal, beside in figures(store, tenant, asked, floor[1:]):
            driver = (floor[0], beside * 1000) if beside else None
            bench.tell(f"{name}: {what}", seconds * 1000, "ms", driver, goal=_held(name, goal))
        store.delete_tenant("bench.example")


def _held(name: str, goal: str) -> str:
    """PostgreSQL is held to what pages need alone."""
    return goal if name == "SQLite" or goal == PAGE else ""


def figures(
    store: Store, tenant: TenantStore, asked: argparse.Namespace, floor: tuple[float, float]
) -> Iterator[tuple[str, float, str, float]]:
    """What was done, how long it took, the goal, and what the driver alone takes (0: not compared)."""
    seen = senders(asked.senders)
    yield "put all senders, new", once(lambda: tenant.put_senders(seen)), PUT, floor[0]
    yield "put all senders, nothing new", median(lambda: tenant.put_senders(seen), asked.rounds), PUT, 0
    yield "read all senders", median(tenant.known_senders, asked.rounds), READ, floor[1]
    found = findings(asked.alerts)
    yield "apply: all alerts new, two channels", once(lambda: tenant.apply(found)), "", 0
    over = frozenset(each.id for each in found.raised[: -asked.alerts // 50])
    yield "apply: most of them over", once(lambda: tenant.apply(Changes(NOW, recovered=over))), "", 0
    decide(store, tenant, asked.senders)
    yield "read all decisions", median(tenant.decisions, asked.rounds), "", 0
    for name, read in asked_by_pages(tenant, seen, asked.alerts).items():
        yield f"page: {name}", median(read, asked.rounds), PAGE, 0
    said = Decision("key-1", Word.SPOOFING, version=1)
    yield "decide", once(lambda: tenant.decide(said, "ann", "web", NOW)), "", 0
    yield "forget an address", once(lambda: tenant.forget_address("ann@contoso.example", "bob", "cli", NOW)), "", 0


def asked_by_pages(tenant: TenantStore, seen: list[KnownSender], alerts: int) -> dict[str, Callable[[], object]]:
    """What pages of `sidedoor web` ask of the store."""
    page = [each.key for each in seen[100:200]]
    return {
        "decisions of 100 senders": lambda: tenant.decisions(page),
        "alerts, newest 50": tenant.alerts,
        "alerts, the last page": lambda: tenant.alerts(offset=alerts - 50),
        "alerts, open and serious": lambda: tenant.alerts(AlertFilter(open_only=True, severity=Severity.SERIOUS)),
        "alerts, searched": lambda: tenant.alerts(AlertFilter(search="10.0.3.99")),
        "alerts, searched in vain, and counted": lambda: tenant.count_alerts(AlertFilter(search="nowhere")),
        "open alerts": tenant.open_alerts,
        "one alert and its deliveries": lambda: (tenant.alert("alert-9"), tenant.deliveries("alert-9")),
        "trail, newest 100": tenant.trail,
        "trail of one sender": lambda: tenant.trail("key-9"),
        "deliveries by channel and state": tenant.count_deliveries,
        "revision": tenant.revision,
    }


def once(work: Callable[[], object]) -> float:
    """Seconds of one time."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def median(work: Callable[[], object], rounds: int) -> float:
    """Seconds, after a first time that does not count."""
    work()
    return statistics.median(once(work) for _ in range(rounds))


def senders(count: int) -> list[KnownSender]:
    """With places that are all different."""
    return [
        KnownSender(
            f"key-{number}", f"id-{number}", f"Scanner {number}", "legitimate",
            frozenset((f"10.{number % 250}.{place}.{number // 250}", "contoso.com") for place in range(PLACES)),
            NOW - timedelta(days=90), NOW - timedelta(seconds=number), number,
        )
        for number in range(count)
    ]  # fmt: skip


def findings(count: int) -> Changes:
    """So many new alerts, with a message to each of two channels."""
    raised = tuple(
        Alert(
            f"alert-{number}",
            Finding(
                "new-sender", f"key-{number}", list(Severity)[number % 4], "A new sender sends directly",
                f"Scanner {number} sent {number} messages from 10.0.{number // 250}.{number % 250}. " * 3,
                "Say in the senders' table whether it is honest. " * 3, "history",
                (("address", f"10.0.{number // 250}.{number % 250}"), ("recipient", f"user{number}@contoso.example")),
            ),
            NOW - timedelta(minutes=number), NOW,
        )
        for number in range(count)
    )  # fmt: skip
    deliveries = tuple(
        Delivery(f"{each.id}-{channel}", each.id, Occasion.RAISED, channel, DeliveryState.DUE, NOW)
        for each in raised
        for channel in ("mail", "teams")
    )
    return Changes(NOW, raised=raised, deliveries=deliveries)


def decide(store: Store, tenant: TenantStore, count: int) -> None:
    """A decision on every sender, laid there as it is, and a long trail."""
    mine = tenant._tenant  # noqa: SLF001  # twenty thousand decisions one by one would be the benchmark
    rows = [
        {"tenant_id": mine, "sender": f"key-{number}", "assessment": Word.LEGITIMATE, "owner": "Facilities",
         "method": "connector", "note": "the scanner on floor 3", "due": date(2026, 12, 24),
         "decided_by": "ann@contoso.example", "decided_at": NOW, "version": 1}
        for number in range(count)
    ]  # fmt: skip
    with store._database.write() as connection:  # noqa: SLF001
        connection.execute(insert(decision), rows)
    for number in range(500):
        tenant.note(TrailEntry(NOW, "ann", "web", "decide", f"key-{number % 50}", {}, {"owner": "Facilities"}))


def floor_rows(count: int) -> tuple[list[Any], list[Any]]:
    """The rows of the same senders and places."""
    seen = senders(count)
    where = [(1, each.key, *place) for each in seen for place in each.places]
    return [
        (1, e.key, e.id, e.name, e.assessment, str(e.first_seen), str(e.last_seen), e.messages) for e in seen
    ], where


TABLES = (
    "CREATE TABLE s (t INTEGER, k TEXT, i TEXT, n TEXT, a TEXT, f TEXT, l TEXT, m INTEGER, PRIMARY KEY (t, k))",
    "CREATE TABLE p (t INTEGER, k TEXT, a TEXT, d TEXT, PRIMARY KEY (t, k, a, d))",
)


def sqlite_floor(folder: Path, count: int) -> tuple[float, float]:
    """Seconds to write and to read with Python's sqlite3 alone, synced as ours is."""
    some, where = floor_rows(count)
    with closing(sqlite3.connect(folder / "floor.db", isolation_level=None)) as db:
        for statement in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", *TABLES):
            db.execute(statement)

        def put() -> None:
            db.execute("BEGIN IMMEDIATE")
            db.executemany(f"INSERT INTO s VALUES ({', '.join('?' * 8)})", some)
            db.executemany("INSERT INTO p VALUES (?, ?, ?, ?)", where)
            db.execute("COMMIT")

        return once(put), median(lambda: [db.execute(f"SELECT * FROM {name}").fetchall() for name in "sp"], 5)


def postgresql_floor(url: str, count: int) -> tuple[float, float]:
    """The same with psycopg alone."""
    import psycopg

    some, where = floor_rows(count)
    with psycopg.connect(url) as db:
        for statement in ("CREATE SCHEMA floor", "SET search_path = floor", *TABLES):
            db.execute(statement.encode())
        db.commit()

        def put() -> None:
            with db.cursor() as cursor:
                cursor.executemany(f"INSERT INTO floor.s VALUES ({', '.join(['%s'] * 8)})".encode(), some)
                cursor.executemany(b"INSERT INTO floor.p VALUES (%s, %s, %s, %s)", where)
            db.commit()

        took = once(put), median(lambda: [db.execute(f"SELECT * FROM floor.{n}".encode()).fetchall() for n in "sp"], 5)
        db.execute("DROP SCHEMA floor CASCADE")
        return took


if __name__ == "__main__":
    sys.exit(main())
