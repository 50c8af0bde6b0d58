"""Alerts: each once. What a run found is applied in one transaction; people acknowledge and snooze."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, func, select, update

from sidedoor.store.columns import escaped
from sidedoor.store.database import Database, bounded, parts
from sidedoor.store.decisions import add_to_trail
from sidedoor.store.errors import NotThereError
from sidedoor.store.model import Alert, AlertFilter, Finding, Severity, TrailEntry
from sidedoor.store.schema import STILL_OPEN, alert
from sidedoor.store.scope import Scope

ALERT_COLUMNS = [column for column in alert.c if column.name not in {"tenant_id", "searched"}]
_EVERY = AlertFilter()


class Alerts(Scope):
    """Alerts as runs left them and people answered them."""

    def open_alerts(self) -> list[Alert]:
        """All that are not over, the worst first, of these the oldest."""
        query = select(*ALERT_COLUMNS).where(alert.c.tenant_id == self._tenant, STILL_OPEN)
        with self._read() as connection:
            found = [alert_of(row) for row in connection.execute(query)]
        return sorted(found, key=lambda each: (-each.finding.severity.rank, each.raised_at, each.id))

    def alerts(self, wanted: AlertFilter = _EVERY, limit: int = 50, offset: int = 0) -> list[Alert]:
        """Those wanted, the newest first."""
        query = select(*ALERT_COLUMNS).where(*self._wanted(wanted))
        query = (
            query.order_by(alert.c.raised_at.desc(), alert.c.id.desc()).limit(bounded(limit)).offset(bounded(offset))
        )
        with self._read() as connection:
            return [alert_of(row) for row in connection.execute(query)]

    def count_alerts(self, wanted: AlertFilter = _EVERY) -> int:
        """How many are wanted."""
        with self._read() as connection:
            return connection.execute(select(func.count()).select_from(alert).where(*self._wanted(wanted))).scalar_one()

    def alert(self, alert_id: str) -> Alert | None:
        """One alert; None where there is none of that id."""
        with self._read() as connection:
            return self._alert(connection, alert_id)

    def acknowledge(self, alert_id: str, who: str, via: str, at: datetime) -> Alert:
        """Say that it is known; the first to say so stays. Raises NotThereError."""
        with self._write() as connection:
            found = self._there(connection, alert_id)
            if found.acknowledged_at is None:
                self._answer(connection, alert_id, {"acknowledged_at": at, "acknowledged_by": who})
                said = {"kind": found.finding.kind, "subject": found.finding.subject}
                entry = TrailEntry(at, who, via, "acknowledge", found.id, {}, said)
                add_to_trail(connection, self._tenant, entry)
            return self._there(connection, alert_id)

    def snooze(self, alert_id: str, until: datetime | None, who: str, via: str, at: datetime) -> Alert:
        """No message about it before `until`; None ends a snooze. Raises NotThereError."""
        with self._write() as connection:
            found = self._there(connection, alert_id)
            if found.snoozed_until != until:
                self._answer(connection, alert_id, {"snoozed_until": until})
                before, after = ({"until": _iso(moment)} for moment in (found.snoozed_until, until))
                add_to_trail(connection, self._tenant, TrailEntry(at, who, via, "snooze", found.id, before, after))
            return self._there(connection, alert_id)

    def _alert(self, connection: Connection, alert_id: str) -> Alert | None:
        mine = (alert.c.tenant_id == self._tenant, alert.c.id == alert_id)
        row = connection.execute(select(*ALERT_COLUMNS).where(*mine)).one_or_none()
        return None if row is None else alert_of(row)

    def _there(self, connection: Connection, alert_id: str) -> Alert:
        found = self._alert(connection, alert_id)
        if found is None:
            raise NotThereError(f"{self.domain}: no alert {alert_id[:60]!r}")
        return found

    def _answer(self, connection: Connection, alert_id: str, values: Mapping[str, Any]) -> None:
        mine = (alert.c.tenant_id == self._tenant, alert.c.id == alert_id)
        connection.execute(update(alert).where(*mine).values(**values))

    def _wanted(self, wanted: AlertFilter) -> list[ColumnElement[bool]]:
        holds: list[ColumnElement[bool]] = [alert.c.tenant_id == self._tenant]
        if wanted.open_only:
            holds.append(STILL_OPEN)
        if wanted.kinds:
            holds.append(alert.c.kind.in_(wanted.kinds))
        if wanted.severity.rank:
            holds.append(alert.c.severity.in_([each for each in Severity if each.rank >= wanted.severity.rank]))
        if wanted.subject is not None:
            holds.append(alert.c.subject == wanted.subject)
        if wanted.search:
            # Not LIKE: it has wildcards, and SQLite refuses long patterns.
            position = func.instr if self._database.is_sqlite else func.strpos
            holds.append(position(alert.c.searched, escaped(wanted.search.casefold())) > 0)
        return holds


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def alert_of(row: Row[Any]) -> Alert:
    """An alert from `ALERT_COLUMNS`."""
    finding = Finding(
        kind=row.kind, subject=row.subject, severity=row.severity, title=row.title, text=row.text, advice=row.advice,
        source=row.source, evidence=tuple((name, value) for name, value in row.evidence), since=row.since,
    )  # fmt: skip
    return Alert(
        row.id, finding, row.raised_at, row.seen_at, row.recovered_at, row.acknowledged_at, row.acknowledged_by,
        row.snoozed_until,
    )  # fmt: skip


def searched(finding: Finding) -> str:
    """What a search looks at: folded here, because SQLite folds ASCII only."""
    evidence = (part for pair in finding.evidence for part in pair)
    return "\n".join((finding.title, finding.text, finding.subject, *evidence)).casefold()


def _found(finding: Finding) -> dict[str, Any]:
    """The columns of a finding, but what tells it from others."""
    return {
        "severity": finding.severity, "title": finding.title, "text": finding.text, "advice": finding.advice,
        "source": finding.source, "evidence": finding.evidence, "since": finding.since, "searched": searched(finding),
    }  # fmt: skip


def raise_alerts(connection: Connection, database: Database, tenant_id: int, raised: Iterable[Alert]) -> frozenset[str]:
    """Insert those that nobody has raised; returns their ids."""
    rows = [
        {
            "tenant_id": tenant_id, "id": each.id, "kind": each.finding.kind, "subject": each.finding.subject,
            **_found(each.finding), "raised_at": each.raised_at, "seen_at": each.seen_at,
            "recovered_at": each.recovered_at, "acknowledged_at": each.acknowledged_at,
            "acknowledged_by": each.acknowledged_by, "snoozed_until": each.snoozed_until,
        }
        for each in raised
    ]  # fmt: skip
    if not rows:
        return frozenset()
    statement = database.insert(alert).on_conflict_do_nothing().returning(alert.c.id)
    return frozenset(connection.execute(statement, rows).scalars())


def see_alerts(connection: Connection, tenant_id: int, seen: Mapping[str, Finding], at: datetime) -> None:
    """Note what open alerts are about now."""
    if not seen:
        return
    names = _found(next(iter(seen.values())))
    one = update(alert).where(alert.c.tenant_id == tenant_id, alert.c.id == bindparam("one"), STILL_OPEN)
    connection.execute(
        one.values(seen_at=at, **{name: bindparam(f"new_{name}") for name in names}),
        [{"one": key, **{f"new_{name}": value for name, value in _found(each).items()}} for key, each in seen.items()],
    )


def recover_alerts(connection: Connection, tenant_id: int, recovered: Iterable[str], at: datetime) -> frozenset[str]:
    """Close those that are open; returns their ids."""
    over = update(alert).where(alert.c.tenant_id == tenant_id, STILL_OPEN).values(recovered_at=at).returning(alert.c.id)
    return frozenset(
        key for part in parts(recovered) for key in connection.execute(over.where(alert.c.id.in_(part))).scalars()
    )
