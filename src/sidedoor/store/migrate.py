"""Bringing a database's schema up to date. Any number of processes may do so at once; one does, the others wait."""

from __future__ import annotations

import threading

from sqlalchemy import Connection, func, inspect, select
from sqlalchemy.sql import column, table

from sidedoor.errors import InputError
from sidedoor.store.database import Database, lock_space
from sidedoor.store.errors import WHAT
from sidedoor.store.schema import METADATA, REVISIONS, VERSION_TABLE

_VERSION = table(VERSION_TABLE, column("version_num"))
_ONE_AT_A_TIME = threading.Lock()  # Alembic keeps its context in a module


def bring_up_to_date(database: Database) -> None:
    """Make or change the tables where they are not this version's. Raises InputError where they are not ours."""
    with database.read() as connection:
        found = _revision(connection, database)
    if found == REVISIONS[-1]:
        return
    with _ONE_AT_A_TIME, database.write() as connection:
        if not database.is_sqlite:
            connection.execute(select(func.pg_advisory_xact_lock(lock_space(), 0)))
        if _revision(connection, database) != REVISIONS[-1]:
            _upgrade(connection)


def _revision(connection: Connection, database: Database) -> str | None:
    """Of the schema that is there; None where there is none. Raises InputError where it is a stranger's, or newer."""
    tables = inspect(connection)
    if not tables.has_table(VERSION_TABLE):
        names = set(tables.get_table_names())
        # A server's database may be shared with others, a file is ours alone.
        if strange := names if database.is_sqlite else names & METADATA.tables.keys():
            raise InputError(database.place.name, f"the tables of another program ({min(strange)[:60]} ...)", WHAT)
        return None
    found: str | None = connection.execute(select(_VERSION.c.version_num)).scalar()
    if found is not None and found not in REVISIONS:
        newest = f"version {REVISIONS[-1]} or older; a newer Sidedoor has written it"
        raise InputError(database.place.name, f"a schema of version {found[:40]!r}", newest)
    return found


def _upgrade(connection: Connection) -> None:
    # Late, because most runs have nothing to change, and Alembic takes a quarter of a second to load.
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "sidedoor.store:migrations")
    command.upgrade(config, "head")
