"""A name server for tests, on a UDP port of this machine; what it does with a name is a literal."""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Literal, Self

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

Behaviour = Mapping[str, Mapping[str, list[str]] | Literal["silent", "servfail", "garbage"]]


class NameServer:
    """Answers from `world`; names that are not in it do not exist. `asked` counts the questions."""

    def __init__(self, world: Behaviour) -> None:
        self._world, self.asked = world, 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as knock:
            knock.sendto(b"", ("127.0.0.1", self.port))  # an empty datagram ends the service
        self._thread.join(5)
        self._socket.close()

    def _serve(self) -> None:
        while data_from := self._socket.recvfrom(4096):
            data, client = data_from
            if not data:
                return
            self.asked += 1
            answer = self._answer(dns.message.from_wire(data))
            if answer is not None:
                self._socket.sendto(answer, client)

    def _answer(self, query: dns.message.Message) -> bytes | None:
        question = query.question[0]
        kind = question.to_text().split()[-1]
        known = self._world.get(question.name.to_text().lower().removesuffix("."))
        reply = dns.message.make_response(query)
        if known == "silent":
            return None
        if known == "garbage":
            return query.id.to_bytes(2, "big") + b"\xff" * 40
        if known is None or isinstance(known, str):
            reply.set_rcode(dns.rcode.NXDOMAIN if known is None else dns.rcode.SERVFAIL)
        elif known.get(kind):
            reply.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *known[kind]))
        return reply.to_wire()
