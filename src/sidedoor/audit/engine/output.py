"""messages.parquet, and what is counted after senders are known: days and the window."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path

from sidedoor.audit.engine.columns import domain_of
from sidedoor.audit.engine.database import Database, literal
from sidedoor.audit.engine.fastcsv import plain_values
from sidedoor.audit.model import Sender
from sidedoor.audit.simulate import Tally
from sidedoor.errors import OutputError
from sidedoor.policy.decision import Submission

# The contract's columns first, in its order; the others are additive.
_MESSAGE_COLUMNS = (
    "CASE WHEN contains(key, '|') THEN NULL ELSE key END AS network_message_id",
    "received_at",
    "envelope_sender",
    "header_from",
    "recipient",
    "client_ip",
    "connector",
    "submission",
    "sender_id",
    "assessment",
    "would_reject",
    "certainty",
    "missing",
    "listed_sender",
    "helo",
    "tls",
    "direction",
    "spf",
    "dkim",
    "dmarc",
    "compauth",
    "compauth_reason",
    "treatment",
    "entry",
    "mailer",
    "dkim_domain",
)
# Those of them that need no decision and no sender.
EVENT_COLUMNS = tuple(
    column
    for column in _MESSAGE_COLUMNS
    if column not in {"submission", "sender_id", "assessment", "would_reject", "certainty", "missing"}
)


def load_senders(database: Database, senders: Iterable[Sender]) -> None:
    """Create `flow_senders`: flow -> sender id and assessment."""
    database.load(
        "flow_senders",
        {"flow": "INTEGER", "sender_id": "VARCHAR", "assessment": "VARCHAR"},
        ((flow, sender.id, sender.assessment.value) for sender in senders for flow in sender.flow_ids),
    )
    database.run(
        "CREATE TEMP VIEW flow_hashes AS SELECT flow_hash, decision, sender_id, assessment "
        "FROM flow_ids LEFT JOIN flow_senders USING (flow)"
    )


class NotPlainError(Exception):
    """A file taken on trust has rows that are not plain, or doubles: it must be read with care."""


def write_messages(database: Database, path: Path, *, on_trust: bool = False) -> int:
    """Write one row per message and recipient; returns how many. The file appears whole or not at all.

    Raises NotPlainError, and leaves nothing, where trust was misplaced.
    """
    columns = ", ".join(_MESSAGE_COLUMNS)
    partial = path.with_name(f".{path.name}.partial")
    try:
        options = "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, DICTIONARY_SIZE_LIMIT 20000"
        named = f"SELECT {columns} FROM decided LEFT JOIN flow_hashes USING (flow_hash, decision)"
        rest = "SELECT *, NULL::VARCHAR AS sender_id, NULL::VARCHAR AS assessment FROM rest_decided"
        # The bulk has network message ids only, which the row reader's makeshift identities are not among.
        plainly = ", ".join(("key AS network_message_id", *_MESSAGE_COLUMNS[1:]))
        database.run(f"COPY ({named} UNION ALL SELECT {plainly} FROM ({rest})) TO {literal(partial)} ({options})")
        if on_trust:
            _verify(database, partial)
        partial.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from error
    finally:
        partial.unlink(missing_ok=True)
    return int(database.scalar(f"SELECT count(*) FROM read_parquet({literal(path)})"))


def _verify(database: Database, partial: Path) -> None:
    """Every row was plain, and no message and recipient stands twice (by a hash, so a chance hit reads again)."""
    written = f"FROM read_parquet({literal(partial)})"
    senders = {name: f"coalesce({name}, '')" for name in ("listed_sender", "envelope_sender", "header_from")}
    values = {name: name for name in ("received_at", "recipient", "client_ip")}
    plain = plain_values({**values, **senders, "key": "network_message_id"})
    if database.scalar(f"SELECT count(*) {written} WHERE NOT coalesce({' AND '.join(plain)}, false)"):
        raise NotPlainError
    doubles = (
        f"SELECT h FROM (SELECT hash(network_message_id, recipient) AS h {written}) GROUP BY h HAVING count(*) > 1"
    )
    if database.scalar(f"SELECT count(*) FROM ({doubles})"):
        raise NotPlainError


def tallies(database: Database, path: Path) -> list[Tally]:
    """The rows of messages.parquet by what was decided of them."""
    rows = database.rows(
        f"SELECT submission, would_reject, missing, count(*) FROM read_parquet({literal(path)}) "
        "GROUP BY ALL ORDER BY ALL"
    )
    return [
        Tally(Submission(submission), would_reject, tuple(missing.split(",")) if missing else (), count)
        for submission, would_reject, missing, count in rows
    ]


def is_stranger() -> str:
    """SQL condition: a sender is shown, and none that is shown is in an accepted domain."""
    own = "SELECT domain FROM domain_class WHERE class < 0"
    seen = " AND ".join(
        f"coalesce({domain_of(column)}, '') NOT IN ({own})"
        for column in ("envelope_sender", "listed_sender", "header_from")
    )
    return f"({seen} AND coalesce(envelope_sender, listed_sender, header_from, '<>') <> '<>')"


def strangers(database: Database, path: Path) -> int:
    """Messages that are none of the tenant's: neither their sender nor their recipient is in an accepted domain.

    Decided as outbound, since nobody else would have handed them to this service; exports of another tenant look so.
    """
    return int(
        database.scalar(
            f"SELECT count(*) FROM read_parquet({literal(path)}) WHERE submission = 'outbound' AND {is_stranger()}"
        )
    )


def daily_counts(database: Database) -> dict[str, dict[date, int]]:
    """Sender id -> day -> messages."""
    counts: dict[str, dict[date, int]] = {}
    rows = database.rows(
        "SELECT sender_id, received_at::DATE, count(*) FROM wanted JOIN flow_hashes USING (flow_hash, decision) "
        "WHERE received_at IS NOT NULL AND sender_id IS NOT NULL GROUP BY ALL ORDER BY ALL"
    )
    for sender, day, messages in rows:
        counts.setdefault(sender, {})[day] = messages
    return counts


def window(database: Database, messages: Path | None = None) -> tuple[datetime, datetime] | None:
    """First and last time of any message; None where no message has one.

    `messages`: messages.parquet once it is written. Before that the bulk of large files, which needs no sender, is
    left out: reading it for two times would cost more than they tell.
    """
    source = "events" if messages is None else f"read_parquet({literal(messages)})"
    first, last = database.rows(f"SELECT min(received_at), max(received_at) FROM {source}")[0]
    return None if first is None else (first, last)
