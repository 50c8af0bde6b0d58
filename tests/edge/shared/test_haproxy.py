"""Two edges behind a real HAProxy: who the client is, by both versions of the protocol, and a machine that dies."""

from __future__ import annotations

import os
import shutil
import signal
import smtplib
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from tests.edge.kill_kit import Sink
from tests.edge.shared.kit import DOMAIN, Machine, export
from tests.edge.workers.kit import until
from tests.ports import free_port

_PROGRAM = shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
pytestmark = pytest.mark.skipif(_PROGRAM is None, reason="HAProxy is not installed")
# As in docs/edge.md, but for the addresses, and a check that is sooner over.
_SETTINGS = """
defaults
    mode tcp
    timeout connect 5s
    timeout client 310s
    timeout server 310s
    option redispatch
    retries 3
listen smtp
    bind 127.0.0.1:{port}
    option smtpchk EHLO balancer.example
    default-server check inter 200ms fall 1 rise 1 check-send-proxy
    server mx1 127.0.0.1:{one} send-proxy-v2
    server mx2 127.0.0.1:{two} send-proxy
"""


@contextmanager
def haproxy(folder: Path, one: int, two: int) -> Iterator[int]:
    """Its port."""
    port = free_port()
    settings = folder / "haproxy.cfg"
    settings.write_text(_SETTINGS.format(port=port, one=one, two=two))
    assert _PROGRAM is not None
    with (folder / "haproxy.log").open("wb") as log:
        process = subprocess.Popen([_PROGRAM, "-db", "-f", str(settings)], stdout=log, stderr=log)
    try:
        yield port
    finally:
        process.kill()
        process.wait(30)


def sends(port: int, number: int) -> bool:
    """Whether a message was taken, from a client of an address of its own."""
    here = (f"127.0.1.{number}", 0)
    try:
        with smtplib.SMTP("127.0.0.1", port, "sender.example", timeout=20, source_address=here) as client:
            client.sendmail("app@far.example", [f"desk@{DOMAIN}"], f"X-Mark: m-{number}\r\n\r\nbody\r\n")
    except (OSError, smtplib.SMTPException):
        return False
    return True


def lines_of(machines: Sequence[Machine]) -> list[dict[str, Any]]:
    return [line for machine in machines for line in machine.lines()]


def test_clients_keep_their_addresses_and_a_dead_machine_is_left_out(tmp_path: Path) -> None:
    sink = Sink()
    hop = Controller(sink, hostname="127.0.0.1", port=free_port())
    hop.start()
    tenant = str(export(tmp_path / "tenant"))
    options = ("--tenant", tenant, "--proxy-from", "127.0.0.1/32")
    machines = [Machine(tmp_path / name, hop.port, *options).start() for name in ("one", "two")]
    try:
        with haproxy(tmp_path, *(machine.port for machine in machines)) as port:
            until(lambda: sends(port, 1))
            assert all(sends(port, number) for number in range(2, 12))
            until(lambda: len(lines_of(machines)) == 11)
            lines = lines_of(machines)
            assert Counter(line["client_ip"] for line in lines) == {f"127.0.1.{n}": 1 for n in range(1, 12)}
            assert {line["proxy"] for line in lines} == {"127.0.0.1"}
            assert all(machine.lines() for machine in machines)
            machines[0].end(signal.SIGKILL)
            until(lambda: sends(port, 20) and sends(port, 21))  # the check has found it
            assert all(sends(port, number) for number in range(30, 36))
            machines[0].start()
            before = len(machines[0].lines())
            until(lambda: sends(port, 40) and len(machines[0].lines()) > before)
    finally:
        assert [machine.end() for machine in machines] == [0, 0]
        hop.stop()
