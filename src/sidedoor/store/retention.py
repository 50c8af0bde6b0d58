"""What is deleted because it is old."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Select, Table, and_, delete, func, or_, select

from sidedoor.store.edges import forget_edges
from sidedoor.store.model import Forgotten, Word
from sidedoor.store.schema import alert, decision, delivery, observation, run, sender, trail
from sidedoor.store.scope import Scope


class Retention(Scope):
    """Deletion by age."""

    def forget(self, before: datetime, *, trail_before: datetime | None = None) -> Forgotten:
        """Delete what was over before `before`; the trail only where `trail_before` says so.

        Alerts that recovered before, with their deliveries; observations and runs of before, but for the newest run;
        senders not seen since, of whom nobody has said anything; what edges reported. Decisions are kept, and
        so is mail that edges hold back. `compact` removes the rests.
        """
        old = and_(alert.c.tenant_id == self._tenant, alert.c.recovered_at < before)
        with self._write() as connection:
            return Forgotten(
                deliveries=_delete(
                    connection, delivery, delivery.c.tenant_id == self._tenant,
                    delivery.c.alert_id.in_(select(alert.c.id).where(old)),
                ),
                alerts=_delete(connection, alert, old),
                observations=_delete(
                    connection, observation, observation.c.tenant_id == self._tenant, observation.c.at < before
                ),
                runs=_delete(connection, run, run.c.tenant_id == self._tenant, *self._old_runs(before)),
                senders=_delete(
                    connection, sender, sender.c.tenant_id == self._tenant, sender.c.last_seen < before,
                    ~self._said_something().exists(),
                ),
                edges=forget_edges(connection, self._tenant, before),
                trail=0 if trail_before is None else _delete(
                    connection, trail, trail.c.tenant_id == self._tenant, trail.c.at < trail_before
                ),
            )  # fmt: skip

    def _old_runs(self, before: datetime) -> tuple[ColumnElement[bool], ...]:
        """All but the newest, which says what time it is at least."""
        newest = select(func.max(run.c.id)).where(run.c.tenant_id == self._tenant).scalar_subquery()
        return run.c.started < before, run.c.id < newest

    def _said_something(self) -> Select[tuple[str]]:
        said = (
            decision.c.assessment != Word.NONE, decision.c.owner != "", decision.c.method != "", decision.c.note != "",
            decision.c.due.is_not(None),
        )  # fmt: skip
        return select(decision.c.sender).where(
            decision.c.tenant_id == self._tenant, decision.c.sender == sender.c.key, or_(*said)
        )


def _delete(connection: Connection, table: Table, *where: ColumnElement[bool]) -> int:
    return connection.execute(delete(table).where(*where)).rowcount
