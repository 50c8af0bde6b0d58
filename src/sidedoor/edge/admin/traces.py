"""Message traces of the twin: the edge's decision log as the service would list it.

What was refused at the door is in no trace, as in the service. The log has neither Subject nor Message-ID, so a trace
has an empty subject and an id made of the transaction's.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.sax.saxutils import quoteattr

from sidedoor.edge.admin import values
from sidedoor.edge.admin.errors import CmdletError, bad_parameter
from sidedoor.edge.admin.settings import Row
from sidedoor.edge.admin.values import Check

_SCHEMA = """
CREATE TABLE trace (
  received TEXT NOT NULL, recipient TEXT NOT NULL, id TEXT NOT NULL, sender TEXT NOT NULL, ip TEXT NOT NULL,
  status TEXT NOT NULL, size INTEGER NOT NULL, line TEXT NOT NULL, PRIMARY KEY (id, recipient)
) WITHOUT ROWID;
CREATE INDEX by_time ON trace (received, recipient);
"""
_SPACE = uuid.UUID("5d0d2a8e-6f0c-4f0e-9d3c-5e1de0000001")
_MOST_RESULTS, _USUAL_RESULTS = 5_000, 1_000
_MOST_DAYS, _OLDEST_DAYS, _USUAL_HOURS = 10, 90, 48
_STATUS = {"deliver": "Delivered", "relay": "Delivered", "quarantine": "Quarantined", "reject": "Failed",
           "delete": "Failed"}  # fmt: skip
_MOST_LINE = 1 << 20
_TRACE: Mapping[str, Check] = {
    "StartDate": values.moment, "EndDate": values.moment, "ResultSize": values.whole,
    "StartingRecipientAddress": values.text, "SenderAddress": values.texts, "RecipientAddress": values.texts,
    "MessageTraceId": values.text, "FromIP": values.text, "Status": values.texts,
}  # fmt: skip
_DETAIL: Mapping[str, Check] = {
    "MessageTraceId": values.text, "RecipientAddress": values.text, "StartDate": values.moment,
    "EndDate": values.moment, "ResultSize": values.whole,
}  # fmt: skip


class TraceIndex:
    """Reads the log as it grows. Rows lie in a database in memory; the service keeps 90 days, and so does this."""

    def __init__(self, log: Path, hostname: str, now: Callable[[], datetime]) -> None:
        self._log, self._hostname, self._now = log, hostname, now
        self._at = 0
        self._inode = 0
        self._db = sqlite3.connect(":memory:", check_same_thread=False)
        self._db.executescript(_SCHEMA)

    def refresh(self) -> None:
        """Take in what has been written since, a new file after a rotation too."""
        try:
            stat = self._log.stat()
        except OSError:
            return
        if stat.st_ino != self._inode or stat.st_size < self._at:
            self._inode, self._at = stat.st_ino, 0
        with self._log.open("rb") as stream:
            stream.seek(self._at)
            for line in iter(lambda: stream.readline(_MOST_LINE), b""):
                if not line.endswith(b"\n"):
                    break  # the rest of it is still being written
                self._at += len(line)
                self._take(line)
        oldest = self._now() - timedelta(days=_OLDEST_DAYS)
        self._db.execute("DELETE FROM trace WHERE received < ?", (_iso(oldest),))

    def _take(self, line: bytes) -> None:
        try:
            told = json.loads(line)
            if told["outcome"] != "kept":
                return
            row = (
                _iso(datetime.fromisoformat(told["time"])), told["recipient"].lower(), trace_id(told["transaction"]),
                told["envelope_sender"], told["client_ip"],
                _STATUS.get((told.get("handled") or {}).get("action", "deliver"), "Delivered"), int(told["size"] or 0),
                line.decode("ascii"),
            )  # fmt: skip
        except (ValueError, KeyError, TypeError, AttributeError):
            return  # a line of somebody else's
        self._db.execute("INSERT OR IGNORE INTO trace VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)

    def list(self, given: Mapping[str, object]) -> tuple[Sequence[Row], Sequence[str]]:
        """Get-MessageTraceV2: rows, the newest first, and warnings; a cut answer has a warning and no next link."""
        found = values.checked(given, _TRACE)
        start, end = self._window(found)
        most = _results(found)
        where, arguments = _where(found, start, end)
        rows = self._db.execute(
            f"SELECT received, recipient, id, sender, ip, status, size FROM trace WHERE {where} "  # noqa: S608  # of constants
            "ORDER BY received DESC, recipient LIMIT ?",
            (*arguments, most + 1),
        ).fetchall()
        warnings = [_more(start, rows[most - 1], most)] if len(rows) > most else []
        return [self._row(row) for row in rows[:most]], warnings

    def detail(self, given: Mapping[str, object]) -> Sequence[Row]:
        """Get-MessageTraceDetailV2. One of its two keys alone gives nothing, without an error, as in the service."""
        found = values.checked(given, _DETAIL)
        if "MessageTraceId" not in found or "RecipientAddress" not in found:
            return []
        start, end = self._window(found)
        rows = self._db.execute(
            "SELECT line FROM trace WHERE id = ? AND recipient = ? AND received BETWEEN ? AND ?",
            (str(found["MessageTraceId"]).lower(), str(found["RecipientAddress"]).lower(), _iso(start), _iso(end)),
        ).fetchall()
        return [event for (line,) in rows for event in self._events(json.loads(line))]

    def _window(self, found: Mapping[str, object]) -> tuple[datetime, datetime]:
        """The last 48 hours if not given; at most ten days, at most 90 days back."""
        now = self._now()
        end, start = found.get("EndDate", now), found.get("StartDate")
        assert isinstance(end, datetime)
        start = start if isinstance(start, datetime) else end - timedelta(hours=_USUAL_HOURS)
        if start > end:
            raise bad_parameter("StartDate", "StartDate must be before EndDate.")
        if end - start > timedelta(days=_MOST_DAYS):
            raise CmdletError("The date range between StartDate and EndDate must be within 10 days.")
        if now - start > timedelta(days=_OLDEST_DAYS, hours=1):
            raise CmdletError("StartDate must be within the last 90 days.")
        return start, end

    def _row(self, row: tuple[str, str, str, str, str, str, int]) -> Row:
        received, recipient, name, sender, ip, status, size = row
        return {
            "MessageTraceId": name, "MessageId": f"<{name}@{self._hostname}>", "Received@data.type": "System.DateTime",
            "Received": received, "SenderAddress": sender, "RecipientAddress": recipient, "FromIP": ip, "ToIP": "",
            "Subject": "", "Status": status, "Size@data.type": "System.Int32", "Size": size,
        }  # fmt: skip

    def _events(self, told: Mapping[str, object]) -> Iterator[Row]:
        name = trace_id(str(told["transaction"]))
        common = {
            "MessageTraceId": name, "MessageId": f"<{name}@{self._hostname}>",
            "Date": _iso(datetime.fromisoformat(str(told["time"]))), "Action": "",
        }  # fmt: skip
        yield {
            **common,
            "Event": "Receive",
            "Detail": f"Message received by: {self._hostname}",
            "Data": self._data(told),
        }
        handled = told.get("handled")
        rules = handled.get("rules", []) if isinstance(handled, dict) else []
        for rule in rules:
            data = f'<root><MEP Name="ruleName" String={quoteattr(str(rule))} /></root>'
            yield {**common, "Event": "Transport rule", "Detail": f"Transport rule: '{rule}'", "Data": data}
        yield {**common, "Event": "Deliver", "Detail": "The message was delivered.", "Data": "<root />"}

    def _data(self, told: Mapping[str, object]) -> str:
        """`<root><MEP .../></root>` of a Receive event: the client's address stands in CustomData, not in ClientIP."""
        host = self._hostname
        connector = told.get("connector") or f"{host}\\Default {host}"
        helo = str(told.get("helo") or "").replace(";", "_")
        custom = (
            f"S:ProxyHop1={host}(127.0.0.1);S:ProxiedClientIPAddress={told['client_ip']};S:ProxiedClientHostname={helo}"
        )
        parts = [
            ("ServerHostName", "String", host), ("ConnectorId", "String", str(connector)),
            ("ClientIP", "String", "127.0.0.1"), ("ClientName", "String", host),
            ("ReturnPath", "String", str(told["envelope_sender"]) or "<>"), ("CustomData", "Blob", custom),
        ]  # fmt: skip
        inner = "".join(f'<MEP Name="{name}" {kind}={quoteattr(text)} />' for name, kind, text in parts)
        return f"<root>{inner}</root>"


