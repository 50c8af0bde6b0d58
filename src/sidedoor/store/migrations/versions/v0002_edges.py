"""What several edges of a tenant share: mail that is held back, settings, who they are, and what they decided."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables."""
    _held_messages()
    _table("edge_settings", (), _number("version", sa.Integer), _moment("at"), _text("who"), _text("body"))
    _table(
        "edge", ("name",), _key("name"), _moment("began"), _moment("seen_at"), _number("settings", sa.Integer),
        _number("waiting", sa.BigInteger),
    )  # fmt: skip
    _table(
        "edge_count", ("day", "edge", "outcome", "submission"), sa.Column("day", sa.Date, nullable=False),
        _key("edge"), _key("outcome"), _key("submission"), _number("count", sa.BigInteger),
    )  # fmt: skip
    _lines()


def _held_messages() -> None:
    _table(
        "held_message", ("id",), _key("id"), _moment("received_at"), _text("envelope_sender"), _text("recipients"),
        sa.Column("smtputf8", sa.Boolean, nullable=False), _number("size", sa.BigInteger), _text("why"), _text("edge"),
        _moment("released_at", nullable=True), _key("taken_by"),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )  # fmt: skip
    held, released = sa.text("released_at IS NULL"), sa.text("released_at IS NOT NULL")
    op.create_index(
        "held_message_oldest", "held_message", ["tenant_id", "received_at", "id"], sqlite_where=held,
        postgresql_where=held,
    )  # fmt: skip
    op.create_index(
        "held_message_released", "held_message", ["tenant_id", "taken_by"], sqlite_where=released,
        postgresql_where=released,
    )  # fmt: skip


def _lines() -> None:
    op.create_table(
        "edge_line",
        sa.Column("id", NUMBER, primary_key=True),
        sa.Column("tenant_id", sa.Integer, nullable=False),
        _key("edge"), _number("seq", sa.BigInteger), _moment("at"), _text("body"),
        sa.PrimaryKeyConstraint("id", name="pk_edge_line"),
        sa.UniqueConstraint("tenant_id", "edge", "seq", name="uq_edge_line_once"),
        _of_tenant("edge_line"),
        sqlite_autoincrement=True,
    )  # fmt: skip
    op.create_index("edge_line_newest", "edge_line", ["tenant_id", "id"])


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, KEY, nullable=False)


def _number(name: str, kind: type[sa.Integer]) -> sa.Column[int]:
    return sa.Column(name, kind, nullable=False)


def _moment(name: str, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, MOMENT, nullable=nullable)


def _table(name: str, key: tuple[str, ...], *columns: sa.schema.SchemaItem) -> None:
    """A table of a tenant's rows, found by `key`."""
    op.create_table(
        name,
        sa.Column("tenant_id", sa.Integer, nullable=False),
        *columns,
        sa.PrimaryKeyConstraint("tenant_id", *key, name=f"pk_{name}"),
        _of_tenant(name),
    )


def _of_tenant(name: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], ondelete="CASCADE", name=f"fk_{name}_tenant")
