"""The rule and the transport rules behind the milter: whole conversations, the answers, and the log they leave."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sidedoor.edge.door import Policy
from sidedoor.edge.interface import DecisionRecord
from sidedoor.edge.log import as_json
from sidedoor.edge.milter.door import MilterDoor
from sidedoor.edge.milter.rules import MessageRules
from sidedoor.edge.milter.session import MilterSession
from sidedoor.edge.milter.wire import (
    ACCEPT,
    CONTINUE,
    DISCARD,
    Command,
    Packet,
    add_header,
    add_recipient,
    change_header,
    delete_recipient,
    quarantine,
)
from sidedoor.edge.reception.tenant_rules import rules_of
from sidedoor.edge.settings import Settings, Source
from tests.audit.audit_kit import accepted_domain, connector, write_settings
from tests.edge.milter_kit import END, NEGOTIATE, connect, header, macro, mail, told

DOMAINS = [accepted_domain("contoso.com", Default=True)]
BY_CERTIFICATE = connector("Gateway", TlsSenderCertificateName="mail.contoso.com")
BY_ADDRESS = connector("Printers", SenderIPAddresses=["203.0.113.10"], SenderDomains=["smtp:contoso.com;1"])
A, B, C = "<a@contoso.com>", "<b@contoso.com>", "<c@contoso.com>"
SCAN = "<scan@contoso.com>"
TIME = datetime(2026, 11, 24, 9, tzinfo=UTC)


class Kept:
    """A log that is a list."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []

    def write(self, record: DecisionRecord) -> None:
        self.records.append(as_json(record))

    def close(self) -> None:
        pass

    @property
    def actions(self) -> list[str]:
        return [each["handled"]["action"] for each in self.records]


class Milter:
    """A milter over a tenant's export."""

    def __init__(
        self,
        folder: Path,
        connectors: Sequence[dict[str, Any]] | None = (),
        rules: Sequence[dict[str, Any]] = (),
        *,
        rejects: bool = True,
        **choices: Any,
    ) -> None:
        write_settings(folder, DOMAINS, connectors or (), reject_direct_send=rejects)
        if connectors is None:
            (folder / "InboundConnector.json").unlink()
        rows = [
            {"Name": f"rule {number}", "Identity": f"rule {number}", "Priority": number, "State": "Enabled"}
            | {"Mode": "Enforce"} | row for number, row in enumerate(rules)
        ]  # fmt: skip
        (folder / "TransportRule.json").write_text(json.dumps(rows))
        self.settings: Settings = Source(folder).read(TIME)
        self.log = Kept()
        policy = Policy("mx.example", lambda: self.settings, self.log, now=lambda: TIME, **choices)
        compiled = rules_of(self.settings.rule.snapshot)
        found = None if compiled is None else MessageRules(compiled.rules, "mx.example")
        self.session = MilterSession(MilterDoor(policy, lambda: found))

    def rcpt(self, *packets: Packet, to: str = A, sender: str = SCAN) -> bytes:
        """The answer to one recipient, after these packets of the connection."""
        return told(self.session, NEGOTIATE, *(packets or (connect(),)), *mail(sender, to))[-1]

    def message(self, *recipients: str, body: bytes = b"hello\r\n", **fields: Any) -> list[bytes]:
        """The answers to the end of a message."""
        told(self.session, NEGOTIATE, macro(b"C", j="mx"), connect(), macro(b"M", i="4Xyz"), *mail(SCAN, *recipients))
        told(self.session, *header(**fields), Packet(Command.BODY, body))
        return told(self.session, END)


def code(given: bytes) -> str:
    """`continue`, or the first digits of the reply."""
    return "continue" if given == CONTINUE else given[5:14].decode()


def tls(**names: str) -> tuple[Packet, Packet]:
    return connect(), macro(b"H", tls_version="TLSv1.3", cipher="x", **names)


