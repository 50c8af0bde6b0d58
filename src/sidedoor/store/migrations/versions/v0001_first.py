"""The first schema. Types are spelt out here, so that this step stays as it is when `store.columns` changes."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# Keys are compared and ordered by code point on both databases.
KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make all tables."""
    op.create_table(
        "tenant",
        sa.Column("id", sa.Integer, primary_key=True),
        _key("domain"),
        sa.Column("revision", sa.BigInteger, nullable=False, server_default=sa.text("0")),
        sa.PrimaryKeyConstraint("id", name="pk_tenant"),
        sa.UniqueConstraint("domain", name="uq_tenant_domain"),
        sqlite_autoincrement=True,
    )
    _what_people_say()
    _what_was_seen()
    _alerts()
    _web()


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, KEY, nullable=False)


def _moment(name: str, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, MOMENT, nullable=nullable)


def _table(name: str, key: tuple[str, ...], *columns: sa.schema.SchemaItem, **options: Any) -> None:
    """A table of a tenant's rows, found by `key`."""
    op.create_table(
        name,
        sa.Column("tenant_id", sa.Integer, nullable=False),
        *columns,
        sa.PrimaryKeyConstraint("tenant_id", *key, name=f"pk_{name}"),
        _of_tenant(name),
        **options,
    )


def _numbered(name: str, *columns: sa.schema.SchemaItem) -> None:
    """A table of a tenant's rows, numbered in the order they came."""
    op.create_table(
        name,
        sa.Column("id", NUMBER, primary_key=True),
        sa.Column("tenant_id", sa.Integer, nullable=False),
        *columns,
        sa.PrimaryKeyConstraint("id", name=f"pk_{name}"),
        _of_tenant(name),
        sqlite_autoincrement=True,
    )


def _of_tenant(name: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], ondelete="CASCADE", name=f"fk_{name}_tenant")


def _what_people_say() -> None:
    _table(
        "decision", ("sender",), _key("sender"), _text("assessment"), _text("owner"), _text("method"), _text("note"),
        sa.Column("due", sa.Date), _text("decided_by"), _moment("decided_at", nullable=True),
        sa.Column("version", sa.Integer, nullable=False),
    )  # fmt: skip
    _numbered(
        "trail", _moment("at"), _text("who"), _text("via"), _text("what"), _key("subject"), _text("before"),
        _text("after"),
    )  # fmt: skip
    op.create_index("trail_of_subject", "trail", ["tenant_id", "subject", "id"])
    op.create_index("trail_newest", "trail", ["tenant_id", "id"])
    op.create_index("trail_by_time", "trail", ["tenant_id", "at"])


def _what_was_seen() -> None:
    _table(
        "sender", ("key",), _key("key"), _text("report_id"), _text("name"), _text("assessment"),
        _moment("first_seen"), _moment("last_seen"), sa.Column("messages", sa.BigInteger, nullable=False),
        sa.Column("accepted", sa.Boolean, nullable=False),
    )  # fmt: skip
    _table(
        "place", ("sender", "address", "domain"), _key("sender"), _key("address"), _key("domain"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "sender"], ["sender.tenant_id", "sender.key"], ondelete="CASCADE", name="fk_place_sender"
        ),
        sqlite_with_rowid=False,
    )  # fmt: skip
    _table("baseline", (), _moment("at"), _text("body"))
    _table("observation", ("kind", "key"), _key("kind"), _key("key"), _moment("at"), _text("body"))
    op.create_index("observation_newest", "observation", ["tenant_id", "kind", "at", "key"])
    _numbered("run", _moment("started"), _moment("ended", nullable=True), _text("outcome"), _text("said"))
    op.create_index("run_newest", "run", ["tenant_id", "id"])
    _table("kept_value", ("name",), _key("name"), _text("body"))


def _alerts() -> None:
    _table(
        "alert", ("id",), _key("id"), _key("kind"), _key("subject"), _text("severity"), _text("title"), _text("text"),
        _text("advice"), _text("source"), _text("evidence"), _moment("since", nullable=True), _moment("raised_at"),
        _moment("seen_at"), _moment("recovered_at", nullable=True), _moment("acknowledged_at", nullable=True),
        _text("acknowledged_by"), _moment("snoozed_until", nullable=True), _text("searched"),
    )  # fmt: skip
    still_open = sa.text("recovered_at IS NULL")
    op.create_index(
        "alert_open_once", "alert", ["tenant_id", "kind", "subject"], unique=True, sqlite_where=still_open,
        postgresql_where=still_open,
    )  # fmt: skip
    op.create_index("alert_newest", "alert", ["tenant_id", "raised_at", "id"])
    op.create_index("alert_recovered", "alert", ["tenant_id", "recovered_at"])
    _table(
        "delivery", ("id",), _key("id"), _key("alert_id"), _text("occasion"), _text("severity"), _key("channel"),
        _text("state"), _moment("not_before"), sa.Column("attempts", sa.Integer, nullable=False), _text("error"),
        _moment("done_at", nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "alert_id"], ["alert.tenant_id", "alert.id"], ondelete="CASCADE", name="fk_delivery_alert"
        ),
        sa.UniqueConstraint("tenant_id", "alert_id", "occasion", "channel", "severity", name="uq_delivery_once"),
    )  # fmt: skip
    op.create_index("delivery_by_state", "delivery", ["tenant_id", "state", "channel", "not_before"])


def _web() -> None:
    op.create_table(
        "web_session", _key("id_hash"), _text("who"), _text("roles"), _text("csrf"), _moment("began"),
        _moment("expires"),
        sa.PrimaryKeyConstraint("id_hash", name="pk_web_session"),
    )  # fmt: skip
    op.create_index("web_session_expires", "web_session", ["expires"])
    op.create_table(
        "web_token", _key("token_hash"), _text("purpose"), _text("body"), _moment("expires"),
        sa.PrimaryKeyConstraint("token_hash", name="pk_web_token"),
    )  # fmt: skip
    op.create_index("web_token_expires", "web_token", ["expires"])
