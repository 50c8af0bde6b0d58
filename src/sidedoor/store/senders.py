"""The senders that past runs saw, where they were seen, and the baseline that they are compared with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from sidedoor.store.columns import kept_key
from sidedoor.store.database import Database, parts, rows
from sidedoor.store.model import Baseline, KnownSender
from sidedoor.store.schema import baseline, place, sender
from sidedoor.store.scope import Scope


class Senders(Scope):
    """Known senders and the baseline."""

    def known_senders(self) -> dict[str, KnownSender]:
        """All of them, by key."""
        with self._read() as connection:
            return _known(connection, self._tenant)

    def sender_keys(self) -> dict[str, str]:
        """Id in the report -> key, of all senders; where two had one id, the one that was seen last."""
        query = select(sender.c.report_id, sender.c.key).where(sender.c.tenant_id == self._tenant)
        with self._read() as connection:
            return {row.report_id: row.key for row in connection.execute(query.order_by(sender.c.last_seen))}

    def put_senders(self, senders: Iterable[KnownSender]) -> None:
        """Keep what the run saw of these senders in place of what was kept of them; others stay."""
        with self._write() as connection:
            keep_senders(connection, self._database, self._tenant, senders)

    def accept_senders(self, keys: Iterable[str]) -> int:
        """Take senders into the baseline; returns how many were not in it."""
        mine = sender.c.tenant_id == self._tenant
        with self._write() as connection:
            waiting = connection.execute(select(sender.c.key).where(mine, sender.c.accepted.is_(False))).scalars()
            taken = set(waiting).intersection(map(kept_key, keys))
            if taken:
                accept = update(sender).where(mine, sender.c.key == bindparam("one")).values(accepted=True)
                connection.execute(accept, [{"one": key} for key in sorted(taken)])
        return len(taken)

    def baseline(self) -> Baseline | None:
        """What was accepted; None before the first run."""
        query = select(baseline.c.at, baseline.c.body).where(baseline.c.tenant_id == self._tenant)
        with self._read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else Baseline(*row)

    def put_baseline(self, at: datetime, body: Any) -> None:
        """Keep a JSON value as the baseline, in place of the one before."""
        with self._write() as connection:
            keep_baseline(connection, self._database, self._tenant, Baseline(at, body))


def _known(connection: Connection, tenant_id: int) -> dict[str, KnownSender]:
    places: dict[str, list[tuple[str, str]]] = {}
    where = select(place.c.sender, place.c.address, place.c.domain).where(place.c.tenant_id == tenant_id)
    for key, address, domain in rows(connection.execute(where)):
        places.setdefault(key, []).append((address, domain))
    query = select(
        sender.c.key, sender.c.report_id, sender.c.name, sender.c.assessment, sender.c.first_seen, sender.c.last_seen,
        sender.c.messages, sender.c.accepted,
    ).where(sender.c.tenant_id == tenant_id)  # fmt: skip
    return {
        key: KnownSender(
            key, report_id, name, assessment, frozenset(places.get(key, ())), first_seen, last_seen, messages, accepted
        )
        for key, report_id, name, assessment, first_seen, last_seen, messages, accepted in rows(
            connection.execute(query)
        )
    }


def drop_senders(connection: Connection, tenant_id: int, gone: Iterable[str]) -> None:
    """Take out known senders with their places."""
    for part in parts(map(kept_key, gone)):
        for table, column in ((place, place.c.sender), (sender, sender.c.key)):
            connection.execute(delete(table).where(table.c.tenant_id == tenant_id, column.in_(part)))


def keep_senders(connection: Connection, database: Database, tenant_id: int, senders: Iterable[KnownSender]) -> None:
    """Write what differs from what is there: most senders, and nearly all places, are as the run before left them."""
    given = {one.key: one for one in map(_with_kept_keys, senders)}
    if not given:
        return
    known = _known(connection, tenant_id)
    changed = [one for one in given.values() if known.get(one.key) != one]
    values = [
        {
            "tenant_id": tenant_id, "key": one.key, "report_id": one.id, "name": one.name,
            "assessment": one.assessment, "first_seen": one.first_seen, "last_seen": one.last_seen,
            "messages": one.messages, "accepted": one.accepted,
        }
        for one in changed
    ]  # fmt: skip
    if not values:
        return
    statement = database.insert(sender)
    new = {name: statement.excluded[name] for name in values[0] if name not in {"tenant_id", "key"}}
    connection.execute(statement.on_conflict_do_update(index_elements=["tenant_id", "key"], set_=new), values)
    before = {one.key: known[one.key].places if one.key in known else frozenset() for one in changed}
    found = [(one.key, *where) for one in changed for where in one.places - before[one.key]]
    gone = [(one.key, *where) for one in changed for where in before[one.key] - one.places]
    _move(connection, tenant_id, found, gone)


def _move(
    connection: Connection, tenant_id: int, new: list[tuple[str, str, str]], gone: list[tuple[str, str, str]]
) -> None:
    if new:
        connection.execute(
            insert(place),
            [{"tenant_id": tenant_id, "sender": key, "address": at, "domain": name} for key, at, name in new],
        )
    if gone:
        one = delete(place).where(
            place.c.tenant_id == tenant_id, place.c.sender == bindparam("one"), place.c.address == bindparam("at"),
            place.c.domain == bindparam("name"),
        )  # fmt: skip
        connection.execute(one, [{"one": key, "at": at, "name": name} for key, at, name in gone])


def _with_kept_keys(one: KnownSender) -> KnownSender:
    """As it will be read again, so that what is the same is found to be."""
    key = kept_key(one.key)
    places = frozenset((kept_key(at), kept_key(name)) for at, name in one.places)
    return one if (key, places) == (one.key, one.places) else replace(one, key=key, places=places)


def keep_baseline(connection: Connection, database: Database, tenant_id: int, kept: Baseline) -> None:
    """In place of the one before."""
    values = {"at": kept.at, "body": kept.body}
    statement = database.insert(baseline).values(tenant_id=tenant_id, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["tenant_id"], set_=values))
