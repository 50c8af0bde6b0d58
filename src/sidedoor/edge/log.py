"""The decision log: one JSON line for each decided recipient, appended to a file. Keys: docs/edge.md.

ASCII with escapes, so that nothing a client says can break a line or steer a terminal; texts are cut, so that a line
is bounded. No passwords, no content.
"""

from __future__ import annotations

import json
import json.encoder
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from sidedoor.edge.interface import DecisionRecord, Handled, Outcome, Session
from sidedoor.edge.locks import LOCK_EX, LOCK_SH, locked
from sidedoor.edge.trace import stamp
from sidedoor.errors import OutputError
from sidedoor.mail.address import Address
from sidedoor.mail.reply import Reply
from sidedoor.policy.decision import Decision

SCHEMA = "sidedoor/edge-log/1"
T = TypeVar("T")
_MOST_TEXT = 512
_MOST_REMEMBERED = 4_096
_MOST_ENDS = 64
_MOST_NAMES = 100
_MOST_WAITING = 4 << 20  # octets held while the disk takes nothing
_quoted = json.encoder.encode_basestring_ascii
_encode = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), check_circular=False).encode


def as_json(record: DecisionRecord) -> dict[str, Any]:
    """The record in the words of docs/edge.md."""
    return {
        **_begin(record),
        **_session(record.session),
        **_middle(record),
        **_decision(record.recipient.decision),
        "said": _reply(record.recipient.said),
        **_end(record),
    }


class Lines:
    """Makes the lines. A session and a decision stand in many of them, so their text is remembered."""

    def __init__(self) -> None:
        self._memory: dict[int, tuple[object, str]] = {}
        self._ends: dict[tuple[Outcome, bool, datetime], str] = {}

    def line(self, record: DecisionRecord) -> bytes:
        """`as_json`, as a line; put together by hand, because there is one for every refusal."""
        recipient = record.recipient
        sender = record.envelope_sender
        header_from = None if record.header_from is None else record.header_from[:_MOST_TEXT]
        return (
            f'{{"schema":"{SCHEMA}","time":"{stamp(recipient.decided_at)}","transaction":{_quoted(record.transaction)},'
            f"{self._remembered(record.session, _session)},"
            f'"envelope_sender":{_quoted(str(sender)[:_MOST_TEXT] if isinstance(sender, Address) else "")},'
            f'"recipient":{_quoted(str(recipient.address)[:_MOST_TEXT])},'
            f'"header_from":{"null" if header_from is None else _quoted(header_from)},'
            f'"size":{"null" if record.size is None else record.size},'
            f"{self._remembered(recipient.decision, _decision)},"
            f'"said":{{"code":{recipient.said.code},"enhanced":{_quoted(recipient.said.enhanced)},'
            f'"text":{_quoted(recipient.said.text[:_MOST_TEXT])}}},{self._end(record)}}}\n'
        ).encode("ascii")

    def _end(self, record: DecisionRecord) -> str:
        """Of refusals it is the same for all under the same settings."""
        if record.final is not None or record.handled is not None or record.authentication is not None:
            return _inner(_end(record))
        key = (record.outcome, record.audit_only, record.settings_at)
        text = self._ends.get(key)
        if text is None:
            if len(self._ends) >= _MOST_ENDS:
                self._ends.clear()
            text = self._ends[key] = _inner(_end(record))
        return text

    def _remembered(self, value: T, describe: Callable[[T], dict[str, Any]]) -> str:
        # By identity: the value is held, so that its number cannot become another's.
        known = self._memory.get(id(value))
        if known is not None and known[0] is value:
            return known[1]
        if len(self._memory) >= _MOST_REMEMBERED:
            self._memory.clear()
        text = _inner(describe(value))
        self._memory[id(value)] = (value, text)
        return text


def _inner(described: dict[str, Any]) -> str:
    return _encode(described)[1:-1]


def _begin(record: DecisionRecord) -> dict[str, Any]:
    return {"schema": SCHEMA, "time": stamp(record.recipient.decided_at), "transaction": record.transaction}


def _middle(record: DecisionRecord) -> dict[str, Any]:
    sender = record.envelope_sender
    return {
        "envelope_sender": str(sender)[:_MOST_TEXT] if isinstance(sender, Address) else "",
        "recipient": str(record.recipient.address)[:_MOST_TEXT],
        "header_from": None if record.header_from is None else record.header_from[:_MOST_TEXT],
        "size": record.size,
    }


def _end(record: DecisionRecord) -> dict[str, Any]:
    return {
        "outcome": record.outcome.value,
        "final": None if record.final is None else _reply(record.final),
        "authentication": None if record.authentication is None else dict(record.authentication),
        "handled": _handled(record.handled),
        "audit_only": record.audit_only,
        "settings_at": stamp(record.settings_at),
    }


def _handled(handled: Handled | None) -> dict[str, Any] | None:
    if handled is None:
        return None
    rules = [name[:_MOST_TEXT] for name in handled.rules[:_MOST_NAMES]]
    return {"action": handled.action.value, "rules": rules, "notes": list(handled.notes), "id": handled.id}


def _session(session: Session) -> dict[str, Any]:
    return {
        "session": session.id,
        "listener": session.listener.value,
        "client_ip": str(session.client_ip),
        "client_port": session.client_port,
        "proxy": None if session.proxy is None else str(session.proxy),
        "helo": session.helo,
        "tls": _tls(session),
        "authenticated_as": None if session.authenticated_as is None else session.authenticated_as[:_MOST_TEXT],
    }


