"""Message traces of the twin: the edge's decision log as the service would list it.

What was refused at the door is in no trace, as in the service. The log has neither Subject nor Message-ID, so a trace
has an empty subject and an id made of the transaction's.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from sidedoor.edge.admin.errors import CmdletError
from sidedoor.edge.admin.follow import Followed
from sidedoor.edge.admin.named import iso

_SCHEMA = """
PRAGMA journal_mode = OFF;
PRAGMA cache_size = -8000;
CREATE TABLE trace (
  received TEXT NOT NULL, recipient TEXT NOT NULL, id TEXT NOT NULL, sender TEXT NOT NULL, ip TEXT NOT NULL,
  status TEXT NOT NULL, size INTEGER NOT NULL, told TEXT NOT NULL, PRIMARY KEY (id, recipient)
) WITHOUT ROWID;
CREATE INDEX by_time ON trace (received DESC, recipient, id);
"""
_SPACE = uuid.UUID("5d0d2a8e-6f0c-4f0e-9d3c-5e1de0000001")
_MOST_ROWS = 1_000_000
OLDEST = timedelta(days=90)
_STATUS = {"deliver": "Delivered", "relay": "Delivered", "quarantine": "Quarantined", "reject": "Failed",
           "delete": "Failed"}  # fmt: skip
_TOLD = ("time", "transaction", "envelope_sender", "client_ip", "helo", "tls", "connector", "handled", "final")
_MOST_STARS = 3
_LOWER = frozenset({"id", "recipient"})  # kept in lower case
_COLUMNS = frozenset({"id", "recipient", "sender", "ip", "status"})


class Trace(NamedTuple):
    """One message to one recipient. received: as the service writes times. told: what the log says, as JSON."""

    received: str
    recipient: str
    id: str
    sender: str
    ip: str
    status: str
    size: int
    told: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which traces. equal: for a column any of these texts, whatever the case; `*` stands for anything.

    from_recipient: of the rows at `end`, those from this recipient on. behind: after this one in the order of lists.
    """

    start: datetime
    end: datetime
    equal: Mapping[str, Sequence[str]] = field(default_factory=dict)
    from_recipient: str | None = None
    behind: tuple[str, str, str] | None = None


class TraceIndex:
    """Reads the log as it grows. Rows lie in a temporary database of SQLite's, which keeps 8 MB of it in memory.

    Bounds: 90 days, as the service keeps them, and the newest `most` rows. Every method blocks; one thread at a time.
    """

    def __init__(self, log: Path, hostname: str, now: Callable[[], datetime], most: int = _MOST_ROWS) -> None:
        self.hostname, self.now = hostname, now
        self._log, self._most = Followed(log), most
        self._count = 0
        # "": a file that is deleted as it is made (sqlite.org/inmemorydb.html, temporary on-disk databases).
        self._db = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._db.executescript(_SCHEMA)

    def refresh(self) -> None:
        """Take in what has been written since. Raises OSError."""
        self._db.execute("BEGIN")
        try:
            for line in self._log.lines():
                self._take(line)
        finally:
            self._db.execute("COMMIT")
        self._forget()

    def _take(self, line: bytes) -> None:
        # A line of somebody else's is passed over.
        with suppress(ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
            told = json.loads(line)
            if told["outcome"] == "kept":
                row = _trace(told)
                self._count += self._db.execute(
                    "INSERT OR IGNORE INTO trace VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row
                ).rowcount

    def _forget(self) -> None:
        oldest = iso(self.now() - OLDEST)
        self._count -= self._db.execute("DELETE FROM trace WHERE received < ?", (oldest,)).rowcount
        if self._count <= self._most:
            return
        kept = self._db.execute(
            "SELECT received FROM trace ORDER BY received DESC LIMIT 1 OFFSET ?", (self._most,)
        ).fetchone()
        self._count -= self._db.execute("DELETE FROM trace WHERE received <= ?", kept).rowcount

    def select(self, wanted: Wanted, most: int) -> list[Trace]:
        """The newest first; at one time by recipient."""
        where, arguments = _where(wanted)
        rows = self._db.execute(
            f"SELECT * FROM trace WHERE {where} ORDER BY received DESC, recipient, id LIMIT ?",  # noqa: S608  # constants
            (*arguments, most),
        )
        return [Trace(*row) for row in rows]

    def close(self) -> None:
        """Forget everything."""
        self._log.close()
        self._db.close()


def _trace(told: Mapping[str, object]) -> Trace:
    """Raises KeyError, ValueError, TypeError, AttributeError for a line that is none of ours."""
    texts = [told[key] for key in ("recipient", "envelope_sender", "client_ip", "transaction", "time")]
    if not all(isinstance(text, str) for text in texts):
        raise TypeError
    recipient, sender, ip, transaction, time = map(_whole, texts)
    handled, size = told.get("handled"), told.get("size")
    action = handled["action"] if isinstance(handled, dict) else "deliver"
    return Trace(
        iso(datetime.fromisoformat(time)), recipient.lower(), trace_id(transaction), sender, ip,
        _STATUS.get(action, "Delivered"), size if isinstance(size, int) and 0 <= size < 1 << 31 else 0,
        json.dumps({key: told.get(key) for key in _TOLD}),
    )  # fmt: skip


def _whole(text: object) -> str:
    """Without half characters, which no answer could hold."""
    return str(text).encode("utf-8", "replace").decode()


def trace_id(transaction: str) -> str:
    """A GUID for a transaction, always the same."""
    return str(uuid.uuid5(_SPACE, transaction))


def _where(wanted: Wanted) -> tuple[str, list[object]]:
    """Conditions are constants; every value is an argument."""
    where, arguments = ["received BETWEEN ? AND ?"], [iso(wanted.start), iso(wanted.end)]
    if wanted.from_recipient is not None:
        where.append("(received < ? OR recipient >= ?)")
        arguments += [iso(wanted.end), wanted.from_recipient.lower()]
    if wanted.behind is not None:
        received, recipient, name = wanted.behind
        where.append("(received < ? OR (received = ? AND (recipient, id) > (?, ?)))")
        arguments += [received, received, recipient, name]
    for column, texts in wanted.equal.items():
        assert column in _COLUMNS
        # Plain texts by the index; patterns one by one, out of a JSON array, because 1,000 ORs are too deep.
        patterns = [_glob(text) for text in texts if "*" in text]
        plain = [text.lower() for text in texts if "*" not in text]
        name = column if column in _LOWER else f"lower({column})"
        each = [f"{name} IN ({','.join('?' * len(plain))})"]
        arguments += plain
        if patterns:
            each.append(f"EXISTS (SELECT 1 FROM json_each(?) WHERE {name} GLOB value)")  # noqa: S608  # of constants
            arguments.append(json.dumps(patterns))
        where.append(f"({' OR '.join(each)})")
    return " AND ".join(where), list(arguments)


def _glob(text: str) -> str:
    """A pattern in which nothing but `*` is special. Raises CmdletError for one that would be looked for for ever."""
    if text.count("*") > _MOST_STARS:
        raise CmdletError("A pattern has too many wildcards.")
    return "".join(f"[{each}]" if each in "[?" else each for each in text.lower())
