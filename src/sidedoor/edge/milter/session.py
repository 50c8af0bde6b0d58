"""One connection of a mail server: packets in, answers out, the rule asked for each recipient. No I/O.

Postfix's macros tell what it knows of the client (https://www.postfix.org/MILTER_README.html#macros): `tls_version`,
`cert_subject` and `cert_issuer` (common names, told of a certificate that it has verified, "" where there is none; it
tells no alternative names), `auth_authen`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import Protocol, TypeAlias

from sidedoor.edge.milter.wire import (
    ACCEPT,
    ALWAYS_SILENT,
    CONTINUE,
    SILENCE,
    TEMPORARY_FAILURE,
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
from sidedoor.mail.address import Address, AddressError, parse_address, parse_envelope_sender
from sidedoor.mail.fact import Fact, Unknown
from sidedoor.mail.network import IPAddress
from sidedoor.mail.reply import Reply
from sidedoor.policy.facts import ClientCertificate, Connection, Envelope, Tls

Answers: TypeAlias = Iterable[bytes] | Awaitable[Sequence[bytes]]
_MOST_HEADER = 257 * 1024  # beyond the 256 KB at which `content.look` refuses a message
_MOST_BODY = 20 << 20  # beyond what `reception.parts` looks into
_NO_SESSION = Unknown("Postfix told no macro at all")
_NOT_READ = Unknown("the mail server was not asked for the body")
_TOO_BIG = Unknown("the body is larger than the milter looks into (20 MB)")
_LISTENS = reduce(or_, SILENCE.values())
_LATEST = (b"E", b"N", b"T", b"R", b"M", b"H", b"C")  # stages of macros, the latest first


@dataclass(slots=True)
class Budget:
    """Octets of bodies that all connections together may hold; messages beyond it are put off."""

    left: int = 512 << 20

    def take(self, octets: int) -> bool:
        """Whether there was as much left; then it is taken."""
        if octets > self.left:
            return False
        self.left -= octets
        return True

    def give(self, octets: int) -> None:
        """Back what was taken."""
        self.left += octets


@dataclass(slots=True)
class Asked:
    """A message as far as it has come: the facts, and the recipients Postfix was told to take, as it wrote them.

    header: the fields with their CRLF, without the empty line. body: what follows it, unknown where it was not read.
    """

    connection: Connection
    envelope_sender: str
    recipients: list[str] = field(default_factory=list)
    header: bytearray = field(default_factory=bytearray)
    body: Fact[bytearray] = _NOT_READ
    queue_id: str = ""
    client_port: int = 0
    cipher: str = ""


class Door(Protocol):
    """What the session asks."""

    def reads_bodies(self) -> bool:
        """Whether the bodies of messages are wanted, asked once a connection."""

    def postmaster(self) -> Address | None:
        """Whom `RCPT TO:<postmaster>` without a domain means (RFC 5321 section 4.5.1); None for nobody."""

    def recipient(self, asked: Asked, envelope: Envelope) -> Reply | None:
        """The refusal of one more recipient, None to take it. Whoever answers writes the decision down."""

    def message(self, asked: Asked) -> Sequence[bytes] | Awaitable[Sequence[bytes]]:
        """Answers to the end of the message: changes first, the verdict last (see `wire`)."""

    def abandoned(self) -> None:
        """The message asked about last is off."""


class MilterSession:
    """Feed it packets in order; it gives the answers of each. `silent`: commands that have none."""

    def __init__(self, door: Door, budget: Budget | None = None) -> None:
        self._door, self._budget = door, Budget() if budget is None else budget
        self._macros: dict[bytes, dict[str, str]] = {}
        self._address: Fact[IPAddress | None] = Unknown("Postfix told no client")
        self._helo: str | None = None
        self._asked: Asked | None = None
        self._own = self._reads = self._starved = False
        self.silent = ALWAYS_SILENT
        self._taken = 0  # of the budget
        self._steps = {
            Command.NEGOTIATE: self._negotiate, Command.MACRO: self._macro, Command.CONNECT: self._connect,
            Command.HELO: self._hello, Command.MAIL: self._mail, Command.RECIPIENT: self._recipient,
            Command.HEADER: self._header, Command.BODY: self._body, Command.END_OF_MESSAGE: self._end,
            Command.ABORT: self._abort, Command.NEXT_CLIENT: self._next_client, Command.QUIT: self._next_client,
        }  # fmt: skip

    def receive(self, packet: Packet) -> Answers:
        """The answers to one packet; none for those that want none. Raises MilterError."""
        step = self._steps.get(packet.command)
        answers = (CONTINUE,) if step is None else step(packet)
        return () if packet.command in self.silent else answers

    def _negotiate(self, packet: Packet) -> Answers:
        wanted = Actions.ADD_HEADER | Actions.CHANGE_HEADER | Actions.QUARANTINE
        wanted |= Actions.ADD_RECIPIENT | Actions.DELETE_RECIPIENT
        self._reads = self._door.reads_bodies()
        skips = Skips.UNKNOWN | Skips.DATA | (Skips(0) if self._reads else Skips.BODY)
        answered, granted = negotiated(packet, wanted, skips | _LISTENS)
        self.silent = ALWAYS_SILENT.union(command for command, flag in SILENCE.items() if flag & granted)
        return (answered,)

    def _macro(self, packet: Packet) -> Answers:
        # What a stage tells takes the place of what it told before: a login is gone after STARTTLS, say.
        stage, told = macros(packet)
        if stage in _LATEST:
            self._macros[stage] = dict(told)
        return ()

    def _told(self, name: str) -> str | None:
        return next((self._macros[stage][name] for stage in _LATEST if name in self._macros.get(stage, ())), None)

    def _connect(self, packet: Packet) -> Answers:
        # The macros of a connection come before it; those of other stages are a former client's.
        self._drop()
        self._macros = {stage: told for stage, told in self._macros.items() if stage == b"C"}
        self._helo, self._address = None, client_address(packet)
        return (CONTINUE,)

    def _hello(self, packet: Packet) -> Answers:
        self._helo = (packet.fields or [""])[0]
        return (CONTINUE,)

    def _mail(self, packet: Packet) -> Answers:
        self._drop()
        for stage in _LATEST[:-3]:
            self._macros.pop(stage, None)
        connection = self._connection()
        # A local socket: mail of the server's own (sendmail command, bounces), never at the front door. It is accepted
        # at its first recipient, because MAIL has no answer.
        self._own = connection.client_ip is None
        if self._own:
            return (CONTINUE,)
        port = self._told("client_port") or ""
        self._asked = Asked(
            connection, (packet.fields or ["<>"])[0],
            body=bytearray() if self._reads else _NOT_READ,
            client_port=int(port) if port.isascii() and port.isdecimal() and len(port) < 6 else 0,
            cipher=(self._told("cipher") or "")[:64],
        )  # fmt: skip
        return (CONTINUE,)

    def _connection(self) -> Connection:
        return Connection(self._address, self._helo, self._tls(), self._told("auth_authen") or None)

    def _tls(self) -> Fact[Tls | None]:
        version = self._told("tls_version")
        if not version:
            return None if any(self._macros.values()) else _NO_SESSION
        subject = self._told("cert_subject")
        verified = subject is not None or self._told("cert_issuer") is not None
        return Tls(version.replace("v", ""), ClientCertificate(subject or None) if verified else None)

    def _message(self) -> Asked | None:
        """The message in progress; None for mail of the server's own."""
        if self._asked is None and not self._own:
            raise MilterError("a message that did not begin with MAIL")
        return self._asked

    def _recipient(self, packet: Packet) -> Answers:
        asked = self._message()
        if asked is None:
            return (ACCEPT,)
        recipient = (packet.fields or [""])[0]
        try:
            envelope = Envelope(parse_envelope_sender(asked.envelope_sender), self._addressed(recipient))
        except AddressError as error:
            return (reply(Reply(553, "5.1.3", f"{error}")),)
        asked.queue_id = self._told("i") or ""
        refusal = self._door.recipient(asked, envelope)
        if refusal is not None:
            return (reply(refusal),)
        asked.recipients.append(recipient)
        return (CONTINUE,)

    def _addressed(self, recipient: str) -> Address:
        bare = recipient.strip("<>")
        somebody = self._door.postmaster() if bare.lower() == "postmaster" else None
        return parse_address(bare) if somebody is None else somebody

    def _header(self, packet: Packet) -> Answers:
        asked = self._message()
        if asked is not None and len(asked.header) <= _MOST_HEADER:
            name, _, rest = packet.data.partition(b"\0")
            value = rest.rstrip(b"\0").replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
            asked.header += (name + b": " + value + b"\r\n")[:_MOST_HEADER]
        return (CONTINUE,)

    def _body(self, packet: Packet) -> Answers:
        asked = self._message()
        if asked is None or isinstance(asked.body, Unknown):
            return (CONTINUE,)
        if len(asked.body) + len(packet.data) > _MOST_BODY:
            self._give_back()
            asked.body = _TOO_BIG
        elif self._budget.take(len(packet.data)):
            self._taken += len(packet.data)
            asked.body += packet.data
        else:
            # A body that nobody read would pass the rules unseen, so the message has to come again.
            self._give_back()
            asked.body, self._starved = _NOT_READ, True
        return (CONTINUE,)

    def _end(self, packet: Packet) -> Answers:
        asked = self._message()
        if asked is None:
            return (ACCEPT,)
        if packet.data:  # the protocol lets the last piece of the body come with the end
            self._body(packet)
        asked.queue_id = self._told("i") or asked.queue_id
        if self._starved:
            self._drop()
            return (TEMPORARY_FAILURE,)
        self._asked = None
        answers = self._door.message(asked)
        if isinstance(answers, Awaitable):
            return self._later(answers)
        self._give_back()
        return answers

    async def _later(self, answers: Awaitable[Sequence[bytes]]) -> Sequence[bytes]:
        try:
            return await answers
        finally:
            self._give_back()

    def _abort(self, _: Packet) -> Answers:
        self._drop()
        return ()

    def close(self) -> None:
        """The mail server is gone."""
        self._drop()

    def _drop(self) -> None:
        self._give_back()
        self._own = self._starved = False
        if self._asked is not None:
            self._asked = None
            self._door.abandoned()

    def _give_back(self) -> None:
        self._budget.give(self._taken)
        self._taken = 0

    def _next_client(self, _: Packet) -> Answers:
        self._drop()
        self._helo = None
        self._macros.clear()
        return ()
