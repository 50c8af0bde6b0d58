"""The milter by conversation: what Postfix sends, what it is told."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidedoor.edge.milter.server import MilterServer
from sidedoor.edge.milter.session import Asked, Budget, MilterSession
from sidedoor.edge.milter.wire import (
    ACCEPT,
    CONTINUE,
    TEMPORARY_FAILURE,
    Command,
    MilterError,
    Packet,
    Packets,
    add_header,
    answer,
    quarantine,
    reply,
)
from sidedoor.mail.address import Address, parse_address
from sidedoor.mail.fact import Unknown
from sidedoor.mail.reply import Reply
from sidedoor.policy.facts import ClientCertificate, Envelope, Tls
from tests.edge.milter_kit import ABORT, END, NEGOTIATE, POSTFIX, Wire, connect, fields, header, macro, mail, told

REFUSED = Reply(550, "5.7.68", "TenantInboundAttribution; Direct Send not allowed, 100% sure")


@dataclass
class Recorder:
    """A door that refuses the recipients it is told to, and keeps what it was asked."""

    refuse: set[str] = field(default_factory=set)
    asked: list[tuple[Asked, Envelope]] = field(default_factory=list)
    ended: list[Asked] = field(default_factory=list)
    broken_off: int = 0
    bodies: bool = False

    def reads_bodies(self) -> bool:
        return self.bodies

    def postmaster(self) -> Address | None:
        return parse_address("postmaster@contoso.com")

    def recipient(self, asked: Asked, envelope: Envelope) -> Reply | None:
        self.asked.append((asked, envelope))
        return REFUSED if str(envelope.recipient) in self.refuse else None

    def message(self, asked: Asked) -> Sequence[bytes]:
        self.ended.append(asked)
        return (add_header("X-Seen", "yes"), quarantine("rule\0name"), CONTINUE)

    def abandoned(self) -> None:
        self.broken_off += 1


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
    assert door.ended[0].header == b"From: Scanner <Scan@Contoso.com>\r\n"
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
    packets = (connect("/run/x", b"L"), *mail("<a@contoso.com>", "<b@x.org>"), END)
    assert told(MilterSession(door), *packets) == [CONTINUE, CONTINUE, ACCEPT, ACCEPT]
    assert door.asked == []


def test_what_is_only_listened_to_has_no_answer() -> None:
    door = Recorder(bodies=True)
    session = MilterSession(door)
    hello = fields(Command.HELO, "MFP-HQ3")
    told(session, POSTFIX)
    assert told(session, connect(), hello, *mail("<a@contoso.com>", "<b@x.org>")) == [CONTINUE]  # to the recipient
    assert told(session, *header(Subject="x"), Packet(Command.BODY, b"x"), END)[-1] == CONTINUE
    assert len(door.ended) == 1


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
    hello = Packet(Command.HELO, b"\xff\xfe" + b"x" * 300 + b"\0")
    session = MilterSession(door)
    told(session, connect(), hello, *mail("<a@contoso.com>", "<b@contoso.com>"))
    for _ in range(5_000):
        told(session, fields(Command.HEADER, "X", "y" * 100))
    told(session, fields(Command.HEADER, "Big", "z" * 200_000), END)
    assert 256 * 1024 < len(door.ended[0].header) < 600 * 1024  # enough to be refused as too big, and no more


def test_the_milter_names_the_macros_it_needs() -> None:
    (given,) = told(MilterSession(Recorder()), NEGOTIATE)
    assert struct.unpack("!LLL", given[5:17])[1] & 0x100
    assert b"\0\0\0\1{tls_version} {cipher} {cert_subject} {cert_issuer}\0" in given
    older = Packet(Command.NEGOTIATE, struct.pack("!LLL", 6, 0x3F, 0x37F))
    (given,) = told(MilterSession(Recorder()), older)
    assert given == answer(b"O", struct.pack("!LLL", 6, 0x3D, 0x310))


@pytest.mark.parametrize(
    ("told_of_tls", "expected"),
    [
        ({"cert_subject": "mail.contoso.com", "cert_issuer": "CA"}, ClientCertificate("mail.contoso.com")),
        ({"cert_subject": "", "cert_issuer": "CA"}, ClientCertificate(None)),  # verified, all its names elsewhere
        ({"cert_issuer": "CA"}, ClientCertificate(None)),
        ({}, None),  # none, or one that does not verify
    ],
)
def test_which_certificate_postfix_tells(told_of_tls: dict[str, str], expected: ClientCertificate | None) -> None:
    door = Recorder()
    hello = macro(b"H", tls_version="TLSv1.2", cipher="x", **told_of_tls)
    told(MilterSession(door), NEGOTIATE, connect(), hello, *mail("<a@contoso.com>", "<b@contoso.com>"))
    assert door.asked[0][0].connection.tls == Tls("TLS1.2", expected)


def test_a_login_that_is_told_no_more_is_gone() -> None:
    door = Recorder()
    session = MilterSession(door)
    told(session, NEGOTIATE, macro(b"C", j="mx"), connect(), macro(b"M", auth_authen="alice", mail_addr="a@x"))
    told(session, *mail("<a@contoso.com>", "<b@contoso.com>"), ABORT)  # and then STARTTLS, which forgets it
    told(session, macro(b"M", mail_addr="a@x"), *mail("<a@contoso.com>", "<b@contoso.com>"))
    assert [asked.connection.authenticated_as for asked, _ in door.asked] == ["alice", None]


def test_a_client_without_an_address_is_unknown_and_not_our_own() -> None:
    door = Recorder()
    session = MilterSession(door)
    unknown = Packet(Command.CONNECT, b"unknown\0U")
    assert told(session, unknown, *mail("<a@contoso.com>", "<b@contoso.com>")) == [CONTINUE] * 3
    assert isinstance(door.asked[0][0].connection.client_ip, Unknown)


@pytest.mark.parametrize(
    "packet", [fields(Command.RECIPIENT, "<a@contoso.com>"), END, fields(Command.HEADER, "a", "b")]
)
def test_nothing_passes_that_did_not_begin_with_mail(packet: Packet) -> None:
    session = MilterSession(Recorder())
    told(session, NEGOTIATE, connect())
    with pytest.raises(MilterError):
        session.receive(packet)


def test_postmaster_needs_no_domain() -> None:
    door = Recorder()
    told(MilterSession(door), connect(), *mail("<a@x.org>", "<Postmaster>"))
    assert str(door.asked[0][1].recipient) == "postmaster@contoso.com"


def test_bodies_are_read_where_they_are_wanted_up_to_a_bound() -> None:
    door = Recorder(bodies=True)
    session = MilterSession(door)
    (given,) = told(session, NEGOTIATE)
    assert not struct.unpack("!LLL", given[5:17])[2] & 0x10
    pieces = [Packet(Command.BODY, b"x" * 1_000), Packet(Command.BODY, b"y" * 10)]
    told(session, connect(), *mail("<a@contoso.com>", "<b@contoso.com>"), *pieces, Packet(Command.END_OF_MESSAGE, b"z"))
    assert door.ended[0].body == bytearray(b"x" * 1_000 + b"y" * 10 + b"z")
    many = [Packet(Command.BODY, b"x" * 1_000_000)] * 25
    told(session, *mail("<a@contoso.com>", "<b@contoso.com>"), *many, END)
    assert isinstance(door.ended[1].body, Unknown)


def test_where_memory_is_short_messages_come_again() -> None:
    door, budget = Recorder(bodies=True), Budget(1_500)
    session, other = MilterSession(door, budget), MilterSession(door, budget)
    for each in (session, other):
        told(each, NEGOTIATE, connect(), *mail("<a@contoso.com>", "<b@contoso.com>"))
        told(each, Packet(Command.BODY, b"x" * 1_000))
    assert told(other, END) == [TEMPORARY_FAILURE]
    assert told(session, END)[-1] == CONTINUE
    assert (budget.left, door.broken_off, len(door.ended)) == (1_500, 1, 1)
    told(other, *mail("<a@contoso.com>", "<b@contoso.com>"), Packet(Command.BODY, b"x" * 1_000))
    other.close()
    assert budget.left == 1_500


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
        told(session, *Packets().feed(data))


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
    session = MilterSession(Recorder(bodies=True))
    try:
        for command, content in packets:
            assert all(isinstance(given, bytes) for given in told(session, Packet(command, content)))
    except MilterError:
        return


def test_a_fault_in_the_door_is_a_temporary_failure() -> None:
    class Broken(Recorder):
        def recipient(self, asked: Asked, envelope: Envelope) -> Reply | None:
            raise RuntimeError("a fault")

    async def run() -> list[bytes]:
        server = MilterServer(Broken)
        await server.start("127.0.0.1", 0)
        client = await Wire.open(server.port)
        await client.say(connect(), *mail("<a@contoso.com>", "<b@contoso.com>"))
        given = await client.hear(3)
        await client.say(Packet(Command.QUIT, b""))
        assert await client.reader.read() == b""
        client.close()
        await server.close()
        return given

    assert asyncio.run(run()) == [CONTINUE, CONTINUE, TEMPORARY_FAILURE]


async def _one_message(port: int, number: int) -> bytes:
    client = await Wire.open(port)
    await client.say(NEGOTIATE, connect(f"203.0.113.{number % 250}"), *mail(f"<s{number}@contoso.com>", "<a@x.org>"))
    await client.hear(4)
    await asyncio.sleep(0.05)  # so that all are open at once
    await client.say(*header(Subject=str(number)), END)
    given = await client.hear(5)
    client.close()
    return given[-1]


def test_200_clients_at_once_and_slow_ones_and_one_that_is_gone() -> None:
    door = Recorder()

    async def run() -> list[bytes]:
        server = MilterServer(lambda: door)
        await server.start("127.0.0.1", 0)
        slow = await Wire.open(server.port)
        slow.writer.write(b"\0\0")  # half a length, and then nothing
        gone = await Wire.open(server.port)
        await gone.say(NEGOTIATE, connect(), *mail("<gone@contoso.com>", "<a@x.org>"))
        await gone.hear(4)
        gone.writer.transport.abort()
        stranger = await Wire.open(server.port)
        stranger.writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert await stranger.reader.read() == b""
        given = await asyncio.gather(*(_one_message(server.port, number) for number in range(200)))
        await server.close()
        assert await slow.reader.read() == b""
        return given

    assert asyncio.run(run()) == [CONTINUE] * 200
    assert len(door.ended) == 200
    assert door.broken_off == 1
