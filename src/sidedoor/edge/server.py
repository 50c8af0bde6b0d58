"""The server: listeners, the crowd of connections, settings that change, and a graceful end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

from sidedoor.edge.connection import BufferedConnection, SmtpConnection
from sidedoor.edge.crowd import Crowd, Room
from sidedoor.edge.current import Current
from sidedoor.edge.door import Policy
from sidedoor.edge.interface import Keeper, Listener
from sidedoor.edge.smtp import replies
from sidedoor.edge.smtp.limits import Limits, Offer
from sidedoor.edge.tlstypes import Channel
from sidedoor.edge.users import Users
from sidedoor.errors import SidedoorError, UsageError
from sidedoor.mail.network import IPAddress, IPNetwork

_TICK = 1.0
_BUFFER = 64 * 1024
_GRACE = 30.0  # seconds for messages that are on their way when the server stops


class Endpoint(NamedTuple):
    """Where to listen: port 0 for any that is free."""

    host: str
    port: int
    listener: Listener = Listener.SMTP


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files: the server's certificate with its chain, its key, and CAs of clients (None: the system's)."""

    certificate: Path
    key: Path
    client_ca: Path | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """What the server is told at the start. `proxies` may say by PROXY who the client is.

    reuse_port: others listen on the same ports, and the kernel shares connections out (SO_REUSEPORT, socket(7)).
    """

    endpoints: Sequence[Endpoint]
    proxies: Sequence[IPNetwork] = ()
    tls: TlsFiles | None = None
    users: Users | None = None
    limits: Limits = field(default_factory=Limits)
    room: Room = field(default_factory=Room)
    grace: float = _GRACE
    reuse_port: bool = False


class EdgeServer:
    """`start`, then `run` until it is told to stop; `addresses` tells the ports."""

    def __init__(
        self, options: Options, policy: Policy, keeper: Keeper, current: Current, say: Callable[[str], None]
    ) -> None:
        self.policy, self.keeper = policy, keeper
        self.buffer = bytearray(_BUFFER)
        self._options, self._current, self._say = options, current, say
        self._crowd = Crowd(options.room)
        self._connection: type[SmtpConnection] = SmtpConnection
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._stop = asyncio.Event()
        self._logins = asyncio.Semaphore(2)  # scrypt keeps a core busy; those who guess passwords get no more
        self._new_channel: Callable[[], Channel] | None = None
        self._load_tls()
        current.changed = lambda _: self._load_tls()

    def _load_tls(self) -> None:
        """Make a new TLS context; at the start it raises InputError, later the old one stays."""
        files = self._options.tls
        if files is None:
            return
        try:
            from sidedoor.edge.tls import TlsContext
        except ModuleNotFoundError as error:
            raise UsageError("TLS needs pyOpenSSL: install sidedoor[edge]") from error
        ask = self._current.settings.asks_for_certificates
        try:
            context = TlsContext(files.certificate, files.key, files.client_ca, ask=ask)
        except (SidedoorError, OSError) as error:
            if self._new_channel is None:
                raise
            self._say(f"TLS files not reloaded, the old ones stay: {error}")
            return
        self._new_channel = context.channel

    async def start(self) -> None:
        """Listen. Raises UsageError where that cannot be."""
        loop = asyncio.get_running_loop()
        own = type(loop).__module__.startswith("asyncio")
        self._connection = BufferedConnection if own else SmtpConnection
        for host, port, listener in self._options.endpoints:
            offer = Offer(
                self.policy.hostname,
                starttls=self._options.tls is not None,
                auth=listener is Listener.SUBMISSION and self._options.users is not None,
                limits=self._options.limits,
            )
            make = partial(self._connection, self, offer, listener)
            try:
                server = await loop.create_server(
                    make, host, port, backlog=1_024, reuse_port=self._options.reuse_port or None
                )
            except OSError as error:
                raise UsageError(f"cannot listen on {host} port {port}: {error.strerror or error}") from error
            self._servers.append(server)

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where it listens."""
        return [socket.getsockname()[:2] for server in self._servers for socket in server.sockets]

    async def run(self, *, signals: bool = False) -> None:
        """Serve until `stop` is called, or SIGTERM or SIGINT comes; then end gracefully."""
        loop = asyncio.get_running_loop()
        if signals:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self.stop)
            loop.add_signal_handler(signal.SIGHUP, self._hang_up)
        background = [asyncio.create_task(self._keep_order()), asyncio.create_task(self._current.watch())]
        try:
            await self._stop.wait()
        finally:
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
            await self._finish()

    def stop(self) -> None:
        """Begin to end."""
        self._stop.set()

    def _hang_up(self) -> None:
        self._load_tls()
        reopen = getattr(self.policy.log, "reopen", None)
        if reopen is not None:
            reopen()
        self.spawn(self._current.reload())

    async def _keep_order(self) -> None:
        while True:
            await asyncio.sleep(_TICK)
            for guest in self._crowd.late(asyncio.get_running_loop().time()):
                guest.end(replies.TOO_IDLE, "timed out")

    async def _finish(self) -> None:
        """No new clients; the idle are sent away, those with a message on its way have the grace."""
        for server in self._servers:
            server.close()
        self._current.close()
        loop = asyncio.get_running_loop()
        end = loop.time() + self._options.grace
        while (len(self._crowd) or self._tasks) and loop.time() < end:
            for guest in self._crowd:
                if not guest.busy:
                    guest.end(replies.SHUTTING_DOWN, "shutting down")
            await asyncio.sleep(0.02)
        for guest in self._crowd:
            guest.end(replies.SHUTTING_DOWN, "shutting down")
        with suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await asyncio.gather(*self._tasks, return_exceptions=True)
        self.policy.log.close()

    def arrived(self, connection: SmtpConnection) -> bool:
        """See `Hub`."""
        if self._stop.is_set():
            return False
        goes = self._crowd.enter(connection, asyncio.get_running_loop().time())
        if goes is not None and goes is not connection:
            goes.end(replies.TOO_MANY_CONNECTIONS, "the house is full")
        return goes is not connection

    def gone(self, connection: SmtpConnection) -> None:
        """See `Hub`."""
        self._crowd.leave(connection)

    def trusts(self, address: IPAddress) -> bool:
        """See `Hub`."""
        return any(address.version == network.version and address in network for network in self._options.proxies)

    def channel(self) -> Channel:
        """See `Hub`."""
        assert self._new_channel is not None
        return self._new_channel()

    async def login(self, user: str, password: str) -> bool:
        """See `Hub`."""
        users = self._options.users
        if users is None:
            return False
        async with self._logins:
            return await asyncio.to_thread(users.check, user, password)

    def complain(self, text: str) -> None:
        """See `Hub`."""
        self._say(text)

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        """See `Hub`."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
