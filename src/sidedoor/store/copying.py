"""Moving a store, from SQLite to PostgreSQL or back: all rows of all tenants, in one transaction."""

from __future__ import annotations

from sqlalchemy import Connection, Table, func, insert, literal, select

from sidedoor.errors import UsageError
from sidedoor.store.database import Database
from sidedoor.store.schema import METADATA, held_message, tenant

_BATCH = 1_000


def copy_rows(source: Database, target: Database) -> dict[str, int]:
    """Copy into a store without tenants; returns the rows of each table. Raises UsageError where it has some.

    Sessions and tokens of the web page are not copied: people sign in again.
    """
    tables = [table for table in METADATA.sorted_tables if table is tenant or "tenant_id" in table.c]
    with source.read() as rows, target.write() as copy:
        if copy.execute(select(func.count()).select_from(tenant)).scalar_one():
            raise UsageError(f"{target.place.name}: holds tenants already; copy into an empty store")
        counts = {table.name: _copy(rows, copy, table) for table in tables}
        if not target.is_sqlite:
            _count_on(copy, tables)
    return counts


def _copy(rows: Connection, copy: Connection, table: Table) -> int:
    """All rows; of those that hold mail one at a time, because a message may have 150 MB."""
    count = 0
    batch = 1 if table is held_message else _BATCH
    query = select(table).order_by(*table.primary_key).execution_options(yield_per=batch)
    for part in rows.execute(query).mappings().partitions(batch):
        copy.execute(insert(table), [dict(row) for row in part])
        count += len(part)
    return count


def _count_on(copy: Connection, tables: list[Table]) -> None:
    """PostgreSQL's sequences know nothing of numbers that were given; the next must be another."""
    for table in (each for each in tables if list(each.primary_key.columns.keys()) == ["id"]):
        sequence = func.pg_get_serial_sequence(literal(table.name), "id")
        highest = select(func.coalesce(func.max(table.c.id), 0) + 1).scalar_subquery()
        copy.execute(select(func.setval(sequence, highest, False)))  # SQL has no names here
