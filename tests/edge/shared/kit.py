"""Two machines' edges behind a balancer, over one PostgreSQL: processes, sockets and a next hop that counts."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
import signal
import smtplib
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from aiosmtpd.controller import Controller

from tests.audit.audit_kit import accepted_domain, write_settings
from tests.edge.kill_kit import Sink
from tests.edge.workers.kit import until, workers_of
from tests.ports import free_port

DOMAIN = "contoso.example"
HOLD = {
    "Name": "Hold", "Identity": "Hold", "Priority": 0, "State": "Enabled", "Mode": "Enforce",
    "SubjectContainsWords": ["hold"], "Quarantine": True,
}  # fmt: skip


def export(folder: Path, *, rejects: bool = False) -> Path:
    """A tenant whose rule holds back what has `hold` in its subject."""
    write_settings(folder, [accepted_domain(DOMAIN, Default=True)], reject_direct_send=rejects)
    (folder / "TransportRule.json").write_text(json.dumps([HOLD]))
    return folder


class Machine:
    """An edge with a folder of its own: its log is `log`, what it says in `said`."""

    def __init__(self, folder: Path, next_hop: int, *options: str) -> None:
        folder.mkdir(exist_ok=True)
        self.folder, self.port = folder, free_port()
        self.log, self._said = folder / "log.jsonl", folder / "said"
        self._command = [
            sys.executable, "-m", "sidedoor", "edge", "--listen", f"127.0.0.1:{self.port}", "--spool",
            str(folder / "spool"), "--next-hop", f"127.0.0.1:{next_hop}", "--hostname", "edge.example", "--log",
            str(self.log), *options,
        ]  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Return when it listens."""
        before = self.said.count("listening on")
        with self._said.open("ab") as said:
            self._process = subprocess.Popen(self._command, stderr=said)
        until(lambda: self.said.count("listening on") > before or self._process.poll() is not None)  # type: ignore[union-attr]
        assert self._process.poll() is None, self.said
        return self

    @property
    def said(self) -> str:
        """Everything."""
        return self._said.read_text() if self._said.exists() else ""

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send the signal, wait, and return the exit code; 0 where it has ended."""
        if self._process is None or self._process.poll() is not None:
            return 0
        self._process.send_signal(number)
        return self._process.wait(60)

    @property
    def pid(self) -> int:
        """Of the process that was started."""
        assert self._process is not None
        return self._process.pid

    def lose_power(self) -> None:
        """All of its processes at once, the parent first so that it starts none again."""
        pids = [self.pid, *workers_of(self.pid)]
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert self._process is not None
        self._process.wait()
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))

    def lines(self) -> list[dict[str, Any]]:
        """Its log."""
        return [json.loads(line) for line in self.log.read_bytes().splitlines()] if self.log.exists() else []


class Balancer:
    """Takes connections and hands them to the machines in turn, saying by PROXY who the client is: v1 to one, v2 to
    the next. A machine that does not answer is passed over."""

    def __init__(self, ports: Sequence[int]) -> None:
        self.port, self._ports, self._count = free_port(), ports, 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", self.port))
        self._ready.set()
        self._loop.run_forever()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._count += 1
        for attempt in range(len(self._ports)):
            place = (self._count + attempt) % len(self._ports)
            with suppress(OSError):
                there = await asyncio.open_connection("127.0.0.1", self._ports[place])
                there[1].write(header(self._count, version=1 + place % 2))
                await asyncio.gather(_pipe(reader, there[1]), _pipe(there[0], writer))
                return
        writer.close()


def client_of(number: int) -> str:
    """The address that the balancer names for its connection with this number."""
    return f"203.0.113.{number % 250 + 1}"


def header(number: int, version: int) -> bytes:
    """A PROXY header (proxy-protocol.txt, sections 2.1 and 2.2)."""
    if version == 1:
        return f"PROXY TCP4 {client_of(number)} 192.0.2.25 {40_000 + number % 20_000} 25\r\n".encode()
    addresses = [ipaddress.ip_address(each).packed for each in (client_of(number), "192.0.2.25")]
    body = struct.pack("!4s4sHH", *addresses, 40_000 + number % 20_000, 25)
    return b"\r\n\r\n\x00\r\nQUIT\n\x21\x11" + struct.pack("!H", len(body)) + body


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


@dataclass
class Sent:
    """Marks by what was said of them. doubtful: the connection broke before an answer."""

    kept: set[str] = field(default_factory=set)
    refused: Counter[int] = field(default_factory=Counter)
    refused_plain: list[str] = field(default_factory=list)
    doubtful: set[str] = field(default_factory=set)


class Load:
    """Senders until `stop`: every third message is one to be held back."""

    def __init__(self, port: int, senders: int = 3, every: float = 0.0) -> None:
        self.sent = Sent()
        self._port, self._every, self._stop = port, every, threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(number,)) for number in range(senders)]
        for thread in self._threads:
            thread.start()

    def _send(self, number: int) -> None:
        count = 0
        while not self._stop.is_set():
            count += 1
            send_one(self._port, f"{'hold' if count % 3 == 0 else 'plain'}-{number}-{count}", self.sent)
            time.sleep(self._every)

    def stop(self) -> Sent:
        """Wait for the senders."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        return self.sent