def trace_id(transaction: str) -> str:
    """A GUID for a transaction, always the same."""
    return str(uuid.uuid5(_SPACE, transaction))


def _iso(when: datetime) -> str:
    """Seven digits of a second, as the service writes them."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")


def _results(found: Mapping[str, object]) -> int:
    most = found.get("ResultSize", _USUAL_RESULTS)
    if not isinstance(most, int) or not 1 <= most <= _MOST_RESULTS:
        raise bad_parameter("ResultSize", "The value must be between 1 and 5000.")
    return most


def _where(found: Mapping[str, object], start: datetime, end: datetime) -> tuple[str, list[object]]:
    """Conditions are constants; every value is an argument."""
    where, arguments = ["received BETWEEN ? AND ?"], [_iso(start), _iso(end)]
    if "StartingRecipientAddress" in found:
        # Goes on behind the last row of the answer before: at its time from its recipient on, then the older ones.
        where.append("(received < ? OR recipient >= ?)")
        arguments += [_iso(end), str(found["StartingRecipientAddress"]).lower()]
    for name, column in (("SenderAddress", "sender"), ("RecipientAddress", "recipient"), ("Status", "status")):
        wanted = found.get(name)
        if isinstance(wanted, list) and wanted:
            where.append(f"lower({column}) IN ({','.join('?' * len(wanted))})")
            arguments += [str(each).lower() for each in wanted]
    for name, column in (("MessageTraceId", "id"), ("FromIP", "ip")):
        if name in found:
            where.append(f"{column} = ?")
            arguments.append(str(found[name]).lower())
    return " AND ".join(where), list(arguments)


def _more(start: datetime, last: Sequence[object], most: int) -> str:
    """The warning that is the only sign of a cut answer."""
    return (
        "There are more results, use the following command to get more. Get-MessageTraceV2 "
        f'-StartDate "{_iso(start)}" -EndDate "{last[0]}" -StartingRecipientAddress "{last[1]}" -ResultSize {most}'
    )
