"""What is done with a message between its last dot and 250."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email import message_from_bytes
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidedoor.edge.interface import Action, Listener, Receipt, Recipient, Session, Transaction
from sidedoor.edge.reception.authenticator import Authenticator
from sidedoor.edge.reception.keeper import NO_ROOM, Reception
from sidedoor.edge.reception.stamps import Marks, firewall
from sidedoor.edge.reception.treatment import Rules, Treatment, plain
from sidedoor.edge.spool.model import Delivery, Quarantined, SpoolError
from sidedoor.edge.spool.spool import Spool
from sidedoor.edge.spool.store import Store
from sidedoor.mail.address import NULL_REVERSE_PATH, EnvelopeSender, parse_address
from sidedoor.mail.network import parse_ip
from sidedoor.mail.reply import Reply
from sidedoor.mailauth.memory import MemoryResolver
from sidedoor.policy.decision import Certainty, Decision, Step, Submission, Verdict

NOW = datetime(2026, 11, 3, 8, 15, tzinfo=UTC)
TAKEN = Reply(250, "2.1.5", "Recipient OK")
REFUSED = Reply(550, "5.7.1", "Not today")
DIRECT = Decision(Verdict.ACCEPT, TAKEN, Submission.DIRECT_SEND, Step.ACCEPTED, Certainty.DOCUMENTED, would_reject=True)
INTERNET = replace(DIRECT, submission=Submission.INTERNET, would_reject=False)
CONTENT = b"From: scan@contoso.com\r\nTo: a@contoso.com\r\nSubject: x\r\n\r\nbody\r\n"
DNS = MemoryResolver(
    {"contoso.com": {"TXT": ["v=spf1 ip4:192.0.2.0/24 -all"]}, "_dmarc.contoso.com": {"TXT": ["v=DMARC1; p=reject"]}}
)


def recipient(address: str, decision: Decision = DIRECT, *, relayed: bool = False) -> Recipient:
    return Recipient(parse_address(address), decision, TAKEN, NOW, relayed)


def transaction(*recipients: Recipient, content: bytes = CONTENT, sender: EnvelopeSender | None = None) -> Transaction:
    session = Session(
        "0123456789abcdef", Listener.SMTP, parse_ip("203.0.113.10"), 4711, helo="[192.0.2.7]", extended=True
    )
    who = sender if sender is not None else parse_address("scan@contoso.com")
    return Transaction("t1", session, who, recipients, (), content, NOW, "scan@contoso.com")


@dataclass(frozen=True)
class ByName:
    """Rules that treat recipients by their local part."""

    def treat(self, transaction: Transaction, content: bytes, shown: bytes, now: datetime) -> Sequence[Treatment]:
        return [self._treat(each, content) for each in transaction.recipients]

    @staticmethod
    def _treat(each: Recipient, content: bytes) -> Treatment:
        kind = each.address.local
        if kind == "hold":
            return replace(plain(each, content, Action.QUARANTINE), why="rule Hold", rules=("Hold",))
        if kind == "no":
            return replace(plain(each, content, Action.REJECT), reply=REFUSED, rules=("No",))
        if kind == "gone":
            return plain(each, content, Action.DELETE)
        if kind == "copy":
            return replace(plain(each, b"X-Copied: yes\r\n" + content), to=(str(each.address), "archive@contoso.com"))
        return plain(each, content)


@dataclass(frozen=True)
class After:
    """What lies in the spool afterwards."""

    receipt: Receipt
    due: list[Delivery]
    held: list[Quarantined]


def receive(
    folder: Path,
    given: Transaction,
    *,
    marks: Marks = Marks.TWIN,
    rules: Callable[[], Rules | None] = lambda: None,
    check: bool = False,
) -> After:
    """Let a reception keep it."""
    path = folder / "spool.db"

    async def run() -> tuple[Receipt, list[Delivery]]:
        spool = Spool(path)
        authenticator = Authenticator(lambda: DNS) if check else None
        try:
            receipt = await Reception(spool, "edge.example", marks, rules, authenticator).keep(given)
            return receipt, await spool.due(NOW.replace(year=2027), 10)
        finally:
            await spool.close()

    receipt, due = asyncio.run(run())
    store = Store(path)
    try:
        return After(receipt, due, list(store.quarantine()))
    finally:
        store.close()


def test_the_twin_shows_what_exchange_online_would(tmp_path: Path) -> None:
    after = receive(tmp_path, transaction(recipient("a@contoso.com")), check=True)
    message = message_from_bytes(after.due[0].message.content)
    assert message["X-MS-Exchange-Organization-AuthAs"] == "Anonymous"
    assert message["X-MS-Exchange-Organization-IsAnonymousDirectSend"] == "True"
    assert "Ip=[203.0.113.10]" in message["X-MS-Exchange-CrossTenant-OriginalAttributedTenantConnectingIp"]
    assert message["X-Sidedoor-Decision"].startswith("submission=direct-send; verdict=accept; would-reject=true")
    assert message["Authentication-Results"].startswith("edge.example; spf=fail smtp.mailfrom=contoso.com; dkim=none")
    assert message["Received"].startswith("from [192.0.2.7] ([203.0.113.10])")
    assert after.receipt.authentication == {"spf": "fail", "dkim": "none", "dmarc": "fail", "arc": "none"}
    assert after.receipt.handled[parse_address("a@contoso.com")].action is Action.DELIVER
    assert after.receipt.reply.code == 250


def test_a_next_hop_gets_no_marks(tmp_path: Path) -> None:
    after = receive(tmp_path, transaction(recipient("a@contoso.com")), marks=Marks.NONE)
    assert [*message_from_bytes(after.due[0].message.content)] == ["Received", "From", "To", "Subject"]


def test_a_relayed_message_is_left_alone(tmp_path: Path) -> None:
    forged = b"X-MS-Exchange-Organization-AuthAs: Internal\r\n" + CONTENT
    given = transaction(recipient("a@fabrikam.com", relayed=True), content=forged)
    after = receive(tmp_path, given, marks=Marks.NONE, rules=ByName, check=True)
    assert after.due[0].message.content.endswith(forged)
    assert [*message_from_bytes(after.due[0].message.content)][:2] == ["Received", "X-MS-Exchange-Organization-AuthAs"]
    assert after.receipt.authentication is None
    assert after.receipt.handled[parse_address("a@fabrikam.com")].action is Action.RELAY


def test_each_recipient_fares_as_its_rules_say(tmp_path: Path) -> None:
    names = ("ok", "ok2", "hold", "no", "gone", "copy")
    after = receive(tmp_path, transaction(*(recipient(f"{name}@contoso.com") for name in names)), rules=ByName)
    handled = {str(address): done for address, done in after.receipt.handled.items()}
    assert {name: handled[f"{name}@contoso.com"].action.value for name in names} == {
        "ok": "deliver", "ok2": "deliver", "hold": "quarantine", "no": "reject", "gone": "delete", "copy": "deliver",
    }  # fmt: skip
    assert {(tuple(sorted(one.recipients)), one.message.envelope_sender) for one in after.due} == {
        (("ok2@contoso.com", "ok@contoso.com"), "scan@contoso.com"),
        (("archive@contoso.com", "copy@contoso.com"), "scan@contoso.com"),
        (("scan@contoso.com",), ""),  # the notice about "no"
    }
    assert [(one.recipients, one.why) for one in after.held] == [(("hold@contoso.com",), "rule Hold")]
    assert handled["hold@contoso.com"].id == after.held[0].id
    notice = next(one.message.content for one in after.due if not one.message.envelope_sender)
    assert b"no@contoso.com" in notice
    assert b"ok@contoso.com" not in notice.partition(b"text/rfc822-headers")[0]


def test_where_all_are_refused_the_client_is_told_and_nothing_is_kept(tmp_path: Path) -> None:
    after = receive(tmp_path, transaction(recipient("no@contoso.com")), rules=ByName)
    assert after.receipt.reply == REFUSED
    assert (after.due, after.held) == ([], [])


def test_nobody_is_told_of_mail_that_spf_says_he_never_sent(tmp_path: Path) -> None:
    both = transaction(recipient("no@contoso.com"), recipient("ok@contoso.com"))
    after = receive(tmp_path, both, rules=ByName, check=True)
    assert [one.recipients for one in after.due] == [("ok@contoso.com",)]


def test_decisions_that_differ_are_stamped_apart(tmp_path: Path) -> None:
    after = receive(tmp_path, transaction(recipient("a@contoso.com"), recipient("b@fabrikam.com", INTERNET)))
    stamps = {one.recipients: b"IsAnonymousDirectSend" in one.message.content for one in after.due}
    assert stamps == {("a@contoso.com",): True, ("b@fabrikam.com",): False}


def test_a_full_disk_is_no_room(tmp_path: Path) -> None:
    class Full(Spool):
        async def keep(self, *_: object, **__: object) -> None:
            raise SpoolError("full")

    async def run() -> Receipt:
        spool = Full(tmp_path / "spool.db")
        try:
            keeper = Reception(spool, "edge.example", Marks.NONE, lambda: None)
            return await keeper.keep(transaction(recipient("a@contoso.com"), sender=NULL_REVERSE_PATH))
        finally:
            await spool.close()

    assert asyncio.run(run()).reply == NO_ROOM


@pytest.mark.parametrize(
    ("line", "stays"),
    [
        ("X-MS-Exchange-Organization-AuthAs: Internal", False),
        ("x-ms-exchange-ORGANIZATION-SCL: -1", False),
        ("X-MS-Exchange-CrossTenant-Id: 1", False),
        ("X-Forefront-Antispam-Report: CIP:1.2.3.4;", False),
        ("X-Sidedoor-Decision: trust me", False),
        ("Authentication-Results: edge.example; spf=pass", False),
        ("Authentication-Results: EDGE.example 1; spf=pass", False),
        ("Authentication-Results:\r\n edge.example; spf=pass", False),
        ("Authentication-Results: other.example; spf=pass", True),
        ("X-MS-Has-Attach: yes", True),
        ("Subject: X-MS-Exchange-Organization-AuthAs: Internal", True),
        ("X-Other: a\r\n X-MS-Exchange-Organization-AuthAs: Internal", True),
    ],
)
def test_the_header_firewall(line: str, stays: bool) -> None:
    content = f"From: a@b.c\r\n{line}\r\nTo: d@e.f\r\n\r\nX-Sidedoor-Decision: in the body\r\n".encode()
    rest = content if stays else b"From: a@b.c\r\nTo: d@e.f\r\n\r\nX-Sidedoor-Decision: in the body\r\n"
    assert firewall(content, "edge.example") == rest


@given(
    st.lists(
        st.sampled_from(["A: b", "X-Sidedoor-x: y", " folded", "\tfolded", "", "no colon", ": x", "\x00"]), max_size=12
    )
)
def test_the_firewall_takes_away_fields_and_nothing_else(lines: list[str]) -> None:
    content = "".join(f"{line}\r\n" for line in lines).encode()
    header, _, body = (b"" if content.startswith(b"\r\n") else b"\r\n" + content).partition(b"\r\n\r\n")
    left = firewall(content, "edge.example")
    if b"\r\nX-Sidedoor" not in header:
        assert left == content
    else:
        assert left.endswith(body)
        assert b"\r\nX-Sidedoor" not in (b"\r\n" + left.removesuffix(body))
