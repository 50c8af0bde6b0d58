"""Several workers as processes: who starts, dies, is started again and ends, and that no mail is lost with them."""

from __future__ import annotations

import json
import os
import signal
import smtplib
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller

from sidedoor.edge.spool.store import Store
from tests.audit.audit_kit import accepted_domain, assert_balanced, audit, write_settings
from tests.edge.kill_kit import Edge, Load, Sink, _wait_for
from tests.edge.live_kit import Raw
from tests.edge.workers.kit import kill_workers, until, workers_of
from tests.ports import free_port

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="SO_REUSEPORT shares connections out on Linux alone")


class Hop:
    """A next hop that counts, or one that nobody answers at."""

    def __init__(self) -> None:
        self.sink, self.port = Sink(), free_port()
        self._server = Controller(self.sink, hostname="127.0.0.1", port=self.port)

    def start(self) -> None:
        self._server.start()

    def stop(self) -> None:
        self._server.stop()


@pytest.fixture
def hop() -> Iterator[Hop]:
    made = Hop()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def edge(tmp_path: Path, hop: Hop) -> Iterator[Edge]:
    """Two workers that are up."""
    made = Edge(tmp_path, hop.port, "--workers", "2", "--log", str(tmp_path / "log.jsonl"))
    made.start()
    until(lambda: listening(made) == 2)
    yield made
    if made._process is not None and made._process.poll() is None:
        made.end(signal.SIGTERM)


def listening(edge: Edge) -> int:
    """How many sockets listen on its port (proc(5): state 0A)."""
    here = f":{edge.port:04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1].endswith(here) and row[3] == "0A" for row in rows)


def send(port: int, count: int, first: int = 0) -> None:
    """So many messages, each over a connection of its own."""
    for number in range(first, first + count):
        with smtplib.SMTP("127.0.0.1", port, "sender.example", timeout=10) as client:
            content = f"From: app@contoso.example\r\nX-Mark: m-{number}\r\n\r\nbody\r\n"
            client.sendmail("app@contoso.example", ["desk@contoso.example"], content)


def test_a_worker_that_is_killed_under_load_loses_nothing(tmp_path: Path) -> None:
    result = kill_workers(tmp_path, kills=3)
    assert (result.lost, result.restarts) == ([], 3)
    assert result.said > 20
    # Twice only where the crash came between the next hop's 250 and our note of it: at most those under way.
    assert result.doubled <= result.kills * 20
    assert result.lines >= result.said - result.kills * 64  # what was gathered in memory goes with its process


def test_both_take_connections_and_each_has_its_spool(tmp_path: Path) -> None:
    edge = Edge(tmp_path, free_port(), "--workers", "2")  # nobody at the next hop, so that mail waits
    edge.start()
    until(lambda: listening(edge) == 2)
    send(edge.port, 40)
    assert edge.end(signal.SIGTERM) == 0
    counts = [Store(tmp_path / "spool" / name).count() for name in ("spool.db", "spool-2.db")]
    assert sum(counts) == 40
    assert min(counts) >= 4  # a fair coin gives less once in a hundred million


def test_all_lines_are_in_one_log_and_whole(
    edge: Edge, hop: Hop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load = Load(edge.port, senders=6)
    until(lambda: len(load.said) > 60)
    load.stop()
    _wait_for(hop.sink, load.said)
    assert edge.end(signal.SIGTERM) == 0
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_bytes().splitlines()]
    assert Counter(line["outcome"] for line in lines)["kept"] == len(load.said) > 50
    assert len({line["transaction"] for line in lines}) == len(lines)
    outcome = audit(capsys, tmp_path / "out", tmp_path / "log.jsonl", tmp_path / "tenant")
    assert outcome.code == 0
    assert_balanced(outcome)
    assert outcome.report["coverage"]["messages"] == len(lines)


