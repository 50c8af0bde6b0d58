"""What the edges of a tenant share beside mail: the settings in force, who is there, and what was decided.

Each edge has its own log, which is the record. Here are the last lines of each and counts, for people who look at all
edges together. A process reports its own numbers as they stand, so a report that comes twice counts once.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Table, delete, select

from sidedoor.store.database import bounded, rows
from sidedoor.store.decisions import add_to_trail
from sidedoor.store.model import EdgeCount, EdgeLine, PublishedSettings, SeenEdge, TrailEntry
from sidedoor.store.schema import edge, edge_count, edge_line, edge_settings
from sidedoor.store.scope import Scope

LINES = 500
"""Lines kept of each process."""
_GONE = timedelta(days=1)


class Edges(Scope):
    """Settings for edges, and reports of edges."""

    def publish_settings(self, body: Any, who: str, via: str, at: datetime) -> PublishedSettings:
        """Put a tenant's settings in force at its edges; what is in force already stays as it is."""
        with self._write() as connection:
            before = self._published(connection)
            if before is not None and before.body == body:
                return before
            version = 1 if before is None else before.version + 1
            values = {"version": version, "at": at, "who": who, "body": body}
            statement = self._database.insert(edge_settings).values(tenant_id=self._tenant, **values)
            connection.execute(statement.on_conflict_do_update(index_elements=["tenant_id"], set_=values))
            entry = TrailEntry(at, who, via, "publish-settings", "", {}, {"version": version})
            add_to_trail(connection, self._tenant, entry)
        return PublishedSettings(version, at, who, body)

    def published_settings(self) -> PublishedSettings | None:
        """What was published last; None where nothing was."""
        with self._read() as connection:
            return self._published(connection)

    def settings_version(self) -> int:
        """Its version; 0 where nothing was published."""
        query = select(edge_settings.c.version).where(edge_settings.c.tenant_id == self._tenant)
        with self._read() as connection:
            return connection.execute(query).scalar() or 0

    def _published(self, connection: Connection) -> PublishedSettings | None:
        columns = (edge_settings.c.version, edge_settings.c.at, edge_settings.c.who, edge_settings.c.body)
        row = connection.execute(select(*columns).where(edge_settings.c.tenant_id == self._tenant)).one_or_none()
        return None if row is None else PublishedSettings(*row)

    def report_edge(self, seen: SeenEdge, counts: Iterable[EdgeCount] = (), lines: Iterable[EdgeLine] = ()) -> None:
        """What one process says of itself. counts: as they stand now, of itself. lines: those not reported before."""
        said = {"began": seen.began, "seen_at": seen.seen_at, "settings": seen.settings, "waiting": seen.waiting}
        new = [
            {"tenant_id": self._tenant, "edge": each.edge, "seq": each.seq, "at": each.at, "body": each.body}
            for each in lines
        ]
        with self._append() as connection:
            statement = self._database.insert(edge).values(tenant_id=self._tenant, name=seen.name, **said)
            connection.execute(statement.on_conflict_do_update(index_elements=["tenant_id", "name"], set_=said))
            for each in counts:
                self._count(connection, each)
            if new:
                connection.execute(self._database.insert(edge_line).on_conflict_do_nothing(), new)
                self._trim(connection, seen.name, max(row["seq"] for row in new) - LINES)

    def _count(self, connection: Connection, each: EdgeCount) -> None:
        key = {"day": each.day, "edge": each.edge, "outcome": each.outcome, "submission": each.submission}
        statement = self._database.insert(edge_count).values(tenant_id=self._tenant, count=each.count, **key)
        of = ["tenant_id", "day", "edge", "outcome", "submission"]
        connection.execute(statement.on_conflict_do_update(index_elements=of, set_={"count": each.count}))

    def _trim(self, connection: Connection, name: str, before: int) -> None:
        mine = (edge_line.c.tenant_id == self._tenant, edge_line.c.edge == name)
        connection.execute(delete(edge_line).where(*mine, edge_line.c.seq <= before))

    def sweep_edges(self, now: datetime) -> int:
        """Forget processes that were not seen for a day, and their lines; counts stay. Returns how many processes."""
        gone = select(edge.c.name).where(edge.c.tenant_id == self._tenant, edge.c.seen_at < now - _GONE)
        with self._write() as connection:
            connection.execute(
                delete(edge_line).where(edge_line.c.tenant_id == self._tenant, edge_line.c.edge.in_(gone))
            )
            return connection.execute(
                delete(edge).where(edge.c.tenant_id == self._tenant, edge.c.seen_at < now - _GONE)
            ).rowcount

    def seen_edges(self) -> list[SeenEdge]:
        """Every process that was seen lately, by name."""
        columns = (edge.c.name, edge.c.began, edge.c.seen_at, edge.c.settings, edge.c.waiting)
        query = select(*columns).where(edge.c.tenant_id == self._tenant).order_by(edge.c.name)
        with self._read() as connection:
            return [SeenEdge(*row) for row in connection.execute(query)]

    def edge_counts(self, since: date) -> list[EdgeCount]:
        """Recipients decided on, from a day on."""
        columns = (edge_count.c.edge, edge_count.c.day, edge_count.c.outcome, edge_count.c.submission)
        query = select(*columns, edge_count.c.count).where(
            edge_count.c.tenant_id == self._tenant, edge_count.c.day >= since
        )
        with self._read() as connection:
            return [EdgeCount(*row) for row in rows(connection.execute(query.order_by(edge_count.c.day, *columns)))]

    def edge_lines(self, limit: int = 100, after: int | None = None) -> list[EdgeLine]:
        """The newest lines of all edges, the newest first; after number `after`, for who asks again.

        Lines that two edges report in the same moment may come into sight in another order than that of their numbers.
        """
        columns = (edge_line.c.edge, edge_line.c.seq, edge_line.c.at, edge_line.c.body, edge_line.c.id)
        query = select(*columns).where(edge_line.c.tenant_id == self._tenant)
        if after is not None:
            query = query.where(edge_line.c.id > bounded(after))
        with self._read() as connection:
            found = connection.execute(query.order_by(edge_line.c.id.desc()).limit(bounded(limit)))
            return [EdgeLine(*row) for row in found]


def forget_edges(connection: Connection, tenant_id: int, before: datetime) -> int:
    """Delete reports from before; returns how many rows."""
    old: dict[Table, Any] = {
        edge_line: edge_line.c.at < before, edge: edge.c.seen_at < before, edge_count: edge_count.c.day < before.date(),
    }  # fmt: skip
    return sum(
        connection.execute(delete(table).where(table.c.tenant_id == tenant_id, where)).rowcount
        for table, where in old.items()
    )
