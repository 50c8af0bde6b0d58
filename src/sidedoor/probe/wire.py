"""smtplib with a transcript and bounds: in lines, in bytes and in seconds, whatever the server does."""

from __future__ import annotations

import io
import smtplib
import socket
import ssl
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

from sidedoor.mail.reply import Reply, ReplyError, parse_reply
from sidedoor.probe.model import Line, Target

_MOST_LINES, _MOST_SHOWN = 200, 500
_MOST_ADDRESSES = 4
_CONVERSATION = 4  # times the patience for one answer


class TooMuchError(OSError):
    """A server that talks without end, or drop by drop."""


class Client(smtplib.SMTP):
    """One conversation. timeout: seconds for one answer."""

    def __init__(self, helo: str, timeout: float) -> None:
        self.lines: list[Line] = []
        self.ends = ("", "")
        self._patience = timeout
        self._deadline = time.monotonic() + _CONVERSATION * timeout
        self._read = 0
        super().__init__(local_hostname=helo, timeout=timeout)

    def note(self, who: str, text: str) -> None:
        """Write a line down: no control characters, no end."""
        self.lines.append(Line(datetime.now(UTC), who, harmless(text)[:_MOST_SHOWN]))

    def reach(self, target: Target) -> None:
        """Connect to the first address that answers. Raises TimeoutError where one of them stays silent, OSError."""
        found: list[OSError] = []
        for place in _places(target):
            try:
                self._connect(place)
            except OSError as error:
                self.note("we", f"connect to {_shown(place)}: {error.strerror or 'no answer'}")
                found.append(error)
            else:
                return
        silent = next((error for error in found if isinstance(error, TimeoutError)), None)
        raise silent or (found[0] if found else OSError(f"{target.host} has no address"))

    def _connect(self, place: tuple[Any, ...]) -> None:
        left = max(self._deadline - time.monotonic(), 0.1)
        sock = socket.create_connection(place[:2], min(self._patience, left))
        self.sock = sock
        self.ends = _shown(sock.getsockname()), _shown(place)  # getpeername fails where it is gone already
        self.note("we", f"connect to {self.ends[1]}")

    def hurry(self, seconds: float) -> None:
        """What follows is a courtesy: no longer than that."""
        self._deadline = min(self._deadline, time.monotonic() + seconds)

    def putcmd(self, cmd: str, args: str = "") -> None:
        """Send a command."""
        self.note("we", f"{cmd} {args}".strip())
        super().putcmd(cmd, args)

    def getreply(self) -> tuple[int, bytes]:
        """A whole reply, however many lines up to the bound. Raises what stands behind a lost connection."""
        if self.file is None and self.sock is not None:
            bounded = _Bounded(self.sock, self._patience, self)
            self.file = _Counted(io.BufferedReader(bounded), self)
        try:
            return super().getreply()
        except smtplib.SMTPServerDisconnected as error:
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise

    @property
    def left(self) -> float:
        """Seconds until the conversation has to end."""
        return self._deadline - time.monotonic()

    def reply(self) -> Reply:
        """The next reply. Raises SMTPException where it is none."""
        return _reply(*self.getreply())

    def ask(self, command: str) -> Reply:
        """Send a command; its reply."""
        return _reply(*self.docmd(command))

    def hello(self) -> Reply:
        """EHLO; HELO where the server is older than that (RFC 5321 section 3.2)."""
        answer = _reply(*self.ehlo())
        return _reply(*self.helo()) if answer.code in {500, 502} else answer

    def secure(self, context: ssl.SSLContext, host: str) -> ssl.SSLSocket:
        """The handshake. What the server sent in plain text behind its 220 goes with the reader (RFC 3207 section 6),
        and so does what it announced (section 4.2). Raises OSError, ValueError.
        """
        plain = cast("socket.socket", self.sock)
        plain.settimeout(max(min(self._patience, self.left), 0.1))
        wrapped = context.wrap_socket(plain, server_hostname=host)
        self.sock, self.file = wrapped, None
        self.helo_resp = self.ehlo_resp = None
        self.esmtp_features, self.does_esmtp = {}, False
        return wrapped

    def took(self, line: bytes) -> None:
        """One line has come."""
        self._read += 1
        if self._read > _MOST_LINES:
            raise TooMuchError("more lines than any server says")
        self.note("they", line.decode("utf-8", "replace").rstrip("\r\n"))


class _Bounded(io.RawIOBase):
    """A socket to read from until the conversation's deadline, however slowly the bytes come."""

    def __init__(self, sock: socket.socket, patience: float, client: Client) -> None:
        self._sock, self._patience, self._client = sock, patience, client

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Bytes that are there."""
        left = self._client.left
        if left <= 0:
            raise TooMuchError("too slow")
        self._sock.settimeout(min(left, self._patience))
        return self._sock.recv_into(buffer)


class _Counted:
    """What smtplib takes for a file."""

    def __init__(self, reader: io.BufferedReader, client: Client) -> None:
        self._reader, self._client = reader, client

    def readline(self, size: int = -1) -> bytes:
        """A line, told to the client."""
        line = self._reader.readline(size)
        if line:
            self._client.took(line)
        return line

    def close(self) -> None:
        """Close."""
        self._reader.close()


def harmless(text: str) -> str:
    """No control characters and nothing that turns the direction of reading."""
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in text)


def _places(target: Target) -> list[tuple[Any, ...]]:
    """Socket addresses, both families in turn. Raises OSError where the name is none."""
    hosts = target.addresses or (target.host,)
    found = [info[4] for host in hosts for info in socket.getaddrinfo(host, target.port, type=socket.SOCK_STREAM)]
    return _in_turn(list(dict.fromkeys(found)))[:_MOST_ADDRESSES]


def _in_turn(places: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """So that a family that leads nowhere does not use up the tries."""
    families: dict[int, list[tuple[Any, ...]]] = {}
    for place in places:
        families.setdefault(len(place), []).append(place)
    longest = max(map(len, families.values()), default=0)
    return [rows[turn] for turn in range(longest) for rows in families.values() if turn < len(rows)]


def _shown(place: tuple[Any, ...]) -> str:
    """`192.0.2.1:25`, `[2001:db8::1]:25`."""
    return f"[{place[0]}]:{place[1]}" if ":" in str(place[0]) else f"{place[0]}:{place[1]}"


def _reply(code: int, raw: bytes) -> Reply:
    text = harmless(" ".join(raw.decode("utf-8", "replace").split()))[:_MOST_SHOWN]
    try:
        return parse_reply(f"{code} {text}")
    except ReplyError as error:
        raise smtplib.SMTPException("what came is no SMTP reply") from error