@pytest.mark.parametrize(
    ("connectors", "packets", "expected"),
    [
        ((), (connect(),), "550 5.7.6"),
        ((BY_ADDRESS,), (connect(),), "continue"),
        ((BY_ADDRESS,), (connect("203.0.113.11"),), "550 5.7.6"),
        ((BY_CERTIFICATE,), tls(), "550 5.7.6"),
        ((BY_CERTIFICATE,), tls(cert_subject="mail.contoso.com", cert_issuer="CA"), "continue"),
        ((BY_CERTIFICATE,), tls(cert_subject="other.example", cert_issuer="CA"), "451 4.3.2"),
        ((BY_CERTIFICATE,), tls(cert_subject="", cert_issuer="CA"), "451 4.3.2"),
        ((BY_ADDRESS,), (connect("192.0.2.1"), *tls(cert_subject="other.example")[1:]), "550 5.7.6"),
        ((), (connect(), macro(b"M", auth_authen="alice")), "continue"),
    ],
)
def test_by_what_postfix_tells(
    tmp_path: Path, connectors: Sequence[dict[str, Any]], packets: Sequence[Packet], expected: str
) -> None:
    assert code(Milter(tmp_path, connectors).rcpt(*packets)) == expected


def test_a_refusal_is_the_edges_own(tmp_path: Path) -> None:
    milter = Milter(tmp_path)
    given = milter.rcpt()
    [record] = milter.log.records
    assert given[5:].rstrip(b"\0").decode() == (
        "550 5.7.68 TenantInboundAttribution; Direct Send not allowed for this organization from unauthorized sources "
        f"[mx.example 2026-11-24T09:00:00.000Z {record['session'].upper()}]"
    )
    assert (record["listener"], record["outcome"], record["submission"]) == ("milter", "refused", "direct-send")


@pytest.mark.parametrize(
    ("choices", "to", "expected"),
    [
        ({}, A, "continue"),
        ({"tempfail_undetermined": True}, A, "451 4.3.2"),
        ({"audit_only": True}, A, "continue"),
        ({}, "<a@elsewhere.example>", "550 5.7.6"),
        ({"audit_only": True}, "<a@elsewhere.example>", "550 5.7.6"),
    ],
)
def test_what_the_export_does_not_tell(tmp_path: Path, choices: dict[str, Any], to: str, expected: str) -> None:
    assert code(Milter(tmp_path, None, **choices).rcpt(to=to)) == expected


def test_audit_only_lets_certificates_pass_that_would_be_put_off(tmp_path: Path) -> None:
    milter = Milter(tmp_path, (BY_CERTIFICATE,), audit_only=True)
    assert code(milter.rcpt(*tls(cert_subject="other.example"))) == "continue"


def test_an_overlong_header_is_refused_at_the_end(tmp_path: Path) -> None:
    milter = Milter(tmp_path, rejects=False)
    fields: dict[str, Any] = {f"X_{number}": "y" * 60_000 for number in range(5)}
    [given] = milter.message(A, **fields)
    assert code(given) == "552 5.3.4"
    assert [(each["outcome"], each["final"]["code"]) for each in milter.log.records] == [("not-kept", 552)]


def word(text: str, **settings: Any) -> dict[str, Any]:
    return {"SubjectContainsWords": [text]} | settings


HOLD = word("hold", Quarantine=True)
REFUSE_A = word("refuse", SentTo=["a@contoso.com"], RejectMessageReasonText="Not here")
REFUSE = word("refuse", RejectMessageReasonText="Not here")
DELETE_A = word("delete", SentTo=["a@contoso.com"], DeleteMessage=True)


@pytest.mark.parametrize(
    ("rules", "subject", "expected", "actions"),
    [
        ([HOLD], "hold this", [quarantine("transport rule rule 0"), ACCEPT], ["quarantine", "quarantine"]),
        ([HOLD], "nothing", [ACCEPT], ["deliver", "deliver"]),
        ([REFUSE_A], "refuse", [quarantine("transport rule rule 0"), ACCEPT], ["quarantine", "quarantine"]),
        ([DELETE_A], "delete", [delete_recipient(A), ACCEPT], ["delete", "deliver"]),
        ([word("delete", DeleteMessage=True)], "delete", [DISCARD], ["delete", "delete"]),
        ([HOLD, DELETE_A], "hold delete", [quarantine("transport rule rule 0"), ACCEPT], ["quarantine", "quarantine"]),
        (
            [word("redirect", SentTo=["a@contoso.com"], RedirectMessageTo=["c@contoso.com"])], "redirect",
            [delete_recipient(A), add_recipient("c@contoso.com"), ACCEPT], ["deliver", "deliver"],
        ),
        (
            [word("copy", BlindCopyTo=["b@contoso.com", "c@contoso.com"])], "copy",
            [add_recipient("c@contoso.com"), ACCEPT], ["deliver", "deliver"],
        ),
        (
            [word("tag", PrependSubject="[x] ", SetHeaderName="X-New", SetHeaderValue="1", SetSCL=5)], "tag",
            [add_header("X-New", "1"), change_header("Subject", 1, "[x] tag"),
             add_header("X-MS-Exchange-Organization-SCL", "5"), ACCEPT], ["deliver", "deliver"],
        ),
        ([word("tag", SentTo=["a@contoso.com"], PrependSubject="[x] ")], "tag", [ACCEPT], ["deliver", "deliver"]),
        (
            [word("names", PrependSubject="Grüße: ")], "names",
            [change_header("Subject", 1, "=?utf-8?B?R3LDvMOfZTo=?= names"), ACCEPT], ["deliver", "deliver"],
        ),
    ],
)  # fmt: skip
def test_rules_become_answers(
    tmp_path: Path, rules: list[dict[str, Any]], subject: str, expected: list[bytes], actions: list[str]
) -> None:
    milter = Milter(tmp_path, rules=rules, rejects=False)
    given = milter.message(A, B, Subject=subject)
    assert sorted(given[:-1]) == sorted(expected[:-1])
    assert given[-1] == expected[-1]
    assert milter.log.actions == actions
    assert {each["handled"]["id"] for each in milter.log.records} == {"4Xyz"}


