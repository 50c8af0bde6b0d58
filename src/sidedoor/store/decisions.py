"""What people decided, and the audit trail of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from sidedoor.store.columns import kept_key
from sidedoor.store.database import bounded, parts, rows
from sidedoor.store.errors import StaleError
from sidedoor.store.model import Decision, TrailEntry
from sidedoor.store.schema import decision, trail
from sidedoor.store.scope import Scope

_COLUMNS = [column for column in decision.c if column.name != "tenant_id"]
_SAID = ("assessment", "owner", "method", "note", "due")


class Decisions(Scope):
    """Decisions by sender, each change with its line in the trail."""

    def decisions(self, senders: Iterable[str] | None = None) -> dict[str, Decision]:
        """By the sender's key: everybody's, or those of `senders`."""
        query = select(*_COLUMNS).where(decision.c.tenant_id == self._tenant)
        with self._read() as connection:
            if senders is None:
                return {row[0]: Decision(*row) for row in rows(connection.execute(query))}
            asked = parts(senders)
            found = [row for part in asked for row in connection.execute(query.where(decision.c.sender.in_(part)))]
        return {row[0]: Decision(*row) for row in found}

    def decide(self, change: Decision, who: str, via: str, at: datetime) -> Decision:
        """Say something of a sender; returns what holds now. `change.version` is that of what the change was made on.

        What says the same as what holds changes nothing. Raises StaleError where somebody else was first.
        """
        with self._write() as connection:
            current = self._decision(connection, change.sender)
            before, after = _said(current), _said(change)
            if before == after:
                return current
            if change.version != current.version:
                raise StaleError(current)
            decided = replace(change, sender=current.sender, by=who, at=at, version=current.version + 1)
            self._keep(connection, decided)
            differ = [name for name in _SAID if before[name] != after[name]]
            entry = TrailEntry(
                at, who, via, "decide", current.sender,
                {name: before[name] for name in differ}, {name: after[name] for name in differ},
            )  # fmt: skip
            add_to_trail(connection, self._tenant, entry)
        return decided

    def _decision(self, connection: Connection, sender: str) -> Decision:
        query = select(*_COLUMNS).where(decision.c.tenant_id == self._tenant, decision.c.sender == sender)
        row = connection.execute(query).one_or_none()
        return Decision(kept_key(sender)) if row is None else Decision(*row)

    def _keep(self, connection: Connection, decided: Decision) -> None:
        values = {column.name: getattr(decided, _FIELDS.get(column.name, column.name)) for column in _COLUMNS}
        statement = self._database.insert(decision).values(tenant_id=self._tenant, **values)
        connection.execute(statement.on_conflict_do_update(index_elements=["tenant_id", "sender"], set_=values))

    def trail(self, subject: str | None = None, limit: int = 100, before: int | None = None) -> list[TrailEntry]:
        """The newest entries, of `subject` alone where it is given; older than number `before`, for the next page."""
        query = select(
            trail.c.at,
            trail.c.who,
            trail.c.via,
            trail.c.what,
            trail.c.subject,
            trail.c.before,
            trail.c.after,
            trail.c.id,
        ).where(trail.c.tenant_id == self._tenant)
        if subject is not None:
            query = query.where(trail.c.subject == subject)
        if before is not None:
            query = query.where(trail.c.id < bounded(before))
        with self._read() as connection:
            return [
                TrailEntry(*row) for row in connection.execute(query.order_by(trail.c.id.desc()).limit(bounded(limit)))
            ]

    def note(self, entry: TrailEntry) -> None:
        """Add a line to the trail."""
        with self._write() as connection:
            add_to_trail(connection, self._tenant, entry)


_FIELDS = {"decided_by": "by", "decided_at": "at"}


def _said(of: Decision) -> dict[str, Any]:
    """What a person says, as JSON has it."""
    due = None if of.due is None else of.due.isoformat()
    return {"assessment": of.assessment.value, "owner": of.owner, "method": of.method, "note": of.note, "due": due}


def add_to_trail(connection: Connection, tenant_id: int, entry: TrailEntry) -> None:
    """Within the transaction of what the entry is about."""
    values: Mapping[str, Any] = {
        "at": entry.at, "who": entry.who, "via": entry.via, "what": entry.what, "subject": entry.subject,
        "before": dict(entry.before), "after": dict(entry.after),
    }  # fmt: skip
    connection.execute(insert(trail).values(tenant_id=tenant_id, **values))
