"""What can go wrong with the store, and how the words of SQLite and PostgreSQL become ours.

SidedoorError
├── UsageError
│   ├── StaleError         what was to be changed has been changed by somebody else
│   ├── NotThereError      no such tenant, alert or run
│   └── RunningError       another run is under way
├── OutputError            no room, no right to write
├── InputError             no database, or not one of ours, or of a newer version
├── UnreachableError       the server does not answer, or somebody holds the file for too long
└── StoreError             whatever else the database says

No error holds a password or what a statement was about to write: the first is a secret, the second is people's.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from sidedoor.errors import InputError, OutputError, SidedoorError, UnreachableError, UsageError
from sidedoor.store.model import Decision

WHAT = "a store of Sidedoor (docs/store.md)"


class StoreError(SidedoorError):
    """The database said something that was not foreseen."""


class StaleError(UsageError):
    """A change was made on something that has changed since; `current` is what it is now."""

    def __init__(self, current: Decision) -> None:
        by = f" by {current.by}" if current.by else ""
        super().__init__(f"{current.sender}: what is decided of this sender was changed{by} meanwhile; look again")
        self.current = current


class NotThereError(UsageError):
    """What is to be changed is not there (any more)."""


class RunningError(UsageError):
    """Another run of the same tenant is under way."""


@contextmanager
def our_errors(place: str) -> Iterator[None]:
    """Every error of the database leaves as one of ours; `place` names the store for people."""
    try:
        yield
    except (SQLAlchemyError, OverflowError, sqlite3.Error) as error:
        ours = translated(error, place)
        # What a server that is not reached says is in ours, and there is nothing more to know.
        raise ours from (None if isinstance(ours, UnreachableError) else error)


def translated(error: Exception, place: str) -> SidedoorError:
    """Our error for one of SQLAlchemy's or of the driver's."""
    cause = error.orig if isinstance(error, StatementError) else error
    if isinstance(cause, SidedoorError):  # a value was refused while a statement was put together
        return cause
    if isinstance(error, PoolTimeoutError):
        return UnreachableError(f"{place}: all connections are in use")
    said = _first_line(cause)
    if isinstance(cause, sqlite3.Error):
        return _of_sqlite(cause, place, said)
    state = getattr(cause, "sqlstate", None)
    if isinstance(state, str):
        return _of_postgresql(state, place, said)
    # Without an SQLSTATE there was no answer: no server, a name that is not resolved, a connection that broke.
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    if lost or isinstance(error, OperationalError | InterfaceError):
        return UnreachableError(f"{place}: does not answer ({said})")
    return StoreError(f"{place}: {type(cause).__name__} ({said})")


def _first_line(cause: BaseException | None) -> str:
    """What the database said, without details: those repeat the values of rows."""
    return (str(cause).strip().splitlines() or ["no reason given"])[0][:300]


def _of_sqlite(cause: sqlite3.Error, place: str, said: str) -> SidedoorError:
    # Primary result codes: https://sqlite.org/rescode.html. The driver's own complaints have none.
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    if code in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}:
        return InputError(place, said, WHAT)
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}:
        return UnreachableError(f"{place}: another process has held it for too long ({said})")
    if code in {
        sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_CANTOPEN,
    }:  # fmt: skip
        return OutputError(f"{place}: cannot be written ({said})")
    return StoreError(f"{place}: {type(cause).__name__} ({said})")


# https://www.postgresql.org/docs/current/errcodes-appendix.html
_GONE = (
    "08",
    "57P",
    "28",
    "3D",
    "57014",
    "53300",
    "55P03",
    "25P03",
)  # connection, shutdown, login, database, time, lock
_NO_ROOM = ("53100", "53200")  # disk, memory
_NO_RIGHT = ("42501", "25006")  # privilege, a server for reading only


def _of_postgresql(state: str, place: str, said: str) -> SidedoorError:
    if state.startswith(_GONE):
        return UnreachableError(f"{place}: does not answer ({said})")
    if state.startswith((*_NO_ROOM, *_NO_RIGHT)):
        return OutputError(f"{place}: cannot be written ({said})")
    return StoreError(f"{place}: SQLSTATE {state} ({said})")
