"""The milter by conversation: what Postfix sends, what it is told."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidedoor.edge.milter.server import serve_milter
from sidedoor.edge.milter.session import Asked, MilterSession
from sidedoor.edge.milter.wire import (
    ACCEPT,
    CONTINUE,
    Command,
    MilterError,
    Packet,
    Packets,
    add_header,
    answer,
    quarantine,
    reply,
)
from sidedoor.mail.reply import Reply
from sidedoor.policy.facts import ClientCertificate, Envelope, Tls

REFUSED = Reply(550, "5.7.68", "TenantInboundAttribution; Direct Send not allowed, 100% sure")
NEGOTIATE = Packet(Command.NEGOTIATE, struct.pack("!LLL", 6, 0x1FF, 0x1FFFFF))


@dataclass
class Recorder:
    """A door that refuses the recipients it is told to, and keeps what it was asked."""

    refuse: set[str] = field(default_factory=set)
    asked: list[tuple[Asked, Envelope]] = field(default_factory=list)
    ended: list[Asked] = field(default_factory=list)
    broken_off: int = 0

    def recipient(self, asked: Asked, envelope: Envelope) -> Reply | None:
        self.asked.append((asked, envelope))
        return REFUSED if str(envelope.recipient) in self.refuse else None

    def message(self, asked: Asked) -> Sequence[bytes]:
        self.ended.append(asked)
        return (add_header("X-Seen", "yes"), quarantine("rule\0name"), CONTINUE)

    def abandoned(self) -> None:
        self.broken_off += 1


def fields(command: Command, *values: str) -> Packet:
    return Packet(command, "".join(f"{value}\0" for value in values).encode("utf-8", "surrogateescape"))


def macro(stage: bytes, **values: str) -> Packet:
    return Packet(Command.MACRO, stage + "".join(f"{{{name}}}\0{value}\0" for name, value in values.items()).encode())


def connect(ip: str = "203.0.113.10", family: bytes = b"4") -> Packet:
    return Packet(Command.CONNECT, b"host\0" + family + struct.pack("!H", 4711) + ip.encode() + b"\0")


def told(session: MilterSession, *packets: Packet) -> list[bytes]:
    return [given for packet in packets for given in session.receive(packet)]


def test_a_message_from_beginning_to_end() -> None:
    door = Recorder({"b@contoso.com"})
    session = MilterSession(door)
    answers = told(
        session, NEGOTIATE, connect(), fields(Command.HELO, "MFP-HQ3"), macro(b"M", i="4Xyz"),
        fields(Command.MAIL, "<scan@contoso.com>", "SIZE=100"), fields(Command.RECIPIENT, "<a@contoso.com>"),
        fields(Command.RECIPIENT, "<b@contoso.com>"), fields(Command.HEADER, "From", "Scanner <Scan@Contoso.com>"),
        Packet(Command.END_OF_HEADER, b""), Packet(Command.END_OF_MESSAGE, b""),
    )  # fmt: skip
    assert answers[0][4:5] == b"O"
    assert answers[1:5] == [CONTINUE] * 4
    assert answers[5] == reply(REFUSED)
    assert answers[6:8] == [CONTINUE] * 2
    assert answers[8:] == [add_header("X-Seen", "yes"), answer(b"q", b"rule name\0"), CONTINUE]
    asked, envelope = door.asked[0]
    assert str(asked.connection.client_ip) == "203.0.113.10"
    assert asked.connection.helo == "MFP-HQ3"
    assert asked.connection.tls is None
    assert asked.connection.authenticated_as is None
    assert str(envelope.envelope_sender) == "scan@contoso.com"
    assert door.ended[0].recipients == ["<a@contoso.com>"]
    assert door.ended[0].header_from == "scan@contoso.com"
    assert door.ended[0].queue_id == "4Xyz"


def test_what_postfix_tells_of_tls_and_logins() -> None:
    door = Recorder()
    session = MilterSession(door)
    told(
        session, NEGOTIATE, macro(b"C", j="edge.example"), connect("IPv6:2001:db8::1", b"6"),
        macro(b"H", tls_version="TLSv1.3", cipher="x", cert_subject="mail.contoso.com"), fields(Command.HELO, "x"),
        macro(b"M", auth_authen="alice"), fields(Command.MAIL, "<>"), fields(Command.RECIPIENT, "<a@contoso.com>"),
    )  # fmt: skip
    connection = door.asked[0][0].connection
    assert connection.tls == Tls("TLS1.3", ClientCertificate("mail.contoso.com"))
    assert connection.authenticated_as == "alice"
    assert str(connection.client_ip) == "2001:db8::1"


def test_mail_of_the_server_itself_is_none_of_ours() -> None:
    door = Recorder()
    packets = (connect("/run/x", b"L"), fields(Command.MAIL, "<a@contoso.com>"), fields(Command.RECIPIENT, "<b@x.org>"))
    assert told(MilterSession(door), *packets, Packet(Command.END_OF_MESSAGE, b"")) == [
        CONTINUE,
        ACCEPT,
        ACCEPT,
        ACCEPT,
    ]
    assert door.asked == []


def test_one_client_after_another_and_messages_broken_off() -> None:
    door = Recorder()
    session = MilterSession(door)
    told(session, NEGOTIATE, macro(b"C", auth_authen="alice"), connect(), fields(Command.MAIL, "<a@contoso.com>"))
    told(session, Packet(Command.ABORT, b""), fields(Command.MAIL, "<b@contoso.com>"))
    told(session, fields(Command.RECIPIENT, "<x@contoso.com>"), Packet(Command.NEXT_CLIENT, b""))
    told(session, connect("192.0.2.1"), fields(Command.MAIL, "<c@contoso.com>"), fields(Command.RECIPIENT, "<x@y.org>"))
    senders = [str(envelope.envelope_sender) for _, envelope in door.asked]
    assert senders == ["b@contoso.com", "c@contoso.com"]
    assert [asked.connection.authenticated_as for asked, _ in door.asked] == ["alice", None]


def test_a_malformed_address_is_refused_by_itself() -> None:
    (refusal,) = told(
        MilterSession(Recorder()), connect(), fields(Command.MAIL, "<a@contoso.com>"), fields(Command.RECIPIENT, "<@@>")
    )[2:]
    assert refusal[4:8] == b"y553"


def test_octets_from_hostile_clients_are_only_octets() -> None:
    door = Recorder()
    session = MilterSession(door)
    told(
        session,
        connect(),
        Packet(Command.HELO, b"\xff\xfe" + b"x" * 300 + b"\0"),
        fields(Command.MAIL, "<a@contoso.com>"),
    )
    told(session, fields(Command.RECIPIENT, "<b@contoso.com>"))
    for _ in range(5_000):
        told(session, fields(Command.HEADER, "X", "y" * 100))
    told(session, fields(Command.HEADER, "Big", "z" * 200_000), Packet(Command.END_OF_MESSAGE, b""))
    assert len(door.ended[0].headers) == 1_000


@pytest.mark.parametrize(
    "data",
    [
        b"\0\0\0\0x",
        b"\xff\xff\xff\xffO",
        b"\0\0\0\1?",
        answer(b"O", b"\0" * 5),
        answer(b"O", struct.pack("!LLL", 2, 0, 0)),
    ],
)
def test_what_is_no_milter_client_is_turned_away(data: bytes) -> None:
    session = MilterSession(Recorder())
    with pytest.raises(MilterError):
        [list(session.receive(packet)) for packet in Packets().feed(data)]


@given(st.lists(st.tuples(st.sampled_from(Command), st.binary(max_size=60)), max_size=12), st.data())
def test_packets_come_out_whatever_the_pieces(packets: list[tuple[Command, bytes]], data: st.DataObject) -> None:
    stream = b"".join(answer(command.value, content) for command, content in packets)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    reader, found = Packets(), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += list(reader.feed(stream[start:end]))
    assert found == [Packet(command, content) for command, content in packets]


@given(st.lists(st.tuples(st.sampled_from(Command), st.binary(max_size=80)), max_size=15))
def test_any_packets_give_answers_or_our_error(packets: list[tuple[Command, bytes]]) -> None:
    session = MilterSession(Recorder())
    try:
        for command, content in packets:
            assert all(isinstance(given, bytes) for given in session.receive(Packet(command, content)))
    except MilterError:
        return


def test_a_fault_in_the_door_is_a_temporary_failure() -> None:
    class Broken(Recorder):
        def recipient(self, asked: Asked, envelope: Envelope) -> Reply | None:
            raise RuntimeError("a fault")

    async def run() -> bytes:
        server = await serve_milter("127.0.0.1", 0, Broken)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        for packet in (
            connect(),
            fields(Command.MAIL, "<a@contoso.com>"),
            fields(Command.RECIPIENT, "<b@contoso.com>"),
        ):
            writer.write(answer(packet.command.value, packet.data))
        given = await reader.readexactly(15)
        writer.write(answer(b"Q"))
        assert await reader.read() == b""
        writer.close()
        server.close()
        return given

    assert asyncio.run(run()) == CONTINUE + CONTINUE + answer(b"t")
