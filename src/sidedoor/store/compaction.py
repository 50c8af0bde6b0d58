"""Making deleted rows vanish from the files, too."""

from __future__ import annotations

from sqlalchemy import Connection, text

from sidedoor.errors import UnreachableError
from sidedoor.store.database import Database
from sidedoor.store.errors import our_errors
from sidedoor.store.schema import METADATA

_PATIENCE_SECONDS = 30


def compact(database: Database) -> None:
    """Rewrite what is there, so that what was deleted is in no file of the database. Raises UnreachableError.

    Others wait meanwhile, for a second or so. Backups, PostgreSQL's archived log and what a file system keeps of
    overwritten files are beyond its reach.
    """
    with database.reserved() as connection, our_errors(database.place.name):
        if database.is_sqlite:
            _sqlite(connection, database.place.name)
        else:
            _postgresql(connection)


def _sqlite(connection: Connection, name: str) -> None:
    # `secure_delete` has overwritten most of it; pages that were moved about may hold more. The log is last.
    connection.execute(text("VACUUM"))
    if connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)")).one()[0]:
        raise UnreachableError(
            f"{name}: deleted, but another process reads it, so that its log still holds what was; compact it again"
        )


def _postgresql(connection: Connection) -> None:
    connection.execute(text(f"SET lock_timeout = '{_PATIENCE_SECONDS}s'"))
    try:
        for table in METADATA.tables:
            connection.execute(text(f'VACUUM (FULL) "{table}"'))
    finally:
        connection.execute(text("RESET lock_timeout"))
