"""Delivery against a real SMTP server on the loopback, and the notices for what fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP as SmtpServer  # noqa: N811

from sidedoor.edge.delivery.courier import Courier
from sidedoor.edge.delivery.notice import failure_notice
from sidedoor.edge.delivery.schedule import Schedule
from sidedoor.edge.delivery.smtp import NextHop, SmtpTransport, Tls
from sidedoor.edge.delivery.transport import all_alike, fate_of, reply_text
from sidedoor.edge.spool.model import Delivery, Fate, Kept, Outcome
from sidedoor.edge.spool.spool import Spool

NOW = datetime(2026, 11, 3, 8, 15, tzinfo=UTC)
CONTENT = b"Subject: x\r\n\r\n.leading dot\r\n..two\r\n8 bit: \xc3\xa4\r\n"


def kept(name: str = "m1", *recipients: str, sender: str = "scan@contoso.com", at: datetime = NOW) -> Kept:
    return Kept(name, at, sender, recipients or ("a@contoso.com",), CONTENT)


@dataclass
class Hop:
    """A next hop: `refuse` maps a recipient (or "data") to its reply."""

    refuse: dict[str, str] = field(default_factory=dict)
    got: list[tuple[str, list[str], bytes]] = field(default_factory=list)
    port: int = 0

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if "data" in self.refuse:
            return self.refuse["data"]
        self.got.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
        return "250 2.0.0 taken"


@asynccontextmanager
async def listening(hop: Hop, kind: type[SmtpServer] = SmtpServer) -> AsyncIterator[Hop]:
    server = await asyncio.get_running_loop().create_server(
        lambda: kind(hop, hostname="hop.example", enable_SMTPUTF8=False), "127.0.0.1", 0
    )
    hop.port = server.sockets[0].getsockname()[1]
    try:
        yield hop
    finally:
        server.close()


def delivered(hop: Hop, *recipients: str, kind: type[SmtpServer] = SmtpServer, **changes: Any) -> Sequence[Outcome]:
    """Deliver one message to `hop`."""

    async def run() -> Sequence[Outcome]:
        async with listening(hop, kind):
            transport = SmtpTransport(NextHop("127.0.0.1", hop.port, Tls.NONE, **changes))
            message = kept("m1", *recipients)
            return await transport.deliver(Delivery(message, message.recipients, 0))

    return asyncio.run(run())


def test_the_octets_arrive_unchanged() -> None:
    hop = Hop()
    [outcome] = delivered(hop)
    assert outcome == Outcome("a@contoso.com", Fate.DELIVERED, "250 2.0.0 taken")
    assert hop.got == [("scan@contoso.com", ["a@contoso.com"], CONTENT)]


def test_one_refused_recipient_does_not_stop_the_others() -> None:
    hop = Hop({"b@contoso.com": "550 5.1.1 nobody", "c@contoso.com": "451 4.2.1 busy"})
    outcomes = {one.recipient: one for one in delivered(hop, "a@contoso.com", "b@contoso.com", "c@contoso.com")}
    assert {name: one.fate for name, one in outcomes.items()} == {
        "a@contoso.com": Fate.DELIVERED, "b@contoso.com": Fate.FAILED, "c@contoso.com": Fate.DEFERRED,
    }  # fmt: skip
    assert outcomes["b@contoso.com"].reply == "550 5.1.1 nobody"
    assert [recipients for _, recipients, _ in hop.got] == [["a@contoso.com"]]


@pytest.mark.parametrize(("reply", "fate"), [("554 5.7.1 no", Fate.FAILED), ("452 4.3.1 full", Fate.DEFERRED)])
def test_the_reply_to_the_data_is_that_of_all(reply: str, fate: Fate) -> None:
    outcomes = delivered(Hop({"data": reply}), "a@contoso.com", "b@contoso.com")
    assert [(one.fate, one.reply) for one in outcomes] == [(fate, reply)] * 2


def test_lmtp_greets_and_answers_for_each() -> None:
    hop = Hop({"b@contoso.com": "550 5.1.1 nobody"})
    outcomes = delivered(hop, "a@contoso.com", "b@contoso.com", kind=LMTP, lmtp=True)
    assert [one.fate for one in outcomes] == [Fate.DELIVERED, Fate.FAILED]


def test_nobody_there_is_worth_another_try() -> None:
    transport = SmtpTransport(NextHop("127.0.0.1", 1, Tls.NONE))
    [outcome] = asyncio.run(transport.deliver(Delivery(kept(), ("a@contoso.com",), 0)))
    assert outcome.fate is Fate.DEFERRED
    assert outcome.reply.startswith("451 4.4.1")


def test_required_tls_that_is_not_offered_defers() -> None:
    async def run() -> Sequence[Outcome]:
        async with listening(Hop()) as hop:
            transport = SmtpTransport(NextHop("127.0.0.1", hop.port, Tls.VERIFIED))
            return await transport.deliver(Delivery(kept(), ("a@contoso.com",), 0))

    [outcome] = asyncio.run(run())
    assert outcome.fate is Fate.DEFERRED


def test_a_login_is_never_sent_in_the_clear() -> None:
    with pytest.raises(ValueError, match="verified TLS"):
        NextHop("smtp.office365.com", 587, Tls.OFFERED, user="a", password="b")


@pytest.mark.parametrize(
    ("code", "fate"), [(250, Fate.DELIVERED), (421, Fate.DEFERRED), (550, Fate.FAILED), (354, Fate.DEFERRED)]
)
def test_fates(code: int, fate: Fate) -> None:
    assert fate_of(code) is fate


def test_a_reply_is_one_bounded_line() -> None:
    assert reply_text(550, "a\r\nb\x1b[31m" + "c" * 1000).startswith("550 a b [31mccc")
    assert len(reply_text(550, "c" * 1000)) == 500


# The courier


@dataclass
class Failing:
    """A transport with a list of what to answer: a fate, or an exception."""

    answers: list[Fate | Exception]
    asked: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)

    async def deliver(self, delivery: Delivery) -> Sequence[Outcome]:
        self.asked.append((delivery.message.id, delivery.recipients))
        answer = self.answers.pop(0) if self.answers else Fate.DELIVERED
        if isinstance(answer, Exception):
            raise answer
        code = {Fate.DELIVERED: "250 ok", Fate.DEFERRED: "451 4.2.0 later", Fate.FAILED: "550 5.1.1 no"}[answer]
        return all_alike(delivery.recipients, answer, code)

    async def close(self) -> None: ...


@dataclass
class Clock:
    """A clock that a test sets."""

    moment: datetime = NOW

    def __call__(self) -> datetime:
        return self.moment


def courier_run(tmp_path: Path, transport: Failing, messages: Sequence[Kept], steps: Sequence[timedelta]) -> list[Kept]:
    """Keep `messages`, run the courier once after each step of the clock, and return what is left in the spool."""

    async def run() -> list[Kept]:
        clock = Clock()
        spool = Spool(tmp_path / "spool.db")
        courier = Courier(spool, transport, "edge.example", now=clock)
        for message in messages:
            await spool.keep([message])
        for step in (timedelta(), *steps):
            clock.moment += step
            await courier._start_due()
            await courier.drain()
        left = [delivery.message for delivery in await spool.due(NOW + timedelta(days=99), 100)]
        await spool.close()
        return left

    return asyncio.run(run())


def test_what_is_delivered_is_gone(tmp_path: Path) -> None:
    transport = Failing([])
    assert courier_run(tmp_path, transport, [kept("m1"), kept("m2")], []) == []
    assert sorted(name for name, _ in transport.asked) == ["m1", "m2"]


def test_what_is_deferred_is_tried_again_when_it_is_due_and_not_before(tmp_path: Path) -> None:
    transport = Failing([Fate.DEFERRED, RuntimeError("a fault"), Fate.DELIVERED])
    steps = [timedelta(seconds=30), timedelta(seconds=31), timedelta(minutes=4), timedelta(minutes=2)]
    assert courier_run(tmp_path, transport, [kept()], steps) == []
    assert len(transport.asked) == 3


def test_what_fails_is_told_to_its_sender_once(tmp_path: Path) -> None:
    left = courier_run(tmp_path, Failing([Fate.FAILED, Fate.FAILED]), [kept()], [])
    [notice] = left
    assert (notice.envelope_sender, notice.recipients) == ("", ("scan@contoso.com",))


def test_a_notice_that_fails_is_told_to_nobody(tmp_path: Path) -> None:
    assert courier_run(tmp_path, Failing([Fate.FAILED]), [kept(sender="")], []) == []


def test_what_was_tried_for_days_is_given_up(tmp_path: Path) -> None:
    transport = Failing([Fate.DEFERRED] * 3)
    [notice] = courier_run(tmp_path, transport, [kept()], [timedelta(days=1), timedelta(days=4)])
    assert b"given up" in notice.content


def test_the_courier_waits_and_wakes(tmp_path: Path) -> None:
    async def run() -> list[tuple[str, tuple[str, ...]]]:
        transport = Failing([])
        spool = Spool(tmp_path / "spool.db")
        task = asyncio.create_task(Courier(spool, transport, "edge.example").run())
        await asyncio.sleep(0.05)
        await spool.keep([Kept("m1", datetime.now(UTC), "s@contoso.com", ("a@contoso.com",), CONTENT)])
        for _ in range(100):
            if transport.asked:
                break
            await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await spool.close()
        return transport.asked

    assert asyncio.run(run()) == [("m1", ("a@contoso.com",))]


def test_the_schedule_grows_and_ends() -> None:
    schedule = Schedule()
    waits = [schedule.next_attempt(NOW, attempts) - NOW for attempts in range(1, 12)]
    assert waits == sorted(waits)
    assert waits[-1] == timedelta(hours=4)
    assert not schedule.expired(NOW, NOW + timedelta(days=4, hours=23))
    assert schedule.expired(NOW, NOW + timedelta(days=5))


# Notices


def test_a_notice_is_a_delivery_status_notification() -> None:
    failed = [Outcome("a@contoso.com", Fate.FAILED, "550 5.7.68 TenantInboundAttribution; no")]
    notice = failure_notice("n1", kept("m1"), failed, "edge.example", NOW)
    assert notice is not None
    parsed = message_from_bytes(notice.content, policy=default)
    assert parsed.get_content_type() == "multipart/report"
    assert parsed.get_param("report-type") == "delivery-status"
    assert parsed["Auto-Submitted"] == "auto-replied"
    text, status, header = parsed.iter_parts()
    assert "a@contoso.com" in text.get_content()
    assert b"Status: 5.7.68" in status.as_bytes()
    assert b"Final-Recipient: rfc822; a@contoso.com" in status.as_bytes()
    assert b"Subject: x" in header.as_bytes()
    assert b"leading dot" not in notice.content


def test_nobody_is_told_of_nothing() -> None:
    assert failure_notice("n1", kept(), [], "edge.example", NOW) is None
    assert failure_notice("n1", kept(sender=""), [Outcome("a", Fate.FAILED, "550")], "edge.example", NOW) is None


def test_a_hostile_header_stays_in_its_part() -> None:
    message = Kept("m1", NOW, "s@contoso.com", ("a@contoso.com",), b"Subject: \x00\xff" + b"x" * 200_000 + b"\r\n\r\nb")
    notice = failure_notice("n1", message, [Outcome("a@contoso.com", Fate.FAILED, "550 5.1.1")], "edge.example", NOW)
    assert notice is not None
    assert len(notice.content) < 100_000
    assert len(list(message_from_bytes(notice.content, policy=default).iter_parts())) == 3
