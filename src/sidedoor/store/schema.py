"""The tables, as they are now. How they came to be so is in `migrations`; docs/store.md says what they mean.

Every row belongs to a tenant and goes with it. Ids of tenants are never used again: whoever holds one of a tenant that
was deleted must not write into another.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    UniqueConstraint,
    text,
)
from sqlalchemy.schema import SchemaItem

from sidedoor.store.columns import Json, Key, Member, Moment, Words
from sidedoor.store.model import DeliveryState, Occasion, Severity, Word

VERSION_TABLE = "sidedoor_version"  # Alembic's own name may belong to another program in the same database
REVISIONS = ("0001", "0002")  # of the schema, the newest last

METADATA = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    }
)
_NUMBER = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up INTEGER keys only


def _of_tenant() -> Column[int]:
    return Column("tenant_id", Integer, ForeignKey("tenant.id", ondelete="CASCADE"), primary_key=True)


def _numbered(name: str, *columns: SchemaItem) -> Table:
    """A table whose rows are numbered in the order they came."""
    return Table(
        name,
        METADATA,
        Column("id", _NUMBER, primary_key=True),
        Column("tenant_id", Integer, ForeignKey("tenant.id", ondelete="CASCADE"), nullable=False),
        *columns,
        sqlite_autoincrement=True,
    )


tenant = Table(
    "tenant",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("domain", Key, nullable=False, unique=True),
    Column("revision", BigInteger, nullable=False, server_default=text("0")),
    sqlite_autoincrement=True,
)

decision = Table(
    "decision",
    METADATA,
    _of_tenant(),
    Column("sender", Key, primary_key=True),
    Column("assessment", Member(Word), nullable=False),
    Column("owner", Words, nullable=False),
    Column("method", Words, nullable=False),
    Column("note", Words, nullable=False),
    Column("due", Date),
    Column("decided_by", Words, nullable=False),
    Column("decided_at", Moment),
    Column("version", Integer, nullable=False),
)

trail = _numbered(
    "trail",
    Column("at", Moment, nullable=False),
    Column("who", Words, nullable=False),
    Column("via", Words, nullable=False),
    Column("what", Words, nullable=False),
    Column("subject", Key, nullable=False),
    Column("before", Json, nullable=False),
    Column("after", Json, nullable=False),
)
Index("trail_of_subject", trail.c.tenant_id, trail.c.subject, trail.c.id)
Index("trail_newest", trail.c.tenant_id, trail.c.id)
Index("trail_by_time", trail.c.tenant_id, trail.c.at)

sender = Table(
    "sender",
    METADATA,
    _of_tenant(),
    Column("key", Key, primary_key=True),
    Column("report_id", Words, nullable=False),
    Column("name", Words, nullable=False),
    Column("assessment", Words, nullable=False),
    Column("first_seen", Moment, nullable=False),
    Column("last_seen", Moment, nullable=False),
    Column("messages", BigInteger, nullable=False),
    Column("accepted", Boolean, nullable=False),
)

place = Table(
    "place",
    METADATA,
    _of_tenant(),
    Column("sender", Key, primary_key=True),
    Column("address", Key, primary_key=True),
    Column("domain", Key, primary_key=True),
    ForeignKeyConstraint(["tenant_id", "sender"], ["sender.tenant_id", "sender.key"], ondelete="CASCADE"),
    sqlite_with_rowid=False,
)

baseline = Table(
    "baseline",
    METADATA,
    _of_tenant(),
    Column("at", Moment, nullable=False),
    Column("body", Json, nullable=False),
)

alert = Table(
    "alert",
    METADATA,
    _of_tenant(),
    Column("id", Key, primary_key=True),
    Column("kind", Key, nullable=False),
    Column("subject", Key, nullable=False),
    Column("severity", Member(Severity), nullable=False),
    Column("title", Words, nullable=False),
    Column("text", Words, nullable=False),
    Column("advice", Words, nullable=False),
    Column("source", Words, nullable=False),
    Column("evidence", Json, nullable=False),
    Column("since", Moment),
    Column("raised_at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
    Column("recovered_at", Moment),
    Column("acknowledged_at", Moment),
    Column("acknowledged_by", Words, nullable=False),
    Column("snoozed_until", Moment),
    Column("searched", Words, nullable=False),
)
STILL_OPEN = alert.c.recovered_at.is_(None)
Index(
    "alert_open_once", alert.c.tenant_id, alert.c.kind, alert.c.subject, unique=True,
    sqlite_where=STILL_OPEN, postgresql_where=STILL_OPEN,
)  # fmt: skip
Index("alert_newest", alert.c.tenant_id, alert.c.raised_at, alert.c.id)
Index("alert_recovered", alert.c.tenant_id, alert.c.recovered_at)

delivery = Table(
    "delivery",
    METADATA,
    _of_tenant(),
    Column("id", Key, primary_key=True),
    Column("alert_id", Key, nullable=False),
    Column("occasion", Member(Occasion), nullable=False),
    Column("severity", Member(Severity), nullable=False),
    Column("channel", Key, nullable=False),
    Column("state", Member(DeliveryState), nullable=False),
    Column("not_before", Moment, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("error", Words, nullable=False),
    Column("done_at", Moment),
    ForeignKeyConstraint(["tenant_id", "alert_id"], ["alert.tenant_id", "alert.id"], ondelete="CASCADE"),
    UniqueConstraint("tenant_id", "alert_id", "occasion", "channel", "severity", name="uq_delivery_once"),
)
Index("delivery_by_state", delivery.c.tenant_id, delivery.c.state, delivery.c.channel, delivery.c.not_before)

observation = Table(
    "observation",
    METADATA,
    _of_tenant(),
    Column("kind", Key, primary_key=True),
    Column("key", Key, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("body", Json, nullable=False),
)
Index("observation_newest", observation.c.tenant_id, observation.c.kind, observation.c.at, observation.c.key)

run = _numbered(
    "run",
    Column("started", Moment, nullable=False),
    Column("ended", Moment),
    Column("outcome", Words, nullable=False),
    Column("said", Json, nullable=False),
)
Index("run_newest", run.c.tenant_id, run.c.id)

kept_value = Table(
    "kept_value",
    METADATA,
    _of_tenant(),
    Column("name", Key, primary_key=True),
    Column("body", Json, nullable=False),
)

held_message = Table(
    "held_message",
    METADATA,
    _of_tenant(),
    Column("id", Key, primary_key=True),
    Column("received_at", Moment, nullable=False),
    Column("envelope_sender", Words, nullable=False),
    Column("recipients", Json, nullable=False),
    Column("smtputf8", Boolean, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("why", Words, nullable=False),
    Column("edge", Words, nullable=False),
    Column("released_at", Moment),
    Column("taken_by", Key, nullable=False),
    Column("content", LargeBinary, nullable=False),
)
STILL_HELD = held_message.c.released_at.is_(None)
Index(
    "held_message_oldest", held_message.c.tenant_id, held_message.c.received_at, held_message.c.id,
    sqlite_where=STILL_HELD, postgresql_where=STILL_HELD,
)  # fmt: skip
IS_RELEASED = held_message.c.released_at.is_not(None)
Index(
    "held_message_released", held_message.c.tenant_id, held_message.c.taken_by,
    sqlite_where=IS_RELEASED, postgresql_where=IS_RELEASED,
)  # fmt: skip

edge_settings = Table(
    "edge_settings",
    METADATA,
    _of_tenant(),
    Column("version", Integer, nullable=False),
    Column("at", Moment, nullable=False),
    Column("who", Words, nullable=False),
    Column("body", Json, nullable=False),
)

edge = Table(
    "edge",
    METADATA,
    _of_tenant(),
    Column("name", Key, primary_key=True),
    Column("began", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
    Column("settings", Integer, nullable=False),
    Column("waiting", BigInteger, nullable=False),
)

edge_count = Table(
    "edge_count",
    METADATA,
    _of_tenant(),
    Column("day", Date, primary_key=True),
    Column("edge", Key, primary_key=True),
    Column("outcome", Key, primary_key=True),
    Column("submission", Key, primary_key=True),
    Column("count", BigInteger, nullable=False),
)

edge_line = _numbered(
    "edge_line",
    Column("edge", Key, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("at", Moment, nullable=False),
    Column("body", Json, nullable=False),
    UniqueConstraint("tenant_id", "edge", "seq", name="uq_edge_line_once"),
)
Index("edge_line_newest", edge_line.c.tenant_id, edge_line.c.id)

web_session = Table(
    "web_session",
    METADATA,
    Column("id_hash", Key, primary_key=True),
    Column("who", Words, nullable=False),
    Column("roles", Json, nullable=False),
    Column("csrf", Words, nullable=False),
    Column("began", Moment, nullable=False),
    Column("expires", Moment, nullable=False),
)
Index("web_session_expires", web_session.c.expires)

web_token = Table(
    "web_token",
    METADATA,
    Column("token_hash", Key, primary_key=True),
    Column("purpose", Words, nullable=False),
    Column("body", Json, nullable=False),
    Column("expires", Moment, nullable=False),
)
Index("web_token_expires", web_token.c.expires)
