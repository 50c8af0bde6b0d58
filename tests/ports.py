"""Ports for servers that are told a number and take it a moment later.

What the kernel hands out on request (port 0) it may hand to any client in that moment; so these lie below its range
(net.ipv4.ip_local_port_range begins at 32768), and each of the tests' workers has a part to itself.
"""

from __future__ import annotations

import itertools
import os
import socket

_FIRST, _EACH, _PARTS = 12_000, 2_000, 10
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _PARTS
_counted = itertools.count(os.getpid())


def free_port() -> int:
    """A port of this machine where nobody listens."""
    for number in _counted:
        port = _FIRST + _worker * _EACH + number % _EACH
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise AssertionError
