"""One client's connection: asyncio's callbacks on one side, PROXY, TLS and the protocol machine on the other."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from functools import lru_cache, partial
from typing import Protocol, cast

from sidedoor.edge.door import Policy, SessionDoor
from sidedoor.edge.interface import Answer, Keeper, Listener, Receipt, Session, Transaction
from sidedoor.edge.proxy import ProxyError, parse_proxy
from sidedoor.edge.smtp import SmtpMachine, replies
from sidedoor.edge.smtp.events import Close, Event, Login, Message, StartTls
from sidedoor.edge.smtp.limits import Offer
from sidedoor.edge.smtp.state import State
from sidedoor.edge.tlstypes import Channel, TlsFailure
from sidedoor.mail.network import IPAddress, parse_ip
from sidedoor.mail.reply import Reply

_address = lru_cache(maxsize=4_096)(parse_ip)  # clients come again
_MOST_BUFFERED = 256 * 1024
"""Octets taken from a client that waits for an answer, before the socket is left alone."""
_MANY = 512
_STEP = 4_096
"""Octets of content that count as moving on."""


_ids: Iterator[str] = iter(())


def _new_id() -> str:
    """16 hexadecimal digits. The system is asked for many at a time, because asking is what costs."""
    global _ids  # noqa: PLW0603  # what is left of the last answer
    name = next(_ids, None)
    if name is None:
        digits = os.urandom(8 * _MANY).hex()
        _ids = iter([digits[at : at + 16] for at in range(0, len(digits), 16)])
        name = next(_ids)
    return name


class Hub(Protocol):
    """What the server is to its connections."""

    policy: Policy
    keeper: Keeper
    buffer: bytearray

    def arrived(self, connection: SmtpConnection) -> bool:
        """A client is known by address; False where it has to go at once."""

    def gone(self, connection: SmtpConnection) -> None:
        """The connection is lost."""

    def trusts(self, address: IPAddress) -> bool:
        """Whether a PROXY header is expected from there."""

    def channel(self) -> Channel:
        """TLS for one more connection."""

    async def login(self, user: str, password: str) -> bool:
        """Whether user and password belong together."""

    def complain(self, text: str) -> None:
        """For the operator."""

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        """Run it; a server that stops waits for it."""


class SmtpConnection(asyncio.Protocol):
    """`moved` and `marker` are the server's, to see which clients move on; `client_ip` None until it is known."""

    def __init__(self, hub: Hub, offer: Offer, listener: Listener) -> None:
        self._hub, self._offer, self._listener = hub, offer, listener
        self._transport: asyncio.Transport | None = None
        self._machine: SmtpMachine | None = None
        self._door: SessionDoor | None = None
        self._tls: Channel | None = None
        self._head: bytes | None = None  # of a connection that begins with PROXY
        self._events: deque[Event] = deque()
        self._held = self._blocked = self._ended = False
        self._peer: tuple[IPAddress, int] | None = None
        self.client_ip: IPAddress | None = None
        self.moved = 0.0
        self.marker: tuple[int, int, int] = (0, 0, 0)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: somebody is there."""
        self._transport = cast("asyncio.Transport", transport)  # other event loops have classes of their own
        name = transport.get_extra_info("peername")
        if not name:  # gone already
            self._transport.abort()
            return
        self._peer = _address(name[0]), name[1]
        if self._hub.trusts(self._peer[0]):
            self._head = b""
            self._hub.arrived(self)  # counted, but nobody's yet
        else:
            self._begin(*self._peer, None)

    def _begin(self, client_ip: IPAddress, port: int, proxy: IPAddress | None) -> None:
        self.client_ip = client_ip
        if not self._hub.arrived(self):
            self.turn_away(replies.TOO_MANY_CONNECTIONS)
            return
        session = Session(_new_id(), self._listener, client_ip, port, proxy)
        self._door = SessionDoor(self._hub.policy, session)
        self._machine = SmtpMachine(self._offer, self._door)
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Octets came."""
        if self._head is not None:
            data = self._read_proxy(data)
        if self._tls is not None:
            data = self._decrypt(data)
        machine = self._machine
        if machine is None or not data:
            return
        self._handle(machine.receive_data(data))
        if machine.state is State.WAITING and machine.buffered > _MOST_BUFFERED:
            self._hold()

    def _read_proxy(self, data: bytes) -> bytes:
        assert self._peer is not None
        head = (self._head or b"") + data
        try:
            told = parse_proxy(head)
        except ProxyError as error:
            self._hub.complain(f"{self._peer[0]}: {error}; closed")
            self._abort()
            return b""
        if told is None:
            self._head = head
            return b""
        self._head = None
        if told.client_ip is None:
            self._begin(*self._peer, None)
        else:
            self._begin(told.client_ip, told.client_port, self._peer[0])
        return head[told.length :]

    def _decrypt(self, data: bytes) -> bytes:
        tls = self._tls
        assert tls is not None
        assert self._machine is not None
        assert self._door is not None
        before = tls.established
        try:
            data = tls.receive(data)
        except TlsFailure as error:
            self._send(tls.data_to_send())
            self._hub.complain(f"{self.client_ip}: TLS failed ({error})")
            self._abort(politely=True)
            return b""
        if tls.established and not before:
            self._door.tls_started(tls.session())
            self._machine.tls_started()
        self._send(tls.data_to_send())
        return data

    def _handle(self, events: list[Event]) -> None:
        """Settle events and what follows from them, then send what there is to say."""
        if not events:
            self._flush()
            return
        queue = self._events
        queue.extend(events)
        while queue:
            queue.extend(self._settle(queue.popleft()))
        self._flush()

    def _settle(self, event: Event) -> list[Event]:
        if isinstance(event, Message):
            return self._message(event.content)
        if isinstance(event, Login):
            self._hub.spawn(self._log_in(event))
        elif isinstance(event, StartTls):
            self._flush()
            self._tls = self._hub.channel()
        else:
            self._end(event)
        return []

    def _message(self, content: bytes) -> list[Event]:
        assert self._machine is not None
        assert self._door is not None
        transaction = self._door.message(content)
        if isinstance(transaction, Reply):
            return self._machine.answer(transaction)
        try:
            answer = self._hub.keeper.keep(transaction)
        except Exception as error:  # noqa: BLE001  # see `Keeper.keep`
            answer = self._not_kept(error)
        if isinstance(answer, Reply | Receipt):
            self._door.kept(transaction, answer)
            return self._machine.answer(_reply(answer))
        self._hub.spawn(self._await_keeper(answer, transaction))
        return []

    async def _await_keeper(self, waiting: Awaitable[Answer], transaction: Transaction) -> None:
        assert self._machine is not None
        assert self._door is not None
        try:
            answer = await waiting
        except Exception as error:  # noqa: BLE001  # see `Keeper.keep`
            answer = self._not_kept(error)
        self._door.kept(transaction, answer)
        self._resume_with(partial(self._machine.answer, _reply(answer)))

    def _not_kept(self, error: Exception) -> Reply:
        self._hub.complain(f"a message was not kept ({type(error).__name__}: {error})")
        return replies.CANNOT_KEEP

    async def _log_in(self, login: Login) -> None:
        assert self._machine is not None
        assert self._door is not None
        ok = await self._hub.login(login.user, login.password)
        if ok:
            self._door.logged_in(login.user)
        else:
            self._hub.complain(f"{self.client_ip}: login failed")
        self._resume_with(partial(self._machine.logged_in, ok=ok))

    def _resume_with(self, go_on: Callable[[], list[Event]]) -> None:
        assert self._door is not None
        if self._transport is None:
            # Nobody is there to be told. What was pipelined behind is not begun: its sender will try again.
            self._door.reset()
            return
        self._handle(go_on())
        self._release()
        if self._ended:
            self._abort(politely=True)

    def _flush(self) -> None:
        machine = self._machine
        if machine is None:
            return
        data = machine.data_to_send()
        if data and self._tls is not None and self._tls.established:
            try:
                self._tls.send(data)
            except TlsFailure:
                self._abort()
                return
            data = self._tls.data_to_send()
        if data:
            self._send(data)

    def _send(self, data: bytes) -> None:
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _end(self, _: Close) -> None:
        self._flush()
        self._abort(politely=True)

    def _abort(self, *, politely: bool = False) -> None:
        if self._transport is None:
            return
        if not politely:
            self._transport.abort()
            return
        if self._tls is not None and self._tls.established:
            self._tls.close()
            self._send(self._tls.data_to_send())
        self._transport.close()

    def turn_away(self, reply: Reply) -> None:
        """Say one reply in the clear and close: for who has not begun."""
        self._send(replies.encode(reply))
        self._abort(politely=True)

    def end(self, reply: Reply, why: str) -> None:
        """End the conversation from outside."""
        if self._machine is None or self._machine.state is State.TLS:
            self._abort()
            return
        self._handle(self._machine.close(reply, why))

    def abort(self) -> None:
        """Close at once, without a word."""
        self._abort()

    @property
    def busy(self) -> bool:
        """Whether a message is on its way or is being kept."""
        return self._machine is not None and self._machine.state in {State.WAITING, State.DATA}

    @property
    def waiting(self) -> bool:
        """Whether it is us the client waits for."""
        return self._machine is not None and self._machine.state is State.WAITING

    @property
    def begun(self) -> bool:
        """Whether the client has said EHLO, under TLS again if it began TLS."""
        return self._machine is not None and self._machine.state not in {State.CONNECTED, State.TLS}

    def progress(self) -> tuple[int, int, int]:
        """Changes when the client moves on: lines, content by steps, TLS."""
        machine = self._machine
        if machine is None:
            return (0, 0, 0)
        return machine.lines, machine.data_octets // _STEP, int(self._tls is not None)

    def _hold(self) -> None:
        if not self._held and self._transport is not None and not self._transport.is_closing():
            self._held = True
            self._transport.pause_reading()

    def _release(self) -> None:
        waits = self._machine is not None and self._machine.state is State.WAITING
        if self._held and not self._blocked and not waits and self._transport is not None:
            self._held = False
            if not self._transport.is_closing():
                self._transport.resume_reading()

    def pause_writing(self) -> None:
        """asyncio: the client does not read its replies, so nothing more is read of it."""
        self._blocked = True
        self._hold()

    def resume_writing(self) -> None:
        """asyncio: it reads again."""
        self._blocked = False
        self._release()

    def eof_received(self) -> bool:
        """asyncio: the client will say no more. A message that is being kept is answered all the same."""
        self._ended = True
        return self.waiting

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's name
        """asyncio: it is gone."""
        self._transport = None
        if self._machine is not None and self._machine.state is not State.WAITING and self._door is not None:
            self._door.reset()
        self._hub.gone(self)


def _reply(answer: Answer) -> Reply:
    return answer.reply if isinstance(answer, Receipt) else answer


class BufferedConnection(SmtpConnection, asyncio.BufferedProtocol):
    """For asyncio's own event loop, which makes a large buffer anew for each read of a plain protocol."""

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002  # asyncio's name
        """asyncio: where to put octets. One buffer serves all connections, because nobody holds it for long."""
        return self._hub.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """asyncio: octets are in the buffer."""
        with memoryview(self._hub.buffer) as view:
            data = bytes(view[:nbytes])
        self.data_received(data)
