"""messages.parquet read again: counts by decision key and sender, for a plan that asks the rule anew.

The columns are those that `output` writes. A file that lacks one is no messages.parquet of this version.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

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


class KeptHistory:
    """One messages.parquet, open. `path` names it in errors."""

    def __init__(self, database: Database, path: Path) -> None:
        self._database, self._path = database, path

    @property
    def _source(self) -> str:
        return f"read_parquet({literal(self._path)})"

    def places(self) -> list[Place]:
        """Every sender's places, the busiest first."""
        query = (
            f"SELECT sender_id, client_ip, {_SENDER_DOMAIN} AS domain, count(*) AS n, "
            "count(*) FILTER (would_reject IS DISTINCT FROM false), count(DISTINCT received_at::DATE), "
            "count(*) FILTER (tls IS NOT NULL AND tls <> 'none'), count(*) FILTER (tls = 'none'), "
            f"min(received_at), max(received_at) FROM {self._source} WHERE sender_id IS NOT NULL "
            f"GROUP BY ALL ORDER BY n DESC, sender_id, client_ip, domain LIMIT {MOST_PLACES}"
        )
        return [Place(*row) for row in self._database.rows(query)]

    def busiest_days(self) -> dict[str, int]:
        """Sender -> messages of its busiest day."""
        query = (
            "SELECT sender_id, max(n) FROM (SELECT sender_id, received_at::DATE AS day, count(*) AS n "
            f"FROM {self._source} WHERE sender_id IS NOT NULL GROUP BY ALL) GROUP BY 1"
        )
        return dict(self._database.rows(query))

    def recipients(self, senders: Sequence[str], most: int) -> dict[str, tuple[tuple[str, ...], int]]:
        """Sender -> up to `most` recipients, those with the most messages first, and how many there are."""
        if not senders:
            return {}
        wanted = ", ".join(literal(sender) for sender in senders)
        query = (
            "SELECT sender_id, list(recipient ORDER BY n DESC, recipient)[:?], count(*) FROM ("
            f"SELECT sender_id, recipient, count(*) AS n FROM {self._source} "
            f"WHERE sender_id IN ({wanted}) AND recipient IS NOT NULL GROUP BY ALL) GROUP BY 1"
        )
        return {sender: (tuple(found), count) for sender, found, count in self._database.rows(query, [most])}

    def window(self) -> tuple[datetime, datetime] | None:
        """First and last time; None where no message has one."""
        first, last = self._database.rows(f"SELECT min(received_at), max(received_at) FROM {self._source}")[0]
        return None if first is None else (first, last)

    def flows(self, classes: Classes) -> list[KeptFlow]:
        """All messages by decision key and sender, under the classes of a tenant."""
        for name in ("VIEW IF EXISTS kept_keyed", "VIEW IF EXISTS kept_events", "VIEW IF EXISTS kept"):
            self._database.run(f"DROP {name}")
        for name in ("domain_class", "address_class"):
            self._database.run(f"DROP TABLE IF EXISTS {name}")
        load_classes(self._database, classes)
        self._database.run(f"CREATE TEMP VIEW kept AS SELECT * FROM {self._source}")
        classify_seen(self._database, classes.addresses, "kept")
        self._database.run(f"CREATE TEMP VIEW kept_events AS {with_classes('SELECT * FROM kept', _TEXT, classes)}")
        define_keyed(self._database, "kept_keyed", "kept_events")
        names = ", ".join(KEY)
        query = f"SELECT {names}, coalesce(sender_id, ''), count(*) FROM kept_keyed GROUP BY ALL ORDER BY ALL"
        return [KeptFlow(key_of(row), row[-2], row[-1]) for batch in self._database.batches(query) for row in batch]


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
            yield KeptHistory(database, path)
        except DatabaseInputError as error:
            raise InputError(str(path), str(error)[:100], _EXPECTED) from error
