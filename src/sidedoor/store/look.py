"""A look at a store without changing it: what `open_store` would bring up to date stays as it is."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, create_engine, func, inspect, select
from sqlalchemy.pool import NullPool

from sidedoor.store.database import Database
from sidedoor.store.errors import our_errors
from sidedoor.store.place import Place, parse_place
from sidedoor.store.schema import REVISIONS, VERSION_TABLE, run, tenant


@dataclass(frozen=True, slots=True)
class Looked:
    """name: for people. revision: of the schema, "" where there is no store yet. newest: what this version makes.

    last_run, last_success: of the tenant; the second came to its end.
    """

    name: str
    revision: str = ""
    newest: str = REVISIONS[-1]
    last_run: datetime | None = None
    last_success: datetime | None = None


def is_server(url: str) -> bool:
    """Whether looking at it means connecting to somebody. Raises UsageError."""
    return parse_place(url).path is None


def look(url: str, domain: str) -> Looked:
    """What is there. Raises the errors of `open_store`."""
    place = parse_place(url)
    if place.path is not None and not place.path.exists():
        return Looked(place.name)
    with our_errors(place.name), _reading(place) as connection:
        if not inspect(connection).has_table(VERSION_TABLE):
            return Looked(place.name)
        revision = connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}").scalar()  # noqa: S608
        if revision != REVISIONS[-1]:
            return Looked(place.name, str(revision or ""))
        runs = select(func.max(run.c.started)).join(tenant).where(tenant.c.domain == domain)
        ended = runs.where(run.c.outcome.in_(("done", "incomplete")))
        return Looked(
            place.name,
            str(revision),
            last_run=connection.execute(runs).scalar(),
            last_success=connection.execute(ended).scalar(),
        )


@contextmanager
def _reading(place: Place) -> Iterator[Connection]:
    if place.path is None:
        database = Database(place)
        try:
            with database.read() as connection:
                yield connection
        finally:
            database.close()
        return
    # A reader of a file in WAL mode makes two files beside it, which would be this user's, in a run's way. Where there
    # are none nobody writes, and they can be done without (sqlite.org/wal.html, "Read-Only Databases").
    alone = not place.path.with_name(f"{place.path.name}-wal").exists()
    address = f"{place.path.as_uri()}?mode=ro{'&immutable=1' if alone else ''}"
    engine = create_engine(
        "sqlite+pysqlite://", creator=lambda: sqlite3.connect(address, uri=True), poolclass=NullPool
    )  # fmt: skip
    with engine.connect() as connection:
        yield connection
