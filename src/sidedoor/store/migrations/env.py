"""Alembic runs this. The connection, in a transaction that is locked against others, comes from `store.migrate`."""

from __future__ import annotations

from alembic import context

from sidedoor.store.schema import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE)
with context.begin_transaction():
    context.run_migrations()
