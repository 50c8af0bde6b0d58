"""One SMTP conversation by smtplib, written down line by line; bounded in lines, bytes and seconds."""

from __future__ import annotations

import io
import smtplib
import socket
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP as SMTP_LINES
from typing import Any

from sidedoor.mail.reply import Reply, ReplyError, parse_reply
from sidedoor.probe.model import Attempt, Line, Request, SenderKind, Target
from sidedoor.probe.outcome import Outcome, outcome_of

_MOST_LINES, _MOST_SHOWN = 200, 500
_CONVERSATION = 120.0  # seconds for all of it


class _TooMuchError(OSError):
    """A server that talks without end, or drop by drop."""


class _Bounded(io.RawIOBase):
    """A socket to read from until a deadline, however slowly the bytes come."""

    def __init__(self, sock: socket.socket, deadline: float, timeout: float) -> None:
        self._sock, self._deadline, self._timeout = sock, deadline, timeout

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Bytes that are there."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise _TooMuchError("too slow")
        self._sock.settimeout(min(left, self._timeout))
        return self._sock.recv_into(buffer)


class _Client(smtplib.SMTP):
    """smtplib with a transcript and bounds."""

    def __init__(self, helo: str, timeout: float, conversation: float = _CONVERSATION) -> None:
        self.lines: list[Line] = []
        self._deadline = time.monotonic() + conversation
        self._read = 0
        self.ends = ("", "")
        super().__init__(local_hostname=helo, timeout=timeout)

    def note(self, who: str, text: str) -> None:
        """Write a line down: no control characters, no end."""
        shown = "".join(sign if sign.isprintable() else "\ufffd" for sign in text[:_MOST_SHOWN])
        self.lines.append(Line(datetime.now(UTC), who, shown))

    def connect(self, host: str = "localhost", port: int = 0, source_address: Any = None) -> tuple[int, bytes]:
        """Connect; whoever the ends are is kept, because QUIT forgets them."""
        self._host = host  # starttls shows it as server name
        self.sock = socket.create_connection((host, port), self.timeout, source_address)
        local, remote = self.sock.getsockname(), self.sock.getpeername()
        self.ends = (f"{local[0]}:{local[1]}", f"{remote[0]}:{remote[1]}")
        return self.getreply()

    def putcmd(self, cmd: str, args: str = "") -> None:
        """Send a command."""
        self.note("we", f"{cmd} {args}".strip())
        super().putcmd(cmd, args)

    def getreply(self) -> tuple[int, bytes]:
        """A whole reply, however many lines up to the bound."""
        if self.file is None and self.sock is not None:
            timeout = float(self.timeout or 30.0)
            self.file = _Counted(io.BufferedReader(_Bounded(self.sock, self._deadline, timeout)), self)
        code, text = super().getreply()
        return code, text

    def took(self, line: bytes) -> None:
        """One line has come."""
        self._read += 1
        if self._read > _MOST_LINES:
            raise _TooMuchError("more lines than any server says")
        self.note("they", line.decode("utf-8", "replace").rstrip("\r\n"))


class _Counted:
    """What smtplib takes for a file."""

    def __init__(self, reader: io.BufferedReader, client: _Client) -> None:
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


def bounded_client(helo: str, seconds: float) -> smtplib.SMTP:
    """A client for one conversation of at most so many seconds."""
    return _Client(helo, seconds, seconds)


def attempt(
    request: Request, target: Target, sender: tuple[SenderKind, str], *, tls: bool, message: EmailMessage | None = None
) -> Attempt:
    """One conversation; it ends before DATA unless there is a message to send. Raises nothing."""
    client = _Client(request.helo, request.timeout)
    notes: list[str] = []
    kind, address = sender
    try:
        outcome, reply = _converse(client, request, target, address, tls=tls, message=message, notes=notes)
    except (OSError, smtplib.SMTPException, ValueError) as error:
        outcome, reply = _failed(error), ""
        notes.append(type(error).__name__ + (f": {error}"[:200] if isinstance(error, _TooMuchError) else ""))
    local, remote = client.ends
    client.close()
    sent = message is not None and outcome is Outcome.ACCEPTED
    return Attempt(
        target, kind, address, request.recipient, tls, outcome, reply, sent, local, remote, tuple(notes),
        tuple(client.lines),
    )  # fmt: skip


def _converse(
    client: _Client, request: Request, target: Target, sender: str, *, tls: bool, message: EmailMessage | None,
    notes: list[str],
) -> tuple[Outcome, str]:  # fmt: skip
    answer = _reply(client.connect(target.host, target.port))
    if not answer.positive:
        return outcome_of(answer), str(answer)
    answer = _reply(client.ehlo())
    if answer.positive and tls:
        if not client.has_extn("starttls"):
            return Outcome.TLS_NOT_OFFERED, str(answer)
        if not _start_tls(client, target.host, notes):
            return Outcome.TLS_FAILED, ""
        answer = _reply(client.ehlo())
    steps: tuple[Callable[[], tuple[int, bytes]], ...] = (
        lambda: client.docmd(f"MAIL FROM:<{sender}>"),
        lambda: client.docmd(f"RCPT TO:<{request.recipient}>"),
    )
    for step in steps:
        if answer.positive:
            answer = _reply(step())
    if answer.positive and message is not None:
        answer = _reply(_hand_over(client, message))
    result = outcome_of(answer), str(answer)
    if message is None:
        client.rset()
    client.quit()
    return result


def _hand_over(client: _Client, message: EmailMessage) -> tuple[int, bytes]:
    """DATA and the message; the answer to whichever was refused."""
    try:
        return client.data(message.as_bytes(policy=SMTP_LINES))
    except smtplib.SMTPResponseException as error:
        text = error.smtp_error
        return error.smtp_code, text if isinstance(text, bytes) else text.encode("utf-8", "replace")


def _start_tls(client: _Client, host: str, notes: list[str]) -> bool:
    """The certificate is looked at, and no reason to stop: the question is about the door. What the server sent in
    plain text behind its 220 is thrown away with the reader (RFC 3207 section 6)."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        code, _ = client.starttls(context=context)
    except (OSError, smtplib.SMTPException):
        return False
    if code != 220 or client.sock is None:  # RFC 3207 section 4
        return False
    version = getattr(client.sock, "version", str)()
    notes.append(f"{version}; the certificate of {host} was not verified")
    return True


def _reply(answer: tuple[int, bytes]) -> Reply:
    code, raw = answer
    text = " ".join(raw.decode("utf-8", "replace").split())[:_MOST_SHOWN]
    try:
        return parse_reply(f"{code} {''.join(sign if sign.isprintable() else '?' for sign in text)}")
    except ReplyError as error:
        raise smtplib.SMTPException(str(error)) from error


def _failed(error: Exception) -> Outcome:
    if isinstance(error, _TooMuchError):
        return Outcome.BROKEN
    if isinstance(error, TimeoutError):
        return Outcome.PORT_BLOCKED
    if isinstance(error, ConnectionResetError | BrokenPipeError | smtplib.SMTPException | ssl.SSLError | ValueError):
        return Outcome.BROKEN
    return Outcome.UNREACHABLE
