"""The milter on a socket: one task a connection, none of which can take another down."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path

from sidedoor.edge.milter.session import Budget, Door, MilterSession
from sidedoor.edge.milter.wire import TEMPORARY_FAILURE, Command, MilterError, Packet, Packets

_LOG = logging.getLogger(__name__)
_CHUNK = 64 * 1024
# Longer than Postfix waits for a client (smtpd_timeout and milter_content_timeout are minutes).
_IDLE = 3600.0
_MOST_CONNECTIONS = 2_000  # twenty times Postfix's default_process_limit


class MilterServer:
    """`door` gives each connection its door. `start` it, then `close` it."""

    def __init__(self, door: Callable[[], Door]) -> None:
        self._door = door
        self._budget = Budget()
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int, path: Path | None = None) -> None:
        """Listen on a port, or on the socket `path`. Raises OSError."""
        if path is not None:
            self._server = await asyncio.start_unix_server(self._connected, path)
        else:
            self._server = await asyncio.start_server(self._connected, host, port, backlog=1_024)

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """No more connections; those in progress are broken off, so Postfix puts their messages off."""
        if self._server is not None:
            self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if len(self._connections) >= _MOST_CONNECTIONS:
            _LOG.warning("more than %d milter connections", _MOST_CONNECTIONS)
            writer.close()
            return
        self._connections.add(task)
        session = MilterSession(self._door(), self._budget)
        try:
            await _converse(reader, writer, session)
        except (MilterError, TimeoutError, OSError) as error:
            # Postfix then does what its milter_default_action says.
            _LOG.warning("a milter connection ended: %s", error)
        finally:
            self._connections.discard(task)
            session.close()
            with suppress(ConnectionError):
                writer.close()


def _prompt(writer: asyncio.StreamWriter) -> Callable[[], None]:
    """Acknowledges what was read at once: Postfix sends a command in pieces, and the next waits for it (Nagle).

    Without it every message takes some 40 ms. Linux falls back by itself (tcp(7), TCP_QUICKACK), so after each read.
    """
    peer = writer.get_extra_info("socket")
    if peer is None or peer.family == socket.AF_UNIX or not hasattr(socket, "TCP_QUICKACK"):
        return lambda: None
    return lambda: peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


async def _converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, session: MilterSession) -> None:
    packets, acknowledge = Packets(), _prompt(writer)
    while True:
        async with asyncio.timeout(_IDLE):
            data = await reader.read(_CHUNK)
        if not data:
            return
        acknowledge()
        for packet in packets.feed(data):
            for answer in await _answers(session, packet):
                writer.write(answer)
            if packet.command is Command.QUIT:
                return
        async with asyncio.timeout(_IDLE):
            await writer.drain()


async def _answers(session: MilterSession, packet: Packet) -> Sequence[bytes]:
    """The answers; a fault of ours refuses for the moment and leaves a line in the log."""
    try:
        given = session.receive(packet)
        return await given if isinstance(given, Awaitable) else list(given)
    except MilterError:
        raise
    except Exception:  # noqa: BLE001  # whatever it is, Postfix gets its answer and the other connections live
        _LOG.exception("the milter failed on a %s packet", packet.command.name)
        return [] if packet.command in session.silent else [TEMPORARY_FAILURE]
