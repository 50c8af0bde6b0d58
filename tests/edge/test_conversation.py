"""The protocol machine by conversation (tests/data/edge/conversations.txt), whole and cut into any pieces."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidedoor.edge.door import Policy, SessionDoor
from sidedoor.edge.interface import Listener, Session, Transaction
from sidedoor.edge.log import NoLog
from sidedoor.edge.settings import Settings
from sidedoor.edge.smtp import SmtpMachine
from sidedoor.edge.smtp.events import Close, Event, Message
from sidedoor.edge.smtp.limits import Limits, Offer
from sidedoor.mail.domain import parse_domain
from sidedoor.mail.network import parse_ip
from sidedoor.mail.reply import Reply
from sidedoor.policy.rule import compile_rule
from sidedoor.tenant.snapshot import AcceptedDomain, DomainKind, TenantSnapshot

FILE = Path(__file__).parents[1] / "data" / "edge" / "conversations.txt"
NOW = datetime(2026, 11, 3, 8, 15, tzinfo=UTC)
DOMAIN = AcceptedDomain(parse_domain("contoso.example"), DomainKind.AUTHORITATIVE, False)
SETTINGS = Settings(compile_rule(TenantSnapshot((DOMAIN,), (), False)), NOW)
OFFER = Offer("mx.example", limits=replace(Limits(), message=153_600))
_ESCAPE = re.compile(r"\\(r|n|0|x[0-9a-f]{2})|\{(\d+)\}")


class Conversation(NamedTuple):
    """`steps`: ("C", octets) or ("S", beginning of a reply), ("S", None) for a closed connection."""

    title: str
    steps: list[tuple[str, bytes | None]]


def _octets(text: str) -> bytes:
    def one(match: re.Match[str]) -> str:
        if match[2]:
            return "x" * int(match[2])
        return {"r": "\r", "n": "\n", "0": "\0"}.get(match[1]) or chr(int(match[1][1:], 16))

    return _ESCAPE.sub(one, text).encode("latin-1")


def conversations() -> Iterator[Conversation]:
    for block in FILE.read_text(encoding="ascii").split("\n## ")[1:]:
        title, *lines = block.splitlines()
        steps: list[tuple[str, bytes | None]] = []
        for line in filter(None, lines):
            kind, _, rest = line.partition(" ")
            if kind == "S.":
                steps.append(("S", None))
            elif kind == "S:":
                steps.append(("S", rest.encode()))
            else:
                steps.append(("C", _octets(rest) + (b"\r\n" if kind == "C:" else b"")))
        yield Conversation(title, steps)


class Server:
    """A machine with a door, and a keeper that says 250; `said` and `kept` gather."""

    def __init__(self) -> None:
        policy = Policy("mx.example", lambda: SETTINGS, NoLog(), now=lambda: NOW)
        session = Session("0123456789abcdef", Listener.SMTP, parse_ip("203.0.113.10"), 4711)
        self.door = SessionDoor(policy, session)
        self.machine = SmtpMachine(OFFER, self.door)
        self.kept: list[Transaction] = []
        self.closed = False
        self.said = self.machine.data_to_send()

    def take(self, octets: bytes) -> None:
        events = self.machine.receive_data(octets)
        while events:
            events = [more for event in events for more in self._settle(event)]
        self.said += self.machine.data_to_send()

    def _settle(self, event: Event) -> list[Event]:
        if isinstance(event, Close):
            self.closed = True
            return []
        assert isinstance(event, Message)
        transaction = self.door.message(event.content)
        if isinstance(transaction, Reply):
            return self.machine.answer(transaction)
        self.kept.append(transaction)
        return self.machine.answer(Reply(250, "2.6.0", "kept"))


@pytest.mark.parametrize("conversation", list(conversations()), ids=lambda each: each.title)
def test_a_conversation(conversation: Conversation) -> None:
    server = Server()
    for kind, octets in conversation.steps:
        if kind == "C":
            assert octets is not None
            assert server.said == b"", "a reply that nobody expected"
            server.take(octets)
        elif octets is None:
            assert server.closed
        else:
            reply, _, server.said = server.said.partition(b"\r\n")
            assert reply.startswith(octets)


def _whole(octets: bytes) -> tuple[bytes, list[bytes], bool]:
    return _run([octets])


def _run(pieces: list[bytes]) -> tuple[bytes, list[bytes], bool]:
    server = Server()
    for piece in pieces:
        server.take(piece)
    return server.said, [each.content for each in server.kept], server.closed


@lru_cache
def _sent() -> tuple[bytes, ...]:
    return tuple(b"".join(octets or b"" for kind, octets in each.steps if kind == "C") for each in conversations())


_PARTS = st.sampled_from(
    [b"EHLO a", b"MAIL FROM:<a@far.example>", b"RCPT TO:<desk@contoso.example>", b"DATA", b"RSET", b"\r\n",
     b"\r\n.\r\n", b".", b"\r", b"\n", b"\0", b"x", b"QUIT", b"NOOP", b"AUTH PLAIN", b"STARTTLS",
     b"<", b">", b"\xff", b" "]
)  # fmt: skip
_STREAM = st.sampled_from(_sent()) | st.lists(_PARTS, max_size=40).map(b"".join) | st.binary(max_size=200)


@given(_STREAM, st.lists(st.integers(1, 60), max_size=80))
def test_pieces_make_no_difference(octets: bytes, sizes: list[int]) -> None:
    pieces, at = [], 0
    for size in sizes:
        pieces.append(octets[at : at + size])
        at += size
    assert _run([*pieces, octets[at:]]) == _whole(octets)


@given(st.lists(_PARTS, max_size=60).map(b"".join))
def test_what_is_kept_has_clean_line_ends(octets: bytes) -> None:
    _, kept, _ = _whole(b"HELO a\r\nMAIL FROM:<>\r\nRCPT TO:<desk@contoso.example>\r\nDATA\r\n" + octets)
    for content in kept:
        assert content.count(b"\r") == content.count(b"\n") == content.count(b"\r\n")
        assert b"\0" not in content


def test_dots_are_unstuffed() -> None:
    server = Server()
    server.take(b"HELO a\r\nMAIL FROM:<>\r\nRCPT TO:<desk@contoso.example>\r\nDATA\r\n..\r\n..a\r\nb.\r\n.\r\n")
    assert [each.content for each in server.kept] == [b".\r\n.a\r\nb.\r\n"]


LIMITS: list[tuple[bytes, int, Callable[[Server], bool]]] = [
    (b"XYZZY\r\n", 20, lambda server: server.closed),
    (b"NOOP\r\n", 100, lambda server: server.closed),
    (b"MAIL FROM:<a@far.example>\r\nRCPT TO:<x@elsewhere.example>\r\nRSET\r\n", 1_000, lambda server: server.closed),
]


@pytest.mark.parametrize(("line", "count", "ended"), LIMITS)
def test_patience_ends(line: bytes, count: int, ended: Callable[[Server], bool]) -> None:
    server = Server()
    server.take(b"EHLO a\r\n")
    server.take(line * (count - 1))
    assert not server.closed
    server.take(line * 2)
    assert ended(server)
    assert b"421 4.7.0" in server.said


def test_a_thousand_recipients_and_one() -> None:
    server = Server()
    server.take(b"EHLO a\r\nMAIL FROM:<a@far.example>\r\n")
    server.take(b"".join(b"RCPT TO:<u%d@contoso.example>\r\n" % number for number in range(1_001)))
    assert server.said.count(b"250 2.1.5") == 1_000
    assert server.said.count(b"452 4.5.3") == 1
