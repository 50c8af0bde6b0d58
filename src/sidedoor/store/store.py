"""The store: one database, the tenants in it, and who is signed in.

with open_store("sqlite:///sidedoor.db") as store:
    store.tenant("contoso.com").decide(...)
"""

from __future__ import annotations

from pathlib import Path
from typing import Self

from sqlalchemy import delete, select

from sidedoor.errors import UsageError
from sidedoor.mail.domain import DomainError, parse_domain
from sidedoor.store.compaction import compact
from sidedoor.store.copying import copy_rows
from sidedoor.store.database import Database
from sidedoor.store.errors import NotThereError
from sidedoor.store.migrate import bring_up_to_date
from sidedoor.store.place import parse_place
from sidedoor.store.schema import tenant
from sidedoor.store.sessions import Sessions
from sidedoor.store.tenant import TenantStore, lock_of


def open_store(url: str | Path) -> Store:
    """Open a store, and make it or bring it up to date where that is needed.

    url: `sqlite:///FILE`, a Path, or `postgresql://USER@HOST/DATABASE`. Raises UsageError where it is none of these,
    InputError where it leads to something that is no store or is a newer version's, OutputError, UnreachableError.
    """
    database = Database(parse_place(url))
    try:
        bring_up_to_date(database)
    except BaseException:
        database.close()
        raise
    return Store(database)


class Store(Sessions):
    """An open store, for any number of threads. Close it, or use `with`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def name(self) -> str:
        """For people: the file, or server and database, without a password."""
        return self._database.place.name

    def close(self) -> None:
        """Give the connections back."""
        self._database.close()

    def tenants(self) -> tuple[str, ...]:
        """The domains of all tenants, in order."""
        with self._database.read() as connection:
            return tuple(connection.execute(select(tenant.c.domain).order_by(tenant.c.domain)).scalars())

    def tenant(self, domain: str) -> TenantStore:
        """The part of one tenant, made where it is not there. Raises UsageError where it is no domain."""
        name = _name(domain)
        number = self._number(name)
        if number is None:
            with self._database.write() as connection:
                statement = self._database.insert(tenant).values(domain=name).on_conflict_do_nothing()
                connection.execute(statement)
            number = self._number(name)
        if number is None:
            raise NotThereError(f"{name}: somebody else deleted this tenant at this moment")
        return TenantStore(self._database, number, name)

    def delete_tenant(self, domain: str) -> None:
        """Delete everything of a tenant, from the files too (`compact`). Raises NotThereError where there is none."""
        name = _name(domain)
        number = self._number(name)
        with self._database.write() as connection:
            gone = connection.execute(delete(tenant).where(tenant.c.domain == name)).rowcount
        if not gone or number is None:
            raise NotThereError(f"{name}: no such tenant in the store")
        path = self._database.place.path
        if path is not None:
            lock_of(path, number).unlink(missing_ok=True)
        self.compact()

    def compact(self) -> None:
        """Rewrite the files without what was deleted. Raises UnreachableError where others do not let go in time."""
        compact(self._database)

    def copy_to(self, target: Store) -> dict[str, int]:
        """Copy all tenants into an empty store; returns the rows of each table. Raises UsageError where it has some."""
        return copy_rows(self._database, target._database)  # a store, too

    def _number(self, name: str) -> int | None:
        with self._database.read() as connection:
            return connection.execute(select(tenant.c.id).where(tenant.c.domain == name)).scalar()


def _name(domain: str) -> str:
    try:
        return parse_domain(domain).ascii
    except DomainError as error:
        raise UsageError(f"a tenant is named by its domain: {error}") from error
