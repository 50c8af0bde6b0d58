"""Things seen once, the runs that saw them, and small values that runs hand on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from sidedoor.store.changes import RunEnd
from sidedoor.store.columns import kept_key
from sidedoor.store.database import Database
from sidedoor.store.decisions import add_to_trail
from sidedoor.store.errors import NotThereError
from sidedoor.store.model import Observation, Run, TrailEntry
from sidedoor.store.schema import kept_value, observation, run
from sidedoor.store.scope import Scope


class Observations(Scope):
    """Probes, bounces, certificates."""

    def put_observation(self, seen: Observation) -> bool:
        """Keep it; False where it is there already, which stays as it is."""
        return bool(self.put_observations((seen,)))

    def put_observations(self, seen: Iterable[Observation]) -> list[Observation]:
        """Keep all in one transaction; returns those that were not there."""
        given: dict[tuple[str, str], Observation] = {}
        for each in seen:
            given.setdefault((kept_key(each.kind), kept_key(each.key)), each)
        rows = [
            {"tenant_id": self._tenant, "kind": kind, "key": key, "at": each.at, "body": dict(each.body)}
            for (kind, key), each in given.items()
        ]
        if not rows:
            return []
        statement = self._database.insert(observation).on_conflict_do_nothing()
        with self._write() as connection:
            found = connection.execute(statement.returning(observation.c.kind, observation.c.key), rows)
            new = {(kind, key) for kind, key in found}
        return [each for key, each in given.items() if key in new]

    def observations(self, kind: str, since: datetime | None = None, limit: int | None = None) -> list[Observation]:
        """The newest of a kind, seen at `since` or after it."""
        query = select(observation.c.kind, observation.c.key, observation.c.at, observation.c.body).where(
            observation.c.tenant_id == self._tenant, observation.c.kind == kind
        )
        if since is not None:
            query = query.where(observation.c.at >= since)
        query = query.order_by(observation.c.at.desc(), observation.c.key.desc()).limit(limit)
        with self._read() as connection:
            return [Observation(*row) for row in connection.execute(query)]

    def latest_observation(self, kind: str) -> Observation | None:
        """The newest of a kind; None where there is none."""
        return next(iter(self.observations(kind, limit=1)), None)


class Runs(Scope):
    """Runs of `watch`."""

    def begin_run(self, started: datetime) -> int:
        """Note that a run began; returns its number."""
        values = {"tenant_id": self._tenant, "started": started, "outcome": "", "said": []}
        with self._write() as connection:
            return int(connection.execute(insert(run).values(**values).returning(run.c.id)).scalar_one())

    def end_run(self, end: RunEnd) -> None:
        """Note how it ended. Raises NotThereError."""
        with self._write() as connection:
            note_end(connection, self._tenant, end)

    def last_runs(self, limit: int = 10) -> list[Run]:
        """The newest ones."""
        query = select(run.c.started, run.c.ended, run.c.outcome, run.c.said, run.c.id).where(
            run.c.tenant_id == self._tenant
        )
        with self._read() as connection:
            rows = connection.execute(query.order_by(run.c.id.desc()).limit(limit)).all()
        return [Run(started, ended, outcome, tuple(said), number) for started, ended, outcome, said, number in rows]

    def latest_time(self) -> datetime | None:
        """The latest time that any run wrote down: a clock that shows less was set back."""
        query = select(func.max(run.c.started), func.max(run.c.ended)).where(run.c.tenant_id == self._tenant)
        with self._read() as connection:
            times = connection.execute(query).one()
        return max((time for time in times if time is not None), default=None)


class Values(Scope):
    """Small JSON values by name."""

    def value(self, name: str) -> Any:
        """The value kept under `name`; None where there is none."""
        query = select(kept_value.c.body).where(kept_value.c.tenant_id == self._tenant, kept_value.c.name == name)
        with self._read() as connection:
            return connection.execute(query).scalar()

    def change_value(self, name: str, body: Any, entry: TrailEntry) -> None:
        """Keep a value in place of the one before, with the line of the trail that says who did."""
        with self._write() as connection:
            keep_values(connection, self._database, self._tenant, {name: body})
            add_to_trail(connection, self._tenant, entry)

    def put_value(self, name: str, body: Any) -> None:
        """Keep a value in place of the one before."""
        with self._write() as connection:
            keep_values(connection, self._database, self._tenant, {name: body})


def note_end(connection: Connection, tenant_id: int, end: RunEnd) -> None:
    """Note how a run ended. Raises NotThereError."""
    mine = (run.c.tenant_id == tenant_id, run.c.id == end.number)
    values = {"ended": end.ended, "outcome": end.outcome, "said": list(end.said)}
    if connection.execute(update(run).where(*mine).values(**values)).rowcount == 0:
        raise NotThereError(f"no run {end.number} in the store")


def keep_values(connection: Connection, database: Database, tenant_id: int, values: Mapping[str, Any]) -> None:
    """In place of those before."""
    for name, body in values.items():
        statement = database.insert(kept_value).values(tenant_id=tenant_id, name=name, body=body)
        connection.execute(statement.on_conflict_do_update(index_elements=["tenant_id", "name"], set_={"body": body}))
