"""The spool's file: SQLite, written by one thread, each batch in one transaction that is on disk when it returns.

SQLite in WAL mode with `synchronous = FULL` syncs the log at every commit, so what `add` has taken survives `kill -9`
and a power cut (https://sqlite.org/pragma.html#pragma_synchronous). One commit for a batch is what makes it fast.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from sidedoor.edge.spool.model import Delivery, Fate, Held, Kept, Outcome, Quarantined, SpoolError, Waiting

_SCHEMA = """
CREATE TABLE IF NOT EXISTS message (
  id TEXT PRIMARY KEY, received_at REAL NOT NULL, envelope_sender TEXT NOT NULL, smtputf8 INTEGER NOT NULL,
  content BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS recipient (
  message_id TEXT NOT NULL, address TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, next_attempt REAL NOT NULL,
  last_reply TEXT NOT NULL DEFAULT '', PRIMARY KEY (message_id, address)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS quarantine (
  id TEXT PRIMARY KEY, received_at REAL NOT NULL, envelope_sender TEXT NOT NULL, smtputf8 INTEGER NOT NULL,
  content BLOB NOT NULL, recipients TEXT NOT NULL, why TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS arriving (
  id TEXT PRIMARY KEY, received_at REAL NOT NULL, envelope_sender TEXT NOT NULL, smtputf8 INTEGER NOT NULL,
  content BLOB NOT NULL, recipients TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS itself (identity TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS due ON recipient (next_attempt);
"""
_VERSION = 2  # 1 had no `arriving`: an edge of that version would leave what lies there for ever


class Store:
    """The file. Every method blocks, and all of them must be called from one thread at a time."""

    def __init__(self, path: Path) -> None:
        """Open or create the spool. Raises SpoolError where it is no spool, or another version's."""
        try:
            path.touch(mode=0o600)  # SQLite's other files get the same rights; mail is nobody else's business
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version > _VERSION:
                raise SpoolError(f"{path}: a spool of version {version}, expected {_VERSION}")
            self._db.executescript(_SCHEMA)
            self._db.execute(f"PRAGMA user_version = {_VERSION}")
            self.identity = self._identity()
        except (sqlite3.Error, OSError) as error:
            raise SpoolError(f"{path}: cannot be used as a spool ({error})") from error

    def _identity(self) -> str:
        """The spool's name, made by chance when it was made: whoever opens it later is the same to the shared store."""
        self._db.execute(
            "INSERT INTO itself SELECT ? WHERE NOT EXISTS (SELECT 1 FROM itself)", (f"spool-{uuid.uuid4().hex}",)
        )
        return str(self._db.execute("SELECT identity FROM itself").fetchone()[0])

    def close(self) -> None:
        """Give the file back; what was kept stays."""
        self._db.close()

    def add(self, messages: Sequence[Kept], held: Sequence[Held] = ()) -> None:
        """Keep all of `messages`, due at once, and all of `held`, or none. On disk on return. Raises SpoolError."""
        with self._transaction():
            self._insert(messages)
            self._db.executemany(
                "INSERT INTO quarantine VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(*_row(one.message), json.dumps(one.message.recipients), one.why) for one in held],
            )

    def due(self, now: datetime, most: int, excluded: Iterable[str] = ()) -> list[Delivery]:
        """Up to `most` messages with recipients due at `now`, the longest due first; not the `excluded` ones by id."""
        left_out = set(excluded)
        found: dict[str, list[tuple[str, int]]] = {}
        rows = self._db.execute(
            "SELECT message_id, address, attempts FROM recipient WHERE next_attempt <= ? ORDER BY next_attempt, "
            "message_id, address",
            (now.timestamp(),),
        )
        for message_id, address, attempts in rows:
            if message_id in left_out or (message_id not in found and len(found) >= most):
                if len(found) >= most:
                    break
                continue
            found.setdefault(message_id, []).append((address, attempts))
        return [
            Delivery(self.message(message_id), tuple(address for address, _ in rows), max(n for _, n in rows))
            for message_id, rows in found.items()
        ]

    def next_due(self) -> datetime | None:
        """When the next recipient is due; None where nobody waits."""
        moment = self._db.execute("SELECT min(next_attempt) FROM recipient").fetchone()[0]
        return None if moment is None else datetime.fromtimestamp(moment, UTC)

    def message(self, message_id: str) -> Kept:
        """A kept message with its unsettled recipients. Raises KeyError where there is none."""
        row = self._db.execute(
            "SELECT received_at, envelope_sender, smtputf8, content FROM message WHERE id = ?", (message_id,)
        ).fetchone()
        if row is None:
            raise KeyError(message_id)
        addresses = self._db.execute("SELECT address FROM recipient WHERE message_id = ? ORDER BY 1", (message_id,))
        recipients = tuple(address for (address,) in addresses)
        return Kept(message_id, datetime.fromtimestamp(row[0], UTC), row[1], recipients, row[3], bool(row[2]))

    def settle(
        self, message_id: str, outcomes: Iterable[Outcome], next_attempt: datetime, notices: Sequence[Kept] = ()
    ) -> None:
        """Write down what an attempt made of recipients, and keep `notices` (to the sender) in the same transaction.

        Deferred ones are due again at `next_attempt`; a message is gone with its last recipient. Raises SpoolError.
        """
        with self._transaction():
            for outcome in outcomes:
                if outcome.fate is Fate.DEFERRED:
                    self._db.execute(
                        "UPDATE recipient SET attempts = attempts + 1, next_attempt = ?, last_reply = ? "
                        "WHERE message_id = ? AND address = ?",
                        (next_attempt.timestamp(), outcome.reply, message_id, outcome.recipient),
                    )
                else:
                    self._db.execute(
                        "DELETE FROM recipient WHERE message_id = ? AND address = ?", (message_id, outcome.recipient)
                    )
            left = self._db.execute("SELECT 1 FROM recipient WHERE message_id = ? LIMIT 1", (message_id,)).fetchone()
            if left is None:
                self._db.execute("DELETE FROM message WHERE id = ?", (message_id,))
            self._insert(notices)

    def _insert(self, messages: Sequence[Kept]) -> None:
        self._db.executemany("INSERT INTO message VALUES (?, ?, ?, ?, ?)", map(_row, messages))
        self._db.executemany(
            "INSERT INTO recipient (message_id, address, next_attempt) VALUES (?, ?, ?)",
            [(m.id, address, m.received_at.timestamp()) for m in messages for address in set(m.recipients)],
        )

    def retry(self, message_id: str, now: datetime) -> bool:
        """Make a message due now; False where it is not there."""
        with self._transaction():
            cursor = self._db.execute(
                "UPDATE recipient SET next_attempt = ? WHERE message_id = ?", (now.timestamp(), message_id)
            )
        return cursor.rowcount > 0

    def waiting(self) -> Iterator[Waiting]:
        """Every unsettled recipient, the longest waiting message first."""
        rows = self._db.execute(
            "SELECT m.id, m.envelope_sender, r.address, m.received_at, r.attempts, r.next_attempt, r.last_reply, "
            "length(m.content) FROM recipient r JOIN message m ON m.id = r.message_id ORDER BY m.received_at, m.id, 3"
        )
        for message_id, sender, address, received, attempts, attempt, reply, size in rows:
            moments = (datetime.fromtimestamp(moment, UTC) for moment in (received, attempt))
            received_at, next_attempt = moments
            yield Waiting(message_id, sender, address, received_at, attempts, next_attempt, reply, size)

    def quarantine(self) -> Iterator[Quarantined]:
        """Every message held back, the oldest first."""
        rows = self._db.execute(
            "SELECT id, received_at, envelope_sender, recipients, length(content), why FROM quarantine ORDER BY 2, 1"
        )
        for message_id, received, sender, recipients, size, why in rows:
            received_at = datetime.fromtimestamp(received, UTC)
            yield Quarantined(message_id, received_at, sender, tuple(json.loads(recipients)), size, why)

    def held(self, message_id: str) -> Held:
        """A message held back, whole. Raises KeyError where there is none."""
        row = self._db.execute(
            "SELECT received_at, envelope_sender, recipients, content, smtputf8, why FROM quarantine WHERE id = ?",
            (message_id,),
        ).fetchone()
        if row is None:
            raise KeyError(message_id)
        received_at = datetime.fromtimestamp(row[0], UTC)
        return Held(Kept(message_id, received_at, row[1], tuple(json.loads(row[2])), row[3], bool(row[4])), row[5])

    def release(self, message_id: str, now: datetime) -> None:
        """Let a message held back go on its way, due `now`. Raises KeyError where there is none, or SpoolError."""
        held = self.held(message_id)
        with self._transaction():
            self._insert([replace(held.message, received_at=now)])
            self._db.execute("DELETE FROM quarantine WHERE id = ?", (message_id,))

    def delete(self, message_id: str) -> None:
        """Delete a message held back for good. Raises KeyError where there is none, or SpoolError."""
        with self._transaction():
            gone = self._db.execute("DELETE FROM quarantine WHERE id = ?", (message_id,)).rowcount
        if not gone:
            raise KeyError(message_id)

    def prepare(self, message: Kept) -> None:
        """Keep a message that the shared store is about to hand over; nothing is done with it until `settle_arriving`.

        Raises SpoolError.
        """
        with self._transaction():
            row = (*_row(message), json.dumps(message.recipients))
            self._db.execute("INSERT OR REPLACE INTO arriving VALUES (?, ?, ?, ?, ?, ?)", row)

    def arriving(self) -> list[str]:
        """Messages of `prepare` that are not settled, by id."""
        return [name for (name,) in self._db.execute("SELECT id FROM arriving ORDER BY id")]

    def settle_arriving(self, asked: Iterable[str], own: Collection[str], now: datetime) -> None:
        """Let those of the `asked` that are the spool's `own` go on their way, due `now`, and drop the others."""
        query = "SELECT received_at, envelope_sender, smtputf8, content, recipients FROM arriving WHERE id = ?"
        with self._transaction():
            for name in asked:
                row = self._db.execute(query, (name,)).fetchone()
                if row is not None and name in own:
                    self._insert([Kept(name, now, row[1], tuple(json.loads(row[4])), row[3], bool(row[2]))])
                self._db.execute("DELETE FROM arriving WHERE id = ?", (name,))

    def count(self) -> int:
        """Messages in the spool."""
        return int(self._db.execute("SELECT count(*) FROM message").fetchone()[0])

    def is_empty(self) -> bool:
        """Whether nothing lies in it: on its way, held back, or arriving."""
        tables = ("message", "quarantine", "arriving")
        return not any(self._db.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() for table in tables)  # noqa: S608

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise SpoolError(f"the spool cannot be written ({error})") from error


def _row(message: Kept) -> tuple[str, float, str, bool, bytes]:
    received = message.received_at.timestamp()
    return message.id, received, message.envelope_sender, message.smtputf8, message.content
