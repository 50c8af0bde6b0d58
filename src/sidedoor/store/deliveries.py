"""Deliveries: the outbox. A message is claimed before it is sent, finished after, and so neither lost nor doubled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, func, or_, select, update

from sidedoor.store.alerts import ALERT_COLUMNS, alert_of
from sidedoor.store.columns import kept_key
from sidedoor.store.database import Database, parts
from sidedoor.store.model import Alert, Delivery, DeliveryState
from sidedoor.store.schema import alert, delivery
from sidedoor.store.scope import Scope

_COLUMNS = [
    delivery.c.id.label("delivery_id"), delivery.c.alert_id, delivery.c.occasion, delivery.c.channel, delivery.c.state,
    delivery.c.not_before, delivery.c.attempts, delivery.c.error, delivery.c.done_at,
    delivery.c.severity.label("told_severity"),
]  # fmt: skip


class Deliveries(Scope):
    """Messages about alerts, on their way."""

    def due_deliveries(self, now: datetime) -> list[tuple[Delivery, Alert]]:
        """Those whose time has come and whose alert is not snoozed, the longest due first."""
        due = (delivery.c.state == DeliveryState.DUE, delivery.c.not_before <= now)
        awake = or_(alert.c.snoozed_until.is_(None), alert.c.snoozed_until <= now)
        return self._with_alerts(*due, awake)

    def interrupted(self) -> list[tuple[Delivery, Alert]]:
        """Those that somebody began to send: while no other run is under way, nobody knows whether they arrived."""
        return self._with_alerts(delivery.c.state == DeliveryState.SENDING)

    def waiting(self) -> list[Delivery]:
        """Every delivery that is due, now or later, or being sent."""
        states = (DeliveryState.DUE, DeliveryState.SENDING)
        return [each for each, _ in self._with_alerts(delivery.c.state.in_(states))]

    def deliveries(self, alert_id: str) -> list[Delivery]:
        """All about one alert, in the order of their times."""
        return [each for each, _ in self._with_alerts(delivery.c.alert_id == alert_id)]

    def claim(self, wanted: Delivery, at: datetime) -> bool:
        """Take a due delivery, or an interrupted one, to send it.

        False where it is no longer as `wanted` says, not due at `at`, or its alert snoozed. Of any number of processes
        that claim the same one, one gets it.
        """
        mine = (
            delivery.c.tenant_id == self._tenant, delivery.c.id == wanted.id, delivery.c.state == wanted.state,
            delivery.c.attempts == wanted.attempts, delivery.c.not_before <= at,
        )  # fmt: skip
        unfinished = delivery.c.state.in_((DeliveryState.DUE, DeliveryState.SENDING))
        asleep = select(alert.c.id).where(
            alert.c.tenant_id == self._tenant, alert.c.id == delivery.c.alert_id, alert.c.snoozed_until > at
        )
        take = update(delivery).where(*mine, unfinished, ~asleep.exists())
        with self._write() as connection:
            taken = connection.execute(take.values(state=DeliveryState.SENDING, attempts=wanted.attempts + 1))
            return taken.rowcount == 1

    def finish(
        self, delivery_id: str, state: DeliveryState, at: datetime, error: str = "", not_before: datetime | None = None
    ) -> bool:
        """Say what became of a claimed delivery; False where it is not being sent.

        DUE: it is to be tried again from `not_before` on (`at` where that is None).
        """
        values: dict[str, Any] = {"state": state, "error": error}
        if state is DeliveryState.DUE:
            values["not_before"] = not_before or at
        else:
            values["done_at"] = at
        mine = (delivery.c.tenant_id == self._tenant, delivery.c.id == delivery_id)
        sending = delivery.c.state == DeliveryState.SENDING
        with self._write() as connection:
            return connection.execute(update(delivery).where(*mine, sending).values(**values)).rowcount == 1

    def count_deliveries(self) -> dict[tuple[str, DeliveryState], int]:
        """How many, by channel and state."""
        query = (
            select(delivery.c.channel, delivery.c.state, func.count())
            .where(delivery.c.tenant_id == self._tenant)
            .group_by(delivery.c.channel, delivery.c.state)
        )
        with self._read() as connection:
            return {(channel, state): count for channel, state, count in connection.execute(query)}

    def _with_alerts(self, *where: ColumnElement[bool]) -> list[tuple[Delivery, Alert]]:
        together = delivery.join(alert)
        query = (
            select(*_COLUMNS, *ALERT_COLUMNS).select_from(together).where(delivery.c.tenant_id == self._tenant, *where)
        )
        with self._read() as connection:
            rows = connection.execute(query.order_by(delivery.c.not_before, delivery.c.id)).all()
        return [(_delivery(row), alert_of(row)) for row in rows]


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        row.delivery_id, row.alert_id, row.occasion, row.channel, row.state, row.not_before, row.attempts, row.error,
        row.done_at, row.told_severity,
    )  # fmt: skip


def add_deliveries(
    connection: Connection, database: Database, tenant_id: int, given: Iterable[Delivery]
) -> frozenset[str]:
    """Insert those that are new and whose alerts are there; returns their ids."""
    given = list(given)
    there = _there(connection, tenant_id, {kept_key(each.alert) for each in given})
    rows = [
        {
            "tenant_id": tenant_id, "id": each.id, "alert_id": each.alert, "occasion": each.occasion,
            "severity": each.severity, "channel": each.channel, "state": each.state,
            "not_before": each.not_before, "attempts": each.attempts, "error": each.error, "done_at": each.done_at,
        }
        for each in given
        if kept_key(each.alert) in there
    ]  # fmt: skip
    if not rows:
        return frozenset()
    statement = database.insert(delivery).on_conflict_do_nothing().returning(delivery.c.id)
    return frozenset(connection.execute(statement, rows).scalars())


def _there(connection: Connection, tenant_id: int, alerts: Iterable[str]) -> set[str]:
    """Those alerts that are there, by id."""
    query = select(alert.c.id).where(alert.c.tenant_id == tenant_id)
    return {key for part in parts(alerts) for key in connection.execute(query.where(alert.c.id.in_(part))).scalars()}


def mark_needless(connection: Connection, tenant_id: int, needless: Iterable[str], at: datetime) -> frozenset[str]:
    """Mark those that are still due; returns their ids. What is being sent cannot be called back."""
    over = (
        update(delivery)
        .where(delivery.c.tenant_id == tenant_id, delivery.c.state == DeliveryState.DUE)
        .values(state=DeliveryState.NEEDLESS, done_at=at)
        .returning(delivery.c.id)
    )
    return frozenset(
        key for part in parts(needless) for key in connection.execute(over.where(delivery.c.id.in_(part))).scalars()
    )


def hold(connection: Connection, tenant_id: int, held: Mapping[str, datetime]) -> None:
    """Put off those that are still due."""
    if not held:
        return
    one = update(delivery).where(
        delivery.c.tenant_id == tenant_id, delivery.c.id == bindparam("one"), delivery.c.state == DeliveryState.DUE
    )
    connection.execute(
        one.values(not_before=bindparam("until")), [{"one": key, "until": until} for key, until in held.items()]
    )