def send_one(port: int, mark: str, sent: Sent, sender: str = "app@far.example") -> None:
    """One message over a connection of its own; its subject is what its mark begins with."""
    content = f"From: {sender}\r\nSubject: {mark.partition('-')[0]}\r\nX-Mark: {mark}\r\n\r\nbody\r\n"
    try:
        with smtplib.SMTP("127.0.0.1", port, "sender.example", timeout=40) as client:
            client.sendmail(sender, [f"desk@{DOMAIN}"], content)
    except smtplib.SMTPDataError as error:
        sent.refused[error.smtp_code] += 1
        sent.refused_plain += [mark] if mark.startswith("plain") else []
    except smtplib.SMTPRecipientsRefused as error:
        sent.refused[next(iter(error.recipients.values()))[0]] += 1
    except (OSError, smtplib.SMTPException):
        sent.doubtful.add(mark)
        time.sleep(0.05)
    else:
        sent.kept.add(mark)


class Site:
    """Two machines, a balancer before them and a next hop behind; `store` is the URL they share."""

    def __init__(self, folder: Path, store: str, *options: str, workers: int = 1) -> None:
        self.folder, self.store, self.sink = folder, store, Sink()
        self._hop = Controller(self.sink, hostname="127.0.0.1", port=free_port())
        self._hop.start()
        more = [
            *(["--workers", str(workers)] if workers > 1 else []),
            "--store",
            store,
            "--proxy-from",
            "127.0.0.0/8",
            *options,
        ]
        self.machines = [Machine(folder / name, self._hop.port, *more) for name in ("one", "two")]
        self.balancer = Balancer([machine.port for machine in self.machines])

    def start(self) -> Self:
        for machine in self.machines:
            if machine._process is None:
                machine.start()
        return self

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        for machine in self.machines:
            if machine._process is not None and machine._process.poll() is None:
                machine.end(signal.SIGKILL)
        self.balancer.stop()
        self._hop.stop()


def sidedoor(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, as a process of its own."""
    command = [sys.executable, "-m", "sidedoor", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=os.environ)


def quarantine(store: str, what: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`sidedoor quarantine` on the shared one."""
    return sidedoor("quarantine", what, *arguments, "--store", store, "--store-tenant", DOMAIN)


def held_ids(store: str) -> list[str]:
    """What is held back, by id."""
    done = quarantine(store, "list", "--json")
    assert done.returncode == 0, done.stderr
    return [json.loads(line)["id"] for line in done.stdout.splitlines()]
