"""A kept history read again: counts by decision key and sender, for a plan that asks the rule anew.

`open_kept` reads one messages.parquet, whose columns are those that `output` writes; a file that lacks one is none of
this version. `kept_days` reads a history by day.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from sidedoor.audit.classes import Classes
from sidedoor.audit.engine.columns import classify_seen, define_keyed, domain_of, load_classes, with_classes
from sidedoor.audit.engine.database import Database, DatabaseInputError, literal, open_database
from sidedoor.audit.engine.flows import KEY, key_of
from sidedoor.audit.facts import DecisionKey
from sidedoor.errors import InputError

_TEXT = frozenset({"envelope_sender", "listed_sender", "header_from", "recipient"})
_NEEDED = frozenset(
    {"received_at", "client_ip", "connector", "tls", "direction", "entry", "sender_id", "would_reject", *_TEXT}
)
_EXPECTED = "the messages.parquet of an audit of this version; audit again to make one"
_SENDER_DOMAIN = domain_of("coalesce(envelope_sender, listed_sender)")
MOST_PLACES = 2_000_000  # of all senders together; the busiest are kept


@dataclass(frozen=True, slots=True)
class KeptFlow:
    """So many messages of one sender ("" for mail of no sender of the report) are decided alike."""

    key: DecisionKey
    sender: str
    messages: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sender was seen: one address (as text; "" no client, None unknown) and envelope-sender domain.

    domain: of the envelope sender, or of the listed sender where that is all there is; None for the null reverse-path
    and the unknown. days: on how many. tls, plain: messages known to have come with and without TLS.
    """

    sender: str
    address: str | None
    domain: str | None
    messages: int
    refusable: int
    days: int
    tls: int
    plain: int
    first: datetime | None
    last: datetime | None


class KeptHistory(Protocol):
    """What a plan asks of a history. Messages are counted per recipient."""

    def places(self) -> list[Place]:
        """Every sender's places, the busiest first."""

    def busiest_days(self) -> dict[str, int]:
        """Sender -> messages of its busiest day."""

    def recipients(self, senders: Sequence[str], most: int) -> dict[str, tuple[tuple[str, ...], int]]:
        """Sender -> up to `most` recipients, those with the most messages first, and how many there are."""

    def window(self) -> tuple[datetime, datetime] | None:
        """First and last time; None where no message has one."""

    def flows(self, classes: Classes) -> list[KeptFlow]:
        """All messages by decision key and sender, under the classes of a tenant."""


class KeptMessages:
    """One messages.parquet, open."""

    def __init__(self, database: Database, path: Path) -> None:
        self._database, self._source = database, f"read_parquet({literal(path)})"

    def places(self) -> list[Place]:
        """See `KeptHistory`."""
        query = (
            f"SELECT sender_id, client_ip, {_SENDER_DOMAIN} AS domain, count(*) AS n, "
            "count(*) FILTER (would_reject IS DISTINCT FROM false), count(DISTINCT received_at::DATE), "
            "count(*) FILTER (tls IS NOT NULL AND tls <> 'none'), count(*) FILTER (tls = 'none'), "
            f"min(received_at), max(received_at) FROM {self._source} WHERE sender_id IS NOT NULL "
            f"GROUP BY ALL ORDER BY n DESC, sender_id, client_ip, domain LIMIT {MOST_PLACES}"
        )
        return [Place(*row) for row in self._database.rows(query)]

    def busiest_days(self) -> dict[str, int]:
        """See `KeptHistory`."""
        query = (
            "SELECT sender_id, max(n) FROM (SELECT sender_id, received_at::DATE AS day, count(*) AS n "
            f"FROM {self._source} WHERE sender_id IS NOT NULL GROUP BY ALL) GROUP BY 1"
        )
        return dict(self._database.rows(query))

    def recipients(self, senders: Sequence[str], most: int) -> dict[str, tuple[tuple[str, ...], int]]:
        """See `KeptHistory`."""
        return recipients_of(self._database, self._source, senders, most)

    def window(self) -> tuple[datetime, datetime] | None:
        """See `KeptHistory`."""
        first, last = self._database.rows(f"SELECT min(received_at), max(received_at) FROM {self._source}")[0]
        return None if first is None else (first, last)

    def flows(self, classes: Classes) -> list[KeptFlow]:
        """See `KeptHistory`."""
        define_kept_keys(self._database, self._source, classes)
        names = ", ".join(KEY)
        query = f"SELECT {names}, coalesce(sender_id, ''), count(*) FROM kept_keyed GROUP BY ALL ORDER BY ALL"
        return [KeptFlow(key_of(row), row[-2], row[-1]) for batch in self._database.batches(query) for row in batch]


def recipients_of(
    database: Database, source: str, senders: Sequence[str], most: int
) -> dict[str, tuple[tuple[str, ...], int]]:
    """As `KeptHistory.recipients`, of a table expression with `sender_id` and `recipient`."""
    if not senders:
        return {}
    wanted = ", ".join(literal(sender) for sender in senders)
    query = (
        "SELECT sender_id, list(recipient ORDER BY n DESC, recipient)[:?], count(*) FROM ("
        f"SELECT sender_id, recipient, count(*) AS n FROM {source} "
        f"WHERE sender_id IN ({wanted}) AND recipient IS NOT NULL GROUP BY ALL) GROUP BY 1"
    )
    return {sender: (tuple(found), count) for sender, found, count in database.rows(query, [most])}


def define_kept_keys(database: Database, source: str, classes: Classes) -> None:
    """The view `kept_keyed`: messages of a table expression with their decision keys under `classes`; made anew."""
    for name in ("VIEW IF EXISTS kept_keyed", "VIEW IF EXISTS kept_events", "VIEW IF EXISTS kept"):
        database.run(f"DROP {name}")
    for name in ("domain_class", "address_class"):
        database.run(f"DROP TABLE IF EXISTS {name}")
    load_classes(database, classes)
    database.run(f"CREATE TEMP VIEW kept AS SELECT * FROM {source}")
    classify_seen(database, classes.addresses, "kept")
    database.run(f"CREATE TEMP VIEW kept_events AS {with_classes('SELECT * FROM kept', _TEXT, classes)}")
    define_keyed(database, "kept_keyed", "kept_events")


@contextmanager
def open_kept(path: Path) -> Iterator[KeptHistory]:
    """Open a messages.parquet. Raises InputError where it is none, or of another version."""
    if not path.is_file():
        raise InputError(str(path), "nothing there", _EXPECTED)
    with TemporaryDirectory(prefix="sidedoor-") as scratch, open_database(Path(scratch)) as database:
        try:
            found = {name for name, *_ in database.rows(f"DESCRIBE SELECT * FROM read_parquet({literal(path)})")}
        except DatabaseInputError as error:
            raise InputError(str(path), str(error)[:100], _EXPECTED) from error
        if not found >= _NEEDED:
            missing = ", ".join(sorted(_NEEDED - found))
            raise InputError(str(path), f"no column {missing}", _EXPECTED)
        try:
            yield KeptMessages(database, path)
        except DatabaseInputError as error:
            raise InputError(str(path), str(error)[:100], _EXPECTED) from error
