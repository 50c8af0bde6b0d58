"""`sidedoor probe` against the edge, which answers as Exchange Online would, and against servers that misbehave."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sidedoor.cli.main import main
from tests.audit.audit_kit import accepted_domain, connector, write_settings
from tests.edge.live_kit import Live

DOMAINS = [accepted_domain("northwind.example"), accepted_domain("northwind.onmicrosoft.com", InitialDomain=True)]
LOCK = connector("Filter", SenderIPAddresses=["198.51.100.7"], RestrictDomainsToIPAddresses=True)


def tenant(folder: Path, *, closed: bool, connectors: list[dict[str, Any]] | None = None) -> Path:
    return write_settings(folder, DOMAINS, connectors or [], reject_direct_send=closed)


def ask(capsys: Any, folder: Path, port: int, *more: str) -> tuple[int, dict[str, Any]]:
    arguments = ["northwind.example", "--tenant", str(folder), "--endpoint", f"127.0.0.1:{port}", "--offline"]
    code = main(["probe", *arguments, "--pause", "0", "--helo", "probe.example", "--json", *more])
    out = capsys.readouterr().out
    return code, json.loads(out)


def outcomes(body: dict[str, Any]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for made in body["attempts"]:
        found.setdefault(made["sender"], set()).add(made["outcome"])
    return found


def test_a_closed_door(tmp_path: Path, capsys: Any) -> None:
    folder = tenant(tmp_path, closed=True)
    with Live(folder) as live:
        code, body = ask(capsys, folder, live.port)
        assert (code, body["verdict"]) == (0, "closed")
        seen = outcomes(body)
        assert seen["accepted"] == seen["onmicrosoft"] == {"direct-send-refused", "tls-not-offered"}
        assert "accepted" in seen["subdomain"] & seen["foreign"] & seen["null"]
        assert not live.memory.kept
        said = [line["text"] for made in body["attempts"] for line in made["transcript"] if line["who"] == "we"]
        assert not any(text.upper().startswith("DATA") for text in said)
        assert body["attempts"][0]["remote"] == f"127.0.0.1:{live.port}"


def test_an_open_door_is_proven_by_one_message_only(tmp_path: Path, capsys: Any) -> None:
    folder = tenant(tmp_path, closed=False)
    with Live(folder) as live:
        code, body = ask(capsys, folder, live.port)
        assert (code, body["verdict"]) == (1, "undetermined")
        code, body = ask(capsys, folder, live.port, "--send", "--recipient", "admin@northwind.example")
        assert (code, body["verdict"]) == (1, "open")
        (kept,) = live.memory.kept
        assert b"Auto-Submitted: auto-generated" in bytes(kept.content)
    code, body = ask_open(capsys, folder, tmp_path)
    assert (code, body["verdict"]) == (0, "open")


def ask_open(capsys: Any, folder: Path, tmp_path: Path) -> tuple[int, dict[str, Any]]:
    with Live(folder) as live:
        return ask(capsys, folder, live.port, "--send", "--recipient", "a@northwind.example", "--expect", "open")


def test_a_locked_door(tmp_path: Path, capsys: Any) -> None:
    folder = tenant(tmp_path, closed=True, connectors=[LOCK])
    with Live(folder) as live:
        code, body = ask(capsys, folder, live.port)
    assert (code, body["verdict"]) == (0, "closed")
    assert "partner-restriction" in outcomes(body)["foreign"]


@pytest.mark.parametrize(
    ("domain", "more"),
    [
        ("somebody-else.example", ()),
        ("northwind.example", ("--recipient", "x@elsewhere.example")),
        ("northwind.example", ("--send",)),
        ("northwind.example", ("--endpoint", "a b")),
        ("northwind.example", ("--endpoint", "host:0")),
        ("northwind.example", ("--helo", "x\r\nDATA")),
        ("northwind.example", ("--recipient", "a>\r\nDATA@northwind.example")),
    ],
)
def test_other_peoples_doors_and_smuggled_commands_are_refused(
    tmp_path: Path, domain: str, more: tuple[str, ...]
) -> None:
    folder = tenant(tmp_path, closed=True)
    base = ["probe", domain, "--tenant", str(folder), "--offline", "--endpoint", "127.0.0.1:9"]
    assert main([*base, *more]) == 2


def test_nobody_there(tmp_path: Path, capsys: Any) -> None:
    folder = tenant(tmp_path, closed=True)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        code = main(
            ["probe", "northwind.example", "--tenant", str(folder), "--endpoint", f"127.0.0.1:{port}", "--offline"]
        )
    assert code == 4
    assert "no server was reached" in capsys.readouterr().err


@contextmanager
def server(behave: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that behaves so to everybody."""
    listener = socket.create_server(("127.0.0.1", 0))
    ending = threading.Event()

    def run() -> None:
        while not ending.is_set():
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                try:
                    behave(client)
                except OSError:
                    continue

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        ending.set()
        listener.close()


def chatter(client: socket.socket) -> None:
    for _ in range(100_000):
        client.sendall(b"220-and another thing\r\n")


def long_line(client: socket.socket) -> None:
    client.sendall(b"220 " + b"x" * 10_000_000)


def hang_up(client: socket.socket) -> None:
    client.sendall(b"220 hello\r\n")
    client.recv(100)


def escapes(client: socket.socket) -> None:
    client.sendall(b"554 \x1b[2J\x1b]0;owned\x07 \xe2\x80\xae go away\r\n")
    client.recv(100)


def nonsense(client: socket.socket) -> None:
    client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def injects(client: socket.socket) -> None:
    client.sendall(b"220 hi\r\n")
    client.recv(1000)
    client.sendall(b"250-x\r\n250 STARTTLS\r\n")
    client.recv(1000)
    client.sendall(b"220 go\r\n250 2.1.5 all accepted\r\n" * 3)
    client.recv(1000)


@pytest.mark.parametrize("behave", [chatter, long_line, hang_up, escapes, nonsense, injects])
def test_a_hostile_server_ends_in_an_answer_that_proves_nothing(
    tmp_path: Path, capsys: Any, behave: Callable[[socket.socket], None]
) -> None:
    folder = tenant(tmp_path, closed=True)
    with server(behave) as port:
        arguments = ["probe", "northwind.example", "--tenant", str(folder), "--endpoint", f"127.0.0.1:{port}"]
        code = main([*arguments, "--offline", "--pause", "0"])
    told = capsys.readouterr()
    assert code in {1, 4}
    assert "closed" not in told.out
    assert "\x1b" not in told.out + told.err
    assert "Traceback" not in told.err
