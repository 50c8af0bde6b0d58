"""Transactions of the server in the spool."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from sidedoor.edge.interface import Listener, Recipient, Session, Transaction
from sidedoor.edge.spool.keeper import NO_ROOM, SpoolKeeper
from sidedoor.edge.spool.spool import Spool
from sidedoor.mail.address import NULL_REVERSE_PATH, Address, EnvelopeSender, parse_address
from sidedoor.mail.network import parse_ip
from sidedoor.mail.reply import Reply
from sidedoor.policy.decision import Certainty, Decision, Step, Submission, Verdict

NOW = datetime(2026, 11, 3, 8, 15, tzinfo=UTC)
TAKEN = Reply(250, "2.1.5", "Recipient OK")
DECISION = Decision(Verdict.ACCEPT, TAKEN, Submission.DIRECT_SEND, Step.ACCEPTED, Certainty.DOCUMENTED)


def transaction(name: str, sender: EnvelopeSender, *recipients: str) -> Transaction:
    session = Session("0123456789abcdef", Listener.SMTP, parse_ip("203.0.113.10"), 4711)
    taken = tuple(Recipient(parse_address(address), DECISION, TAKEN, NOW) for address in recipients)
    return Transaction(name, session, sender, taken, (), b"Subject: x\r\n\r\nbody\r\n", NOW)


def stamp(_: Transaction) -> bytes:
    return b"Received: from x by edge.example; now\r\n"


def test_a_transaction_is_in_the_spool_when_250_is_said(tmp_path: Path) -> None:
    async def run() -> None:
        spool = Spool(tmp_path / "spool.db")
        keeper = SpoolKeeper(spool, stamp)
        sender = Address("scan", parse_address("scan@contoso.com").domain)
        reply = await keeper.keep(transaction("t1", sender, "a@contoso.com", "b@contoso.com"))
        assert (reply.code, "t1" in reply.text) == (250, True)
        await keeper.keep(transaction("t2", NULL_REVERSE_PATH, "a@contoso.com"))
        first, second = await spool.due(NOW, 10)
        assert first.message.envelope_sender == "scan@contoso.com"
        assert first.recipients == ("a@contoso.com", "b@contoso.com")
        assert first.message.content.startswith(b"Received: from x")
        assert first.message.content.endswith(b"body\r\n")
        assert second.message.envelope_sender == ""
        await spool.close()

    asyncio.run(run())


def test_what_cannot_be_kept_is_for_later(tmp_path: Path) -> None:
    async def run() -> None:
        spool = Spool(tmp_path / "spool.db")
        keeper = SpoolKeeper(spool, stamp)
        await keeper.keep(transaction("t1", NULL_REVERSE_PATH, "a@contoso.com"))
        assert await keeper.keep(transaction("t1", NULL_REVERSE_PATH, "a@contoso.com")) == NO_ROOM
        assert await spool.count() == 1
        await spool.close()

    asyncio.run(run())