def test_what_the_dead_left_is_delivered_by_the_next_edge(tmp_path: Path, hop: Hop) -> None:
    """Three workers and their parent are killed; one process finds all their spools."""
    silent = socket.create_server(("127.0.0.1", 0))  # a next hop that says nothing: mail is under way for ever
    edge = Edge(tmp_path, silent.getsockname()[1], "--workers", "3")
    edge.start()
    until(lambda: listening(edge) == 3)
    send(edge.port, 30)
    killed = [*workers_of(edge.pid)]
    edge.end(signal.SIGKILL)
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in killed))
    silent.close()
    alone = Edge(tmp_path, hop.port)
    alone.start()
    until(lambda: len(hop.sink.got) == 30)
    assert alone.end(signal.SIGTERM) == 0
    assert set(hop.sink.got.values()) == {1}


def test_a_message_that_is_being_received_is_finished(edge: Edge, hop: Hop) -> None:
    client = Raw(edge.port)
    assert client.reply().startswith(b"220")
    for line in (b"EHLO x.example", b"MAIL FROM:<app@contoso.example>", b"RCPT TO:<desk@contoso.example>", b"DATA"):
        assert client.ask(line)[:1] in b"23"
    client.socket.sendall(b"X-Mark: late\r\n\r\nhalf")
    os.kill(edge.pid, signal.SIGTERM)
    until(lambda: listening(edge) == 0)  # nobody else is let in
    assert client.ask(b" and half\r\n.").startswith(b"250")
    assert edge._process is not None
    assert edge._process.wait(60) == 0
    assert (
        hop.sink.got["late"] == 1
        or Store(edge.said.parent / "spool" / "spool.db").count()
        + Store(edge.said.parent / "spool" / "spool-2.db").count()
        == 1
    )


def test_a_hang_up_reaches_every_worker(edge: Edge, tmp_path: Path) -> None:
    """Settings are read again, the log is begun anew, and nobody dies of it."""
    before = workers_of(edge.pid)
    send(edge.port, 20)
    (tmp_path / "log.jsonl").rename(tmp_path / "log.jsonl.1")
    write_settings(tmp_path / "tenant", [accepted_domain("contoso.example", Default=True)], reject_direct_send=True)
    os.kill(edge.pid, signal.SIGHUP)
    until(lambda: edge.said.read_text().count("RejectDirectSend on") >= 2)
    for number in range(20):
        with smtplib.SMTP("127.0.0.1", edge.port, "sender.example") as client:
            client.ehlo()
            client.mail("app@contoso.example")
            assert client.rcpt("desk@contoso.example")[0] == 550, number
    assert workers_of(edge.pid) == before
    until(lambda: (tmp_path / "log.jsonl").read_bytes().count(b"\n") == 20)
    assert (tmp_path / "log.jsonl.1").read_bytes().count(b"\n") == 20


def test_workers_end_when_their_parent_is_killed(edge: Edge) -> None:
    pids = workers_of(edge.pid)
    edge.end(signal.SIGKILL)
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))


def run(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sidedoor", "edge", "--workers", "2", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_what_keeps_workers_from_starting_is_said_once_and_is_the_end(tmp_path: Path) -> None:
    done = run("--tenant", str(tmp_path), "--listen", "127.0.0.1:0")
    assert done.returncode == 3
    assert done.stderr.count("error:") == 1
    tenant = write_settings(tmp_path / "tenant", [accepted_domain("contoso.example", Default=True)])
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("--tenant", str(tenant), "--listen", f"127.0.0.1:{port}")
    assert done.returncode == 2
    assert f"cannot listen on 127.0.0.1 port {port}" in done.stderr


def test_the_admin_token_outlives_a_worker(tmp_path: Path) -> None:
    done = run("--tenant", str(tmp_path), "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
    assert (done.returncode, "--admin-token-file" in done.stderr) == (2, True)


def test_two_edges_do_not_share_a_port_by_mistake(edge: Edge, tmp_path: Path) -> None:
    done = run("--tenant", str(tmp_path / "tenant"), "--listen", f"127.0.0.1:{edge.port}")
    assert (done.returncode, "Address already in use" in done.stderr) == (2, True)
