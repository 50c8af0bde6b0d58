"""The milter protocol, version 6, on the wire: packets from the mail server, answers to it. No I/O.

The protocol has no standard; it is what Sendmail's libmilter and Postfix's MILTER_README describe. The libraries at
hand raise on hostile HELO names and macros, which a filter must survive, so the few packet kinds are read here.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, IntFlag

from sidedoor.mail.fact import Fact, Unknown
from sidedoor.mail.network import IPAddress, NetworkError, parse_ip
from sidedoor.mail.reply import Reply

VERSION = 6
MOST_PACKET = 1024 * 1024  # Postfix sends bodies in chunks of 64 KB; more is no milter client
# Macros by number of the stage (smfi_setsymlist): CONNECT, HELO, MAIL, RCPT. Asked for here, they come whatever main.cf
# says; without them "no TLS" and "TLS not told" would look the same.
_MACROS = {
    0: "j {client_addr} {client_port}",
    1: "{tls_version} {cipher} {cert_subject} {cert_issuer}",
    2: "i {auth_type} {auth_authen} {mail_addr}",
    3: "i {rcpt_addr}",
}
_UNKNOWN_FAMILY = Unknown("the mail server told no address of its client")


class MilterError(Exception):
    """What came is no milter packet; the connection cannot go on."""


class Command(Enum):
    """What a mail server says."""

    NEGOTIATE = b"O"  # versions and options, once a connection
    MACRO = b"D"  # names and values, before the command they belong to
    CONNECT = b"C"  # a client connected
    HELO = b"H"  # HELO or EHLO
    MAIL = b"M"  # MAIL FROM
    RECIPIENT = b"R"  # RCPT TO
    DATA = b"T"  # DATA
    HEADER = b"L"  # one header field
    END_OF_HEADER = b"N"  # the empty line
    BODY = b"B"  # a piece of the body
    END_OF_MESSAGE = b"E"  # all of it was sent
    ABORT = b"A"  # this message is off
    QUIT = b"Q"  # the client is gone
    NEXT_CLIENT = b"K"  # the client is gone, the connection stays for another
    UNKNOWN = b"U"  # an SMTP command the server does not know


class Actions(IntFlag):
    """What a filter may do at the end of a message."""

    ADD_HEADER = 0x01  # add header fields
    ADD_RECIPIENT = 0x04  # send the message to others too
    DELETE_RECIPIENT = 0x08  # not to this one
    CHANGE_HEADER = 0x10  # change or delete them
    QUARANTINE = 0x20  # keep the message in the hold queue
    ASK_MACROS = 0x100  # say which macros it wants


class Skips(IntFlag):
    """What a filter does not want to be told, and (`SILENT_*`) what it will not answer: one round trip less each."""

    BODY = 0x10  # pieces of the body
    SILENT_HEADER = 0x80
    UNKNOWN = 0x100  # unknown commands
    DATA = 0x200  # the DATA command
    SILENT_CONNECT = 0x1000
    SILENT_HELO = 0x2000
    SILENT_MAIL = 0x4000
    SILENT_END_OF_HEADER = 0x40000
    SILENT_BODY = 0x80000


ALWAYS_SILENT = frozenset({Command.MACRO, Command.ABORT, Command.QUIT, Command.NEXT_CLIENT})
SILENCE = {
    Command.CONNECT: Skips.SILENT_CONNECT,
    Command.HELO: Skips.SILENT_HELO,
    Command.MAIL: Skips.SILENT_MAIL,
    Command.HEADER: Skips.SILENT_HEADER,
    Command.END_OF_HEADER: Skips.SILENT_END_OF_HEADER,
    Command.BODY: Skips.SILENT_BODY,
}
"""The flag by which a filter that only listens to a command says so."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet. `fields` are its zero-terminated strings; `data` the octets as they came."""

    command: Command
    data: bytes

    @property
    def fields(self) -> list[str]:
        """The strings, octets beyond UTF-8 kept as surrogates."""
        parts = self.data.split(b"\0")
        return [part.decode("utf-8", "surrogateescape") for part in (parts[:-1] if parts[-1] == b"" else parts)]


