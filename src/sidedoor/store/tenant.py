"""All that the store holds of one tenant. Every method is one transaction, and on disk when it returns."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from sidedoor.errors import OutputError
from sidedoor.store.alerts import Alerts, raise_alerts, recover_alerts, see_alerts
from sidedoor.store.changes import Applied, Changes
from sidedoor.store.database import lock_space
from sidedoor.store.decisions import Decisions, add_to_trail
from sidedoor.store.deliveries import Deliveries, add_deliveries, hold, mark_needless
from sidedoor.store.edges import Edges
from sidedoor.store.erasure import Erasure
from sidedoor.store.errors import RunningError, our_errors
from sidedoor.store.held import HeldMessages
from sidedoor.store.model import Alert, Baseline, TrailEntry
from sidedoor.store.observations import Observations, Runs, Values, keep_values, note_end
from sidedoor.store.retention import Retention
from sidedoor.store.senders import Senders, drop_senders, keep_baseline, keep_senders


class TenantStore(
    Decisions, Senders, Alerts, Deliveries, Observations, Runs, Values, HeldMessages, Edges, Retention, Erasure
):
    """One tenant's part of a store, from `Store.tenant`."""

    def apply(self, changes: Changes) -> Applied:
        """Write what a run found, all of it or nothing; returns what was new.

        Where two processes raise the same alert, one does: the other's alert and its deliveries are not inserted.
        Raises NotThereError where the run that ends is not there.
        """
        database, tenant = self._database, self._tenant
        with self._write() as connection:
            raised = raise_alerts(connection, database, tenant, changes.raised)
            see_alerts(connection, tenant, changes.seen, changes.at)
            recovered = recover_alerts(connection, tenant, changes.recovered, changes.at)
            needless = mark_needless(connection, tenant, changes.needless, changes.at)
            hold(connection, tenant, changes.held)
            deliveries = add_deliveries(connection, database, tenant, changes.deliveries)
            drop_senders(connection, tenant, changes.gone)
            keep_senders(connection, database, tenant, changes.senders)
            if changes.baseline is not None:
                keep_baseline(connection, database, tenant, changes.baseline)
            keep_values(connection, database, tenant, changes.values)
            if changes.end is not None:
                note_end(connection, tenant, changes.end)
        return Applied(raised, recovered, deliveries, needless)

    def accept_alert(self, alert_id: str, baseline: Baseline, who: str, via: str, at: datetime) -> Alert:
        """Keep a baseline that has what the alert is about, and who said so; it counts as acknowledged too.

        For whoever holds `running`, so that no run writes the baseline that it read before. Raises NotThereError.
        """
        with self._write() as connection:
            found = self._there(connection, alert_id)
            keep_baseline(connection, self._database, self._tenant, baseline)
            if found.acknowledged_at is None:
                self._answer(connection, alert_id, {"acknowledged_at": at, "acknowledged_by": who})
            said = {"kind": found.finding.kind, "subject": found.finding.subject}
            add_to_trail(connection, self._tenant, TrailEntry(at, who, via, "accept", found.id, {}, said))
            return self._there(connection, alert_id)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Held by one run of this tenant at a time, on any machine; who dies lets go. Raises RunningError."""
        path = self._database.place.path
        with self._file_lock(path) if path is not None else self._server_lock():
            yield

    @contextmanager
    def _file_lock(self, path: Path) -> Iterator[None]:
        lock = FileLock(lock_of(path, self._tenant), mode=0o600)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise RunningError(f"{self.domain}: another run is under way") from None
        except OSError as error:
            raise OutputError(f"{lock.lock_file}: cannot be written ({error.strerror or error})") from error
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def _server_lock(self) -> Iterator[None]:
        """An advisory lock of a connection of its own: PostgreSQL takes it back when that ends, however it ends."""
        key = (lock_space(), self._tenant)
        with self._database.reserved() as connection:
            with our_errors(self._database.place.name):
                if not connection.execute(select(func.pg_try_advisory_lock(*key))).scalar_one():
                    raise RunningError(f"{self.domain}: another run is under way")
            try:
                yield
            finally:
                with suppress(SQLAlchemyError):  # where the connection broke, the lock is gone with it
                    connection.execute(select(func.pg_advisory_unlock(*key)))


def lock_of(path: Path, tenant_id: int) -> Path:
    """The file that a run of a tenant holds, beside the store's."""
    return path.with_name(f"{path.name}.run-{tenant_id}")
