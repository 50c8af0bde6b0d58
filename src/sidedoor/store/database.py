"""Connections and transactions: the same promises on SQLite and on PostgreSQL.

A transaction that returned is on disk. A reader sees one state, however many statements it asks. Writers of one tenant
take turns: SQLite has one writer anyway, and on PostgreSQL each begins with the tenant's row.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Result, Table, create_engine, event, func, literal
from sqlalchemy.dialects import postgresql, sqlite

from sidedoor.errors import InputError, OutputError, UsageError
from sidedoor.store.errors import WHAT, our_errors
from sidedoor.store.place import Place

_BUSY_SECONDS = 30.0
_MAGIC = b"SQLite format 3\0"  # https://sqlite.org/fileformat.html#magic_header_string
_FETCHED = 1_000
_MOST_NAMED = 500
_BEGIN = "sidedoor_begin"
# How SQLite begins: a writer takes its turn at once, so that what it read before it writes is still so.
_READING, _WRITING, _NO_TRANSACTION = "BEGIN", "BEGIN IMMEDIATE", ""
# libpq waits for ever for a server that takes connections and says nothing, or was cut off; these say for how long.
# In another time zone the first and the last day of Python's calendar would be beyond it.
_CONNECTION = {
    "connect_timeout": 10, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3,
    "tcp_user_timeout": 60_000, "application_name": "sidedoor", "options": "-c timezone=UTC",
}  # fmt: skip


class Database:
    """One database and its connections; for use by any number of threads."""

    def __init__(self, place: Place) -> None:
        """Reach the database. Raises InputError, OutputError, UnreachableError, UsageError."""
        self.place = place
        self.is_sqlite = place.path is not None
        with our_errors(place.name):
            self.engine = _sqlite(place) if self.is_sqlite else _postgresql(place)

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One state of the database, for reading."""
        options = (
            {_BEGIN: _READING}
            if self.is_sqlite
            else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        )
        with self._transaction(options) as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """All that is done inside, or nothing; on disk when it is over."""
        with self._transaction({_BEGIN: _WRITING}) as connection:
            yield connection

    @contextmanager
    def _transaction(self, options: dict[str, Any]) -> Iterator[Connection]:
        with (
            our_errors(self.place.name),
            self.engine.connect().execution_options(**options) as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def reserved(self) -> Iterator[Connection]:
        """A connection without a transaction, for VACUUM and for locks that outlive transactions.

        Only reaching it is translated into our errors: what is done meanwhile may be anything.
        """
        options = {_BEGIN: _NO_TRANSACTION} if self.is_sqlite else {"isolation_level": "AUTOCOMMIT"}
        with our_errors(self.place.name):
            connection = self.engine.connect().execution_options(**options)
        with connection:
            yield connection

    def insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """INSERT that can say what to do where the row is there already."""
        return sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)


def rows(result: Result[*tuple[Any, ...]]) -> Iterator[Any]:
    """Many rows of a query, in the way that is fastest: neither one by one nor all at once."""
    for part in result.partitions(_FETCHED):
        yield from part


def parts(keys: Iterable[str]) -> Iterator[list[str]]:
    """Different keys, as many at a time as one statement can name."""
    asked = list(dict.fromkeys(keys))
    return (asked[start : start + _MOST_NAMED] for start in range(0, len(asked), _MOST_NAMED))


def lock_space() -> ColumnElement[int]:
    """The first half of the keys of our advisory locks: two stores in two schemas of one database are two stores."""
    return func.hashtext(literal("sidedoor.").concat(func.current_schema()))


def _postgresql(place: Place) -> Engine:
    given = set(place.url.query)
    try:
        return create_engine(
            place.url,
            connect_args={name: value for name, value in _CONNECTION.items() if name not in given},
            pool_pre_ping=True,  # a server that was started again is found so before the first statement
            pool_timeout=_BUSY_SECONDS,
            hide_parameters=True,  # what people wrote is not for logs
        )
    except ModuleNotFoundError as error:
        raise UsageError("a store on PostgreSQL needs `pip install sidedoor[postgresql]`") from error


def _sqlite(place: Place) -> Engine:
    _make_file(place)
    _use_log(place)
    engine = create_engine(
        place.url, connect_args={"timeout": _BUSY_SECONDS}, pool_timeout=_BUSY_SECONDS, hide_parameters=True
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # Python's module begins transactions late; `begin` below does it in time
        for pragma in ("foreign_keys = ON", "synchronous = FULL", "secure_delete = ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if how := connection.get_execution_options().get(_BEGIN, _READING):
            connection.exec_driver_sql(how)

    return engine


def _make_file(place: Place) -> None:
    """The file, readable by its owner alone; SQLite gives its other files the same rights."""
    path = place.path
    assert path is not None
    if path.is_dir():
        raise InputError(place.name, "a folder", WHAT)
    try:
        with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "rb") as file:
            begins = file.read(len(_MAGIC))
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error
    if begins and begins != _MAGIC:  # SQLite would take a few octets for an empty database
        raise InputError(place.name, "no SQLite database", WHAT)


def _use_log(place: Place) -> None:
    """Put the file into WAL mode, which it stays in: readers and a writer do not wait for each other.

    SQLite does not wait for others who do the same at this moment (https://sqlite.org/wal.html#busy), so we do.
    """
    until = time.monotonic() + _BUSY_SECONDS
    with closing(sqlite3.connect(str(place.path), timeout=_BUSY_SECONDS, isolation_level=None)) as connection:
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL").fetchone()
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
                time.sleep(0.02)
            else:
                return