@dataclass(slots=True)
class Packets:
    """Cuts a stream into packets."""

    _buffer: bytearray = field(default_factory=bytearray)

    def feed(self, data: bytes) -> Iterator[Packet]:
        """Every packet complete so far. Raises MilterError."""
        self._buffer += data
        while len(self._buffer) >= 5:
            length = int.from_bytes(self._buffer[:4], "big")
            if not 1 <= length <= MOST_PACKET:
                raise MilterError(f"a packet of {length} octets")
            if len(self._buffer) < 4 + length:
                return
            packet = bytes(self._buffer[4 : 4 + length])
            del self._buffer[: 4 + length]
            try:
                command = Command(packet[:1])
            except ValueError as error:
                raise MilterError(f"an unknown command {packet[:1]!r}") from error
            yield Packet(command, packet[1:])


def macros(packet: Packet) -> tuple[bytes, Mapping[str, str]]:
    """The command that the macros belong to, and name -> value, names without braces."""
    names = Packet(packet.command, packet.data[1:]).fields
    pairs = zip(names[::2], names[1::2], strict=False)
    return packet.data[:1], {name.strip("{}"): value for name, value in pairs}


def client_address(packet: Packet) -> Fact[IPAddress | None]:
    """The address in a CONNECT packet; None for a local socket, unknown for anything else."""
    _, _, rest = packet.data.partition(b"\0")
    if rest[:1] == b"L":
        return None
    if rest[:1] not in {b"4", b"6"}:
        return _UNKNOWN_FAMILY
    text = rest[3:].partition(b"\0")[0].decode("ascii", "replace").removeprefix("IPv6:")
    try:
        return parse_ip(text)
    except NetworkError:
        return _UNKNOWN_FAMILY


def negotiated(packet: Packet, actions: Actions, skips: Skips) -> tuple[bytes, Skips]:
    """The answer to NEGOTIATE, and what of `skips` the server offers.

    Raises MilterError where it allows less than the filter needs.
    """
    if len(packet.data) < 12:
        raise MilterError("a negotiation cut short")
    version, offered, options = struct.unpack("!LLL", packet.data[:12])
    if version < VERSION or actions & ~offered:
        raise MilterError(f"milter version {version} with actions {offered:#x}; needed are {VERSION} and {actions:#x}")
    asks = Actions.ASK_MACROS & offered
    wanted = b"".join(struct.pack("!L", stage) + names.encode() + b"\0" for stage, names in _MACROS.items())
    granted = Skips(skips & options)
    return answer(b"O", struct.pack("!LLL", VERSION, actions | asks, granted) + (wanted if asks else b"")), granted


def answer(code: bytes, data: bytes = b"") -> bytes:
    """One packet to the mail server."""
    return struct.pack("!L", len(data) + 1) + code + data


CONTINUE = answer(b"c")
ACCEPT = answer(b"a")
TEMPORARY_FAILURE = answer(b"t")
DISCARD = answer(b"d")


def reply(said: Reply) -> bytes:
    """Refuse with this SMTP reply. Sendmail and Postfix take a doubled percent sign for one."""
    return answer(b"y", str(said).replace("%", "%%").encode("ascii", "replace") + b"\0")


def add_header(name: str, value: str) -> bytes:
    """Add a header field at the end of the header; the server folds it."""
    return answer(b"h", f"{name}\0{value}\0".encode("utf-8", "replace"))


def change_header(name: str, number: int, value: str) -> bytes:
    """Change the value of the `number`th field of that name, counted from 1; an empty value takes it away."""
    return answer(b"m", struct.pack("!L", number) + f"{name}\0{value}\0".encode("utf-8", "replace"))


def add_recipient(address: str) -> bytes:
    """Send the message to this one too."""
    return answer(b"+", f"<{address}>\0".encode("utf-8", "replace"))


def delete_recipient(recipient: str) -> bytes:
    """Not to this one; as the server told it, brackets and all."""
    return answer(b"-", f"{recipient}\0".encode("utf-8", "surrogateescape"))


def quarantine(reason: str) -> bytes:
    """Keep the message in the hold queue."""
    return answer(b"q", reason.encode("utf-8", "replace").replace(b"\0", b" ") + b"\0")