def test_a_refusal_for_all_is_the_rules_own(tmp_path: Path) -> None:
    milter = Milter(tmp_path, rules=[REFUSE], rejects=False)
    [given] = milter.message(A, B, Subject="refuse")
    assert given[5:].startswith(b"550 5.7.1 ")
    assert b"Not here" in given
    assert [(each["outcome"], each["handled"]["action"]) for each in milter.log.records] == [("not-kept", "reject")] * 2


def test_audit_only_notes_what_rules_would_do(tmp_path: Path) -> None:
    milter = Milter(tmp_path, rules=[HOLD], rejects=False, audit_only=True)
    assert milter.message(A, Subject="hold") == [ACCEPT]
    [record] = milter.log.records
    assert record["handled"] == {
        "action": "deliver", "rules": ["rule 0"], "notes": ["rule-would: quarantine"], "id": "4Xyz",
    }  # fmt: skip


def test_rules_see_bodies_sizes_and_attachments(tmp_path: Path) -> None:
    rules: list[dict[str, Any]] = [
        {"SubjectOrBodyContainsWords": ["pineapple"], "PrependSubject": "[1] "},
        {"MessageSizeOver": "1 KB (1,024 bytes)", "SetHeaderName": "X-Size", "SetHeaderValue": "big"},
        {"AttachmentExtensionMatchesWords": ["exe"], "Quarantine": True},
    ]
    milter = Milter(tmp_path, rules=rules, rejects=False)
    fields = {"Subject": "hi", "MIME_Version": "1.0", "Content_Type": 'multipart/mixed; boundary="="'}
    body = (
        b"--=\r\nContent-Type: text/plain\r\n\r\npineapple " + b"x" * 2_000 + b"\r\n--=\r\nContent-Type: x/y\r\n"
        b'Content-Disposition: attachment; filename="a.exe"\r\n\r\nMZ\r\n--=--\r\n'
    )
    answers = milter.message(A, body=body, **fields)
    assert answers[-2:] == [quarantine("transport rule rule 2"), ACCEPT]
    [record] = milter.log.records
    assert record["handled"]["rules"] == ["rule 0", "rule 1", "rule 2"]
    assert record["size"] == sum(len(name) + 4 + len(value) for name, value in fields.items()) + 2 + len(body)


def test_strangers_do_not_write_what_exchange_stamps(tmp_path: Path) -> None:
    inside = {
        "HeaderContainsMessageHeader": "X-MS-Exchange-Organization-AuthAs", "HeaderContainsWords": ["Internal"],
        "Quarantine": True,
    }  # fmt: skip
    milter = Milter(tmp_path, rules=[inside], rejects=False)
    assert milter.message(A, X_MS_Exchange_Organization_AuthAs="Internal") == [ACCEPT]


def test_a_message_is_decided_by_the_settings_it_began_with(tmp_path: Path) -> None:
    milter = Milter(tmp_path, rejects=False)
    assert code(milter.rcpt()) == "continue"
    write_settings(tmp_path, DOMAINS, reject_direct_send=True)
    milter.settings = Source(tmp_path).read(TIME)
    assert [code(given) for given in told(milter.session, mail(SCAN, B)[1])] == ["continue"]
    assert code(milter.rcpt()) == "550 5.7.6"
    assert [each["outcome"] for each in milter.log.records] == ["abandoned", "abandoned", "refused"]
