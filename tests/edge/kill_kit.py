"""Kill an edge under load again and again, and count what became of every message that it acknowledged.

The edge is a process of its own (`sidedoor edge` with a spool and a next hop) that is killed with SIGKILL at random
instants. The next hop is another server, which lives all the time and counts what it gets.
"""

from __future__ import annotations

import random
import re
import signal
import smtplib
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller

from tests.audit.audit_kit import accepted_domain, write_settings
from tests.ports import free_port

_MARK = re.compile(rb"X-Mark: (\S+)")


@dataclass
class Sink:
    """The next hop: counts marks. A second delivery of a mark is a double."""

    got: Counter[str] = field(default_factory=Counter)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802  # aiosmtpd's name
        """aiosmtpd: a message is here."""
        found = _MARK.search(envelope.content)
        assert found is not None
        self.got[found[1].decode()] += 1
        return "250 2.0.0 counted"


@dataclass
class Result:
    """`said`: marks that were answered 250. `lost`: of these, those that never came out. `unsaid`: came out without."""

    kills: int
    said: int
    lost: list[str]
    doubled: int
    unsaid: int
    seconds: float


class Edge:
    """`sidedoor edge`, started and killed."""

    def __init__(self, folder: Path, next_hop: int, *more: str) -> None:
        """`more`: further options."""
        tenant = write_settings(folder / "tenant", [accepted_domain("contoso.example", Default=True)])
        self.port, self.said = free_port(), folder / "said"
        self._command = [
            sys.executable, "-m", "sidedoor", "edge", "--tenant", str(tenant), "--listen", f"127.0.0.1:{self.port}",
            "--spool", str(folder / "spool"), "--next-hop", f"127.0.0.1:{next_hop}", "--hostname", "edge.example",
            *more,
        ]  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Return when it takes connections."""
        with self.said.open("ab") as said:
            self._process = subprocess.Popen(self._command, stderr=said)
        for _ in range(600):
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            assert self._process.poll() is None, "the edge did not start"
            time.sleep(0.02)
        raise AssertionError("the edge does not answer")

    @property
    def pid(self) -> int:
        """Of the process that was started."""
        assert self._process is not None
        return self._process.pid

    def end(self, with_signal: int = signal.SIGKILL) -> int:
        """Send the signal and wait; returns the exit code."""
        assert self._process is not None
        self._process.send_signal(with_signal)
        return self._process.wait(40)


class Load:
    """Some senders, each on one connection after another, until told to stop. `said` has the marks that heard 250."""

    def __init__(self, port: int, senders: int = 4) -> None:
        self.said: set[str] = set()
        self._port, self._stop = port, threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(number,)) for number in range(senders)]
        for thread in self._threads:
            thread.start()

    def _send(self, number: int) -> None:
        count = 0
        while not self._stop.is_set():
            try:
                with smtplib.SMTP("127.0.0.1", self._port, "sender.example", timeout=5) as client:
                    for _ in range(20):
                        count += 1
                        self._one(client, f"{number}-{count}")
            except (OSError, smtplib.SMTPException):
                time.sleep(0.02)

    def _one(self, client: smtplib.SMTP, mark: str) -> None:
        content = f"From: app@contoso.example\r\nX-Mark: {mark}\r\n\r\n{'x' * 500}\r\n"
        client.sendmail("app@contoso.example", ["desk@contoso.example"], content)
        self.said.add(mark)  # sendmail returns after 250 alone

    def stop(self) -> None:
        """Wait for the senders."""
        self._stop.set()
        for thread in self._threads:
            thread.join()


def run(folder: Path, kills: int, seed: int = 1) -> Result:
    """Kill so many times, then let the edge deliver what is left."""
    dice, sink, started = random.Random(seed), Sink(), time.monotonic()
    hop = Controller(sink, hostname="127.0.0.1", port=free_port())
    hop.start()
    edge = Edge(folder, hop.port)
    load = Load(edge.port)
    try:
        for _ in range(kills):
            edge.start()
            time.sleep(dice.uniform(0.0, 0.6))
            edge.end()
        load.stop()
        edge.start()
        _wait_for(sink, load.said)
        edge.end(signal.SIGTERM)
    finally:
        load.stop()
        hop.stop()
    lost = sorted(load.said - sink.got.keys())
    doubled = sum(count - 1 for count in sink.got.values())
    return Result(kills, len(load.said), lost, doubled, len(sink.got.keys() - load.said), time.monotonic() - started)


def _wait_for(sink: Sink, said: set[str]) -> None:
    """Until all is there, or nothing more has come for a while."""
    quiet_since, seen = time.monotonic(), -1
    while said - sink.got.keys() and time.monotonic() - quiet_since < 15:
        if len(sink.got) != seen:
            quiet_since, seen = time.monotonic(), len(sink.got)
        time.sleep(0.1)
    time.sleep(1.0)  # what nobody was told of may still be on its way
