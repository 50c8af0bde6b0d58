"""A mail server's side of the milter protocol, for tests: packets by hand, over a session or a socket."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Sequence

from sidedoor.edge.milter.session import MilterSession
from sidedoor.edge.milter.wire import Command, Packet, answer

NEGOTIATE = Packet(Command.NEGOTIATE, struct.pack("!LLL", 6, 0x1FF, 0x37F))
"""A server that wants an answer to every command."""
POSTFIX = Packet(Command.NEGOTIATE, struct.pack("!LLL", 6, 0x1FF, 0x1FFFFF))
"""One that does without where the filter offers it, as Postfix does."""
END_OF_HEADER = Packet(Command.END_OF_HEADER, b"")
END = Packet(Command.END_OF_MESSAGE, b"")
ABORT = Packet(Command.ABORT, b"")


def fields(command: Command, *values: str) -> Packet:
    """A packet of zero-terminated strings."""
    return Packet(command, "".join(f"{value}\0" for value in values).encode("utf-8", "surrogateescape"))


def macro(stage: bytes, **values: str) -> Packet:
    """Macros for a stage."""
    return Packet(Command.MACRO, stage + "".join(f"{{{name}}}\0{value}\0" for name, value in values.items()).encode())


def connect(ip: str = "203.0.113.10", family: bytes = b"4") -> Packet:
    """A client connected."""
    return Packet(Command.CONNECT, b"host\0" + family + struct.pack("!H", 4711) + ip.encode() + b"\0")


def mail(sender: str = "<scan@contoso.com>", *recipients: str) -> list[Packet]:
    """MAIL FROM, and RCPT TO for each recipient."""
    return [fields(Command.MAIL, sender), *(fields(Command.RECIPIENT, each) for each in recipients)]


def header(**values: str) -> list[Packet]:
    """Header fields and their end; underscores in names stand for hyphens."""
    lines = [fields(Command.HEADER, name.replace("_", "-"), value) for name, value in values.items()]
    return [*lines, END_OF_HEADER]


def told(session: MilterSession, *packets: Packet) -> list[bytes]:
    """The answers of a session to packets in order."""

    async def settled(given: Awaitable[Sequence[bytes]]) -> Sequence[bytes]:
        return await given

    answers: list[bytes] = []
    for packet in packets:
        given = session.receive(packet)
        answers += asyncio.run(settled(given)) if isinstance(given, Awaitable) else given
    return answers


class Wire:
    """A connection to a milter."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, port: int) -> Wire:
        """To a port of the loopback."""
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def say(self, *packets: Packet) -> None:
        """Send them."""
        self.writer.write(b"".join(answer(packet.command.value, packet.data) for packet in packets))
        await self.writer.drain()

    async def hear(self, count: int = 1) -> list[bytes]:
        """So many answers."""
        heard = []
        for _ in range(count):
            size = await self.reader.readexactly(4)
            heard.append(size + await self.reader.readexactly(int.from_bytes(size, "big")))
        return heard

    def close(self) -> None:
        """Without a word."""
        self.writer.close()
