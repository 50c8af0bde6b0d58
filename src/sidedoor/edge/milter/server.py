"""The milter on a socket: one task a connection, none of which can take another down."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from sidedoor.edge.milter.session import Door, MilterSession
from sidedoor.edge.milter.wire import TEMPORARY_FAILURE, Command, MilterError, Packet, Packets

_LOG = logging.getLogger(__name__)
_CHUNK = 64 * 1024
# Longer than Postfix waits for a client (smtpd_timeout and milter_content_timeout are minutes).
_IDLE = 3600.0
_SILENT = frozenset({Command.MACRO, Command.ABORT, Command.QUIT, Command.NEXT_CLIENT})  # want no answer


async def serve_milter(host: str, port: int, door: Callable[[], Door], path: Path | None = None) -> asyncio.Server:
    """Listen on a port, or on the socket `path`; `door` gives each connection its door. Close the server to stop."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = MilterSession(door())
        try:
            await _converse(reader, writer, session)
        except (MilterError, TimeoutError, ConnectionError) as error:
            # Postfix then does what its milter_default_action says.
            _LOG.warning("a milter connection ended: %s", error)
        finally:
            session.close()
            writer.close()

    if path is not None:
        return await asyncio.start_unix_server(connected, path)
    return await asyncio.start_server(connected, host, port)


async def _converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, session: MilterSession) -> None:
    packets = Packets()
    while True:
        async with asyncio.timeout(_IDLE):
            data = await reader.read(_CHUNK)
        if not data:
            return
        for packet in packets.feed(data):
            for answer in _answers(session, packet):
                writer.write(answer)
            if packet.command is Command.QUIT:
                return
        await writer.drain()


def _answers(session: MilterSession, packet: Packet) -> list[bytes]:
    """The answers; a fault of ours refuses for the moment and leaves a line in the log."""
    try:
        return list(session.receive(packet))
    except MilterError:
        raise
    except Exception:  # noqa: BLE001  # whatever it is, Postfix gets its answer and the other connections live
        _LOG.exception("the milter failed on a %s packet", packet.command.name)
        return [] if packet.command in _SILENT else [TEMPORARY_FAILURE]
