"""The rows of one tenant: what each part of `TenantStore` stands on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, select, text, update

from sidedoor.store.database import Database
from sidedoor.store.errors import NotThereError
from sidedoor.store.schema import tenant


class Scope:
    """One tenant of a database; for use by any number of threads."""

    def __init__(self, database: Database, number: int, domain: str) -> None:
        self._database, self._tenant, self.domain = database, number, domain

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with self._database.read() as connection:
            yield connection

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        """The turn of a writer. Raises NotThereError where the tenant was deleted.

        The tenant's row is written first: others wait for it, so no two writers can wait for each other's rows.
        """
        with self._database.write() as connection:
            turn = update(tenant).where(tenant.c.id == self._tenant).values(revision=tenant.c.revision + 1)
            if connection.execute(turn).rowcount == 0:
                raise NotThereError(f"{self.domain}: the store no longer holds this tenant")
            yield connection

    @contextmanager
    def _append(self) -> Iterator[Connection]:
        """A transaction without a turn, for rows that one process writes and nobody decides by: what edges report.

        It does not wait for a run of `watch`, nor does it make pages read anew what they have.
        """
        with self._database.write() as connection:
            yield connection

    @contextmanager
    def _hand_over(self) -> Iterator[Connection]:
        """The same, for one that waits for something else while it holds rows; whoever hangs meanwhile lets go."""
        with self._append() as connection:
            if not self._database.is_sqlite:
                connection.execute(text("SET LOCAL lock_timeout = '5s'"))
                connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = '60s'"))
            yield connection

    def revision(self) -> int:
        """Rises with every change of this tenant's rows; the same one means that nothing has changed."""
        with self._read() as connection:
            found = connection.execute(select(tenant.c.revision).where(tenant.c.id == self._tenant)).scalar()
        return -1 if found is None else found
