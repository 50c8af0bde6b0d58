"""Ports that workers share: reserved by the parent, so that port 0 is one port, and a taken one is found at once."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterable, Sequence

from sidedoor.edge.server import Endpoint
from sidedoor.errors import UsageError

_WHERE = "the kernel shares connections out by SO_REUSEPORT on Linux alone; start one edge, or several machines"


class Ports:
    """`endpoints` are what workers listen on. Sockets here are bound and never listen: they keep the ports ours."""

    def __init__(self, wanted: Iterable[Endpoint]) -> None:
        """Raises UsageError where one cannot be had, or this is no Linux."""
        if sys.platform != "linux":
            raise UsageError(f"--workers: {_WHERE}")
        self.endpoints: list[Endpoint] = []
        self._sockets: list[socket.socket] = []
        for endpoint in wanted:
            self._reserve(endpoint)

    def _reserve(self, endpoint: Endpoint) -> None:
        port = endpoint.port
        try:
            for family, address in _addresses(endpoint):
                probe = socket.socket(family, socket.SOCK_STREAM)
                with probe:
                    # Without SO_REUSEPORT: another edge must not be joined by mistake.
                    _bind(probe, address, port)
                    port = probe.getsockname()[1]
                held = socket.socket(family, socket.SOCK_STREAM)
                held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                _bind(held, address, port)
                self._sockets.append(held)
                self.endpoints.append(Endpoint(address, port, endpoint.listener))
        except OSError as error:
            self.close()
            raise UsageError(
                f"cannot listen on {endpoint.host} port {endpoint.port}: {error.strerror or error}"
            ) from error

    @property
    def sockets(self) -> Sequence[socket.socket]:
        """For a worker, which closes its copies."""
        return self._sockets

    def close(self) -> None:
        """Let others have the ports, once no worker listens any more."""
        for held in self._sockets:
            held.close()


def _addresses(endpoint: Endpoint) -> list[tuple[socket.AddressFamily, str]]:
    found = socket.getaddrinfo(endpoint.host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((family, str(address[0])) for family, _, _, _, address in found))


def _bind(held: socket.socket, address: str, port: int) -> None:
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if held.family == socket.AF_INET6:
        held.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # as asyncio does; both are asked for by name
    held.bind((address, port))
