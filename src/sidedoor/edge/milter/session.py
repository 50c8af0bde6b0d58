"""One connection of a mail server: packets in, answers out, the rule asked for each recipient. No I/O.

Postfix's macros tell what it knows of the client (https://www.postfix.org/MILTER_README.html#macros): `tls_version`,
`cert_subject` (the common name of a certificate that it has verified; it tells no alternative names), `auth_authen`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from email.utils import parseaddr
from typing import Protocol

from sidedoor.edge.milter.wire import (
    ACCEPT,
    CONTINUE,
    Actions,
    Command,
    MilterError,
    Packet,
    Skips,
    client_address,
    macros,
    negotiated,
    reply,
)
from sidedoor.mail.address import AddressError, parse_address, parse_envelope_sender
from sidedoor.mail.fact import Fact, Unknown
from sidedoor.mail.network import IPAddress
from sidedoor.mail.reply import Reply
from sidedoor.policy.facts import ClientCertificate, Connection, Envelope, Tls

_MOST_HEADERS = 1_000
_MOST_HEADER = 64 * 1024
_NO_SESSION = Unknown("Postfix told no TLS macro (smtpd_milters only)")


@dataclass(slots=True)
class Asked:
    """A message as far as it has come: the facts, and the recipients Postfix was told to take."""

    connection: Connection
    envelope_sender: str
    recipients: list[str] = field(default_factory=list)
    headers: list[tuple[str, str]] = field(default_factory=list)
    queue_id: str = ""
    client_port: int = 0
    cipher: str = ""

    @property
    def header_from(self) -> str | None:
        """The address in the first From field, lower case; None where there is none yet."""
        value = next((value for name, value in self.headers if name.lower() == "from"), None)
        return parseaddr(value)[1].lower() or None if value is not None else None


class Door(Protocol):
    """What the session asks."""

    def recipient(self, asked: Asked, envelope: Envelope) -> Reply | None:
        """The refusal of one more recipient, None to take it. Whoever answers writes the decision down."""

    def message(self, asked: Asked) -> Sequence[bytes]:
        """Answers to the end of the message: changes first, the verdict last (see `wire`)."""

    def abandoned(self) -> None:
        """The message asked about last is off."""


class MilterSession:
    """Feed it packets in order; it gives the answers of each."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._macros: dict[str, str] = {}
        self._address: Fact[IPAddress | None] = Unknown("Postfix told no client")
        self._helo: str | None = None
        self._asked: Asked | None = None
        self._steps = {
            Command.NEGOTIATE: self._negotiate, Command.MACRO: self._macro, Command.CONNECT: self._connect,
            Command.HELO: self._hello, Command.MAIL: self._mail, Command.RECIPIENT: self._recipient,
            Command.HEADER: self._header, Command.END_OF_MESSAGE: self._end, Command.ABORT: self._abort,
            Command.NEXT_CLIENT: self._next_client, Command.QUIT: self._next_client,
        }  # fmt: skip

    def receive(self, packet: Packet) -> Iterable[bytes]:
        """The answers to one packet; none for those that want none. Raises MilterError."""
        step = self._steps.get(packet.command)
        return (CONTINUE,) if step is None else step(packet)

    def _negotiate(self, packet: Packet) -> Iterable[bytes]:
        wanted = Actions.ADD_HEADER | Actions.CHANGE_HEADER | Actions.QUARANTINE
        return (negotiated(packet, wanted, Skips.BODY | Skips.UNKNOWN | Skips.DATA),)

    def _macro(self, packet: Packet) -> Iterable[bytes]:
        self._macros.update(macros(packet)[1])
        return ()

    def _connect(self, packet: Packet) -> Iterable[bytes]:
        # The macros of a connection come before it, so they are forgotten when the client before is gone.
        self._drop()
        self._helo, self._address = None, client_address(packet)
        return (CONTINUE,)

    def _hello(self, packet: Packet) -> Iterable[bytes]:
        self._helo = (packet.fields or [""])[0]
        return (CONTINUE,)

    def _mail(self, packet: Packet) -> Iterable[bytes]:
        sender = (packet.fields or ["<>"])[0]
        self._drop()
        port, cipher = self._macros.get("client_port", ""), self._macros.get("cipher", "")
        self._asked = Asked(
            self._connection(), sender, queue_id=self._macros.get("i", ""),
            client_port=int(port) if port.isascii() and port.isdecimal() and len(port) < 6 else 0, cipher=cipher[:64],
        )  # fmt: skip
        if self._asked.connection.client_ip is None:
            # A local socket: mail of the server's own (sendmail command, bounces), never at the front door.
            self._asked = None
            return (ACCEPT,)
        return (CONTINUE,)

    def _connection(self) -> Connection:
        login = self._macros.get("auth_authen") or None
        return Connection(self._address, self._helo, self._tls(), login)

    def _tls(self) -> Fact[Tls | None]:
        """Postfix sends `tls_version` with TLS only; no other macro of a connection means that it sends none at all."""
        version = self._macros.get("tls_version")
        if not version:
            return None if self._macros else _NO_SESSION
        subject = self._macros.get("cert_subject")
        return Tls(version.replace("v", ""), ClientCertificate(subject) if subject else None)

    def _recipient(self, packet: Packet) -> Iterable[bytes]:
        if self._asked is None:
            return (ACCEPT,)
        recipient = (packet.fields or [""])[0]
        self._asked.queue_id = self._macros.get("i", self._asked.queue_id)
        try:
            sender = parse_envelope_sender(self._asked.envelope_sender)
            envelope = Envelope(sender, parse_address(recipient.strip("<>")))
        except AddressError as error:
            return (reply(Reply(553, "5.1.3", f"{error}")),)
        refusal = self._door.recipient(self._asked, envelope)
        if refusal is not None:
            return (reply(refusal),)
        self._asked.recipients.append(recipient)
        return (CONTINUE,)

    def _header(self, packet: Packet) -> Iterable[bytes]:
        if self._asked is not None and len(self._asked.headers) < _MOST_HEADERS and len(packet.data) <= _MOST_HEADER:
            name, value, *_ = [*packet.fields, "", ""]
            self._asked.headers.append((name, value))
        return (CONTINUE,)

    def _end(self, _: Packet) -> Iterable[bytes]:
        if self._asked is None:
            return (ACCEPT,)
        asked, self._asked = self._asked, None
        asked.queue_id = self._macros.get("i", asked.queue_id)
        answers = self._door.message(asked)
        if not answers:
            raise MilterError("no answer to a message")
        return answers

    def _abort(self, _: Packet) -> Iterable[bytes]:
        self._drop()
        return ()

    def close(self) -> None:
        """The mail server is gone."""
        self._drop()

    def _drop(self) -> None:
        if self._asked is not None:
            self._asked = None
            self._door.abandoned()

    def _next_client(self, _: Packet) -> Iterable[bytes]:
        self._drop()
        self._helo = None
        self._macros.clear()
        return ()