def _tls(session: Session) -> dict[str, Any] | None:
    if session.tls is None:
        return None
    shown = session.tls.certificate
    certificate = None
    if shown is not None:
        certificate = {
            "subject_cn": None if shown.names.subject_cn is None else shown.names.subject_cn[:_MOST_TEXT],
            "dns_names": [name[:_MOST_TEXT] for name in shown.names.dns_names[:_MOST_NAMES]],
            "verified": shown.verified,
            "problem": shown.problem[:_MOST_TEXT],
        }
    return {"version": session.tls.version, "cipher": session.tls.cipher, "client_certificate": certificate}


def _decision(decision: Decision) -> dict[str, Any]:
    return {
        "verdict": decision.verdict.value,
        "reply": _reply(decision.reply),
        "submission": decision.submission.value,
        "connector": None if decision.connector is None else decision.connector[:_MOST_TEXT],
        "would_reject": decision.would_reject,
        "step": decision.step.name.lower().replace("_", "-"),
        "certainty": decision.certainty.word,
        "reasons": list(decision.reasons),
        "missing": list(decision.missing),
    }


def _reply(reply: Reply) -> dict[str, Any]:
    return {"code": reply.code, "enhanced": reply.enhanced, "text": reply.text[:_MOST_TEXT]}


class NoLog:
    """Decisions are not kept."""

    def write(self, record: DecisionRecord) -> None:
        """See `DecisionLog`."""

    def close(self) -> None:
        """See `DecisionLog`."""


class JsonLog:
    """Appends to a file. Lines are gathered until `soon` calls back, which an event loop does before it rests.

    Several processes may append to one file: whole lines go out in one `write`, which Linux does not mix with others'
    on a disk of its own (O_APPEND; not over a network). What cannot be written is kept up to a bound, then counted and
    lost; `complain` is told once each time it begins.
    """

    def __init__(
        self,
        path: Path,
        soon: Callable[[Callable[[], None]], object],
        complain: Callable[[str], None],
        *,
        alone: bool = False,
    ) -> None:
        """Open for appending; made readable for its owner alone. alone: no other process writes. Raises OutputError."""
        self._path, self._soon, self._complain, self._alone = path, soon, complain, alone
        self._doubtful = True  # whether the file may end in the middle of a line
        self._lines = Lines()
        self._waiting: list[bytes] = []
        self._octets = self.lost = 0
        self._asked = self._failing = False
        self._file = self._open()

    def _open(self) -> int:
        flags = os.O_APPEND | os.O_CREAT
        try:
            if self._path.is_file() or not self._path.exists():
                with suppress(PermissionError):  # one that may be written and not be read
                    return os.open(self._path, os.O_RDWR | flags, 0o600)
            return os.open(self._path, os.O_WRONLY | flags, 0o600)
        except OSError as error:
            raise OutputError(f"{self._path}: cannot be written ({error.strerror})") from error

    def write(self, record: DecisionRecord) -> None:
        """See `DecisionLog`."""
        line = self._lines.line(record)
        if self._octets + len(line) > _MOST_WAITING:
            self.lost += 1
            return
        self._waiting.append(line)
        self._octets += len(line)
        if not self._asked:
            self._asked = True
            self._soon(self.flush)

    def flush(self) -> None:
        """Write what is waiting."""
        self._asked = False
        data = b"".join(self._waiting)
        if not data:
            return
        mend = b"\n" if self._doubtful and self._is_torn() else b""
        self._doubtful = True
        try:
            written = self._append(mend + data) - len(mend)
        except OSError as error:
            self._fail(error.strerror or str(error))
            return
        # A line that was cut off is written again as a whole: somebody else's may stand behind its first half by then.
        rest = data[data.rfind(b"\n", 0, max(written, 0)) + 1 :]
        if rest:
            self._fail("no room for all of them")
        else:
            self._failing, self._doubtful = False, not self._alone
        self._waiting, self._octets = [rest] if rest else [], len(rest)

    def _append(self, data: bytes) -> int:
        if self._alone:
            return os.write(self._file, data)
        with locked(self._file, LOCK_SH):
            return os.write(self._file, data)

    def _fail(self, why: str) -> None:
        if not self._failing:
            self._complain(f"{self._path}: decisions cannot be written ({why})")
        self._failing = True

    def _is_torn(self) -> bool:
        """Whether the file ends in the middle of a line and nobody is writing it: who did was killed, or had no room.

        Who writes has a shared lock, so nobody does while we have the other kind. Nobody ever waits for a lock.
        """
        if _ends_whole(self._file):
            return False
        with locked(self._file, LOCK_EX) as alone:
            return alone and not _ends_whole(self._file)

    def reopen(self) -> None:
        """Begin a new file where the old one was renamed (logrotate). Keeps the old one where that fails."""
        self.flush()
        try:
            fresh = self._open()
        except OutputError as error:
            self._complain(str(error))
            return
        os.close(self._file)
        self._file, self._doubtful = fresh, True

    def close(self) -> None:
        """See `DecisionLog`."""
        self.flush()
        os.close(self._file)


def _ends_whole(file: int) -> bool:
    """Whether it ends with a line's end, is empty, or cannot be told: a pipe, a file that must not be read."""
    try:
        size = os.fstat(file).st_size
        return size == 0 or os.pread(file, 1, size - 1) == b"\n"
    except OSError:
        return True
