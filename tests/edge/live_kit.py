"""A live server of the edge in a thread, for attacks over real sockets of the loopback."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from sidedoor.edge.crowd import Room
from sidedoor.edge.current import Current
from sidedoor.edge.door import Policy
from sidedoor.edge.interface import DecisionRecord, Keeper, Transaction
from sidedoor.edge.maildir import kept
from sidedoor.edge.server import EdgeServer, Endpoint, Options, TlsFiles
from sidedoor.edge.settings import Source
from sidedoor.mail.network import parse_network
from sidedoor.mail.reply import Reply
from sidedoor.tenant.snapshot import MailExchanger


@dataclass
class Memory:
    """A keeper and a log that remember. `fault` is raised instead of keeping."""

    kept: list[Transaction] = field(default_factory=list)
    records: list[DecisionRecord] = field(default_factory=list)
    fault: Exception | None = None

    def keep(self, transaction: Transaction) -> Reply:
        if self.fault is not None:
            raise self.fault
        self.kept.append(transaction)
        return kept(transaction)

    def write(self, record: DecisionRecord) -> None:
        self.records.append(record)

    def close(self) -> None:
        """Nothing is open."""


class Live:
    """`with Live(tenant) as live`: `live.port` is the front door's, `live.ports` those of all endpoints."""

    def __init__(
        self,
        tenant: Path,
        *,
        keeper: Keeper | None = None,
        options: Options | None = None,
        proxies: Sequence[str] = (),
        tls: TlsFiles | None = None,
        room: Room | None = None,
        delay: float = 0.0,
        **policy: Any,
    ) -> None:
        self.memory = Memory()
        self.complaints: list[str] = []
        self._keeper = keeper or self.memory
        made = options or Options([Endpoint("127.0.0.1", 0)])
        made = replace(made, proxies=[parse_network(text) for text in proxies] or made.proxies, tls=tls or made.tls)
        self._options = replace(made, room=room or made.room, grace=5.0)
        self._policy, self._tenant, self._delay = policy, tenant, delay
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    async def _run(self) -> None:
        current = Current(Source(self._tenant, mx=MailExchanger.EXCHANGE_ONLINE), self.complaints.append, self._delay)
        policy = Policy("mx.example", current.get, self.memory, **self._policy)
        self.server = EdgeServer(self._options, policy, self._keeper, current, self.complaints.append)
        await self.server.start()
        self._loop = asyncio.get_running_loop()
        self.ports = [port for _, port in self.server.addresses]
        self._ready.set()
        await self.server.run()

    @property
    def port(self) -> int:
        """Of the first endpoint."""
        return self.ports[0]

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def stop(self) -> None:
        """Begin to end."""
        self._loop.call_soon_threadsafe(self.server.stop)

    def __exit__(self, *_: object) -> None:
        if self._thread.is_alive():
            self.stop()
        self._thread.join(20)
        assert not self._thread.is_alive()


class Raw:
    """A client of octets."""

    def __init__(self, port: int, *, first: bytes = b"", host: str = "127.0.0.1") -> None:
        self.socket = socket.create_connection((host, port), 10)
        self._rest = b""
        if first:
            self.socket.sendall(first)

    def line(self) -> bytes:
        """One line without its end; b"" where the connection is closed."""
        while b"\r\n" not in self._rest:
            try:
                data = self.socket.recv(65_536)
            except ConnectionError:
                return b""
            if not data:
                return b""
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\r\n")
        return line

    def reply(self) -> bytes:
        """The last line of one reply."""
        while (line := self.line())[3:4] == b"-":
            pass
        return line

    def ask(self, octets: bytes) -> bytes:
        """Send a line, return the last line of its reply."""
        self.socket.sendall(octets + b"\r\n")
        return self.reply()

    def close(self) -> None:
        """Go without a word."""
        self.socket.close()
