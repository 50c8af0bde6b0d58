"""The tenant's transport rules on mail that the edge took: the export as it lies on disk, the spool as it is after."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sidedoor.edge.interface import Action
from sidedoor.edge.reception.parts import look_inside
from sidedoor.edge.reception.stamps import Marks
from sidedoor.edge.reception.tenant_rules import TenantRules, rules_of
from sidedoor.evidence.tenant_files import read_tenant
from sidedoor.mail.address import parse_address
from sidedoor.mail.fact import Unknown
from tests.audit.audit_kit import accepted_domain, write_settings
from tests.edge.test_reception import CONTENT, INTERNET, After, receive, recipient, transaction

DETECT = {
    "Name": "Direct Send: tag", "SenderDomainIs": ["contoso.com"], "SenderAddressLocation": "Envelope",
    "HeaderContainsMessageHeader": "X-MS-Exchange-Organization-AuthAs", "HeaderContainsWords": ["Anonymous"],
    "SetHeaderName": "X-DirectSend-Audit", "SetHeaderValue": "1",
}  # fmt: skip
QUARANTINE = DETECT | {
    "Name": "Direct Send: hold", "SetHeaderName": None, "SetHeaderValue": None, "Quarantine": True,
    "ExceptIfSenderIpRanges": ["192.0.2.0/24"],
}  # fmt: skip


def rules(folder: Path, *rows: dict[str, Any]) -> TenantRules | None:
    """What an export with these rules makes."""
    write_settings(folder, [accepted_domain("contoso.com")])
    full = [
        {"Priority": number, "State": "Enabled", "Mode": "Enforce", "Identity": row["Name"]} | row
        for number, row in enumerate(rows)
    ]
    (folder / "TransportRule.json").write_text(json.dumps(full))
    return rules_of(read_tenant(folder).snapshot)


def after(folder: Path, *rows: dict[str, Any], marks: Marks = Marks.TWIN, content: bytes = CONTENT) -> After:
    """A direct send to a@contoso.com, with these rules."""
    compiled = rules(folder / "tenant", *rows)
    given = transaction(recipient("a@contoso.com"), content=content)
    return receive(folder, given, marks=marks, rules=lambda: compiled)


@pytest.mark.parametrize("marks", Marks)
def test_a_rule_may_look_at_what_only_exchange_stamps(tmp_path: Path, marks: Marks) -> None:
    done = after(tmp_path, DETECT, marks=marks)
    content = done.due[0].message.content
    assert b"X-DirectSend-Audit: 1\r\n" in content
    assert (b"X-MS-Exchange-Organization-AuthAs" in content) is (marks is Marks.TWIN)
    assert done.receipt.handled[parse_address("a@contoso.com")].rules == ("Direct Send: tag",)


def test_a_rule_holds_mail_back(tmp_path: Path) -> None:
    done = after(tmp_path, QUARANTINE)
    assert (done.receipt.reply.code, done.due) == (250, [])
    assert [(one.recipients, one.why) for one in done.held] == [
        (("a@contoso.com",), "transport rule Direct Send: hold")
    ]
    assert done.receipt.handled[parse_address("a@contoso.com")].action is Action.QUARANTINE


def test_a_rule_that_rejects_refuses_at_the_end_of_the_content(tmp_path: Path) -> None:
    reject = {"Name": "No", "SubjectContainsWords": ["x"], "RejectMessageReasonText": "go away",
              "RejectMessageEnhancedStatusCode": "5.7.1"}  # fmt: skip
    done = after(tmp_path, reject)
    assert (done.receipt.reply.code, done.receipt.reply.enhanced) == (550, "5.7.1")
    assert "go away" in done.receipt.reply.text
    assert (done.due, done.held) == ([], [])


def test_others_get_it_too_or_instead(tmp_path: Path) -> None:
    copy = {"Name": "copy", "RecipientDomainIs": ["contoso.com"], "BlindCopyTo": ["audit@contoso.com"]}
    instead = {"Name": "instead", "RecipientDomainIs": ["contoso.com"], "RedirectMessageTo": ["desk@contoso.com"]}
    assert after(tmp_path / "1", copy).due[0].recipients == ("a@contoso.com", "audit@contoso.com")
    assert after(tmp_path / "2", instead).due[0].recipients == ("desk@contoso.com",)


def test_the_score_is_shown(tmp_path: Path) -> None:
    done = after(tmp_path, {"Name": "score", "FromScope": None, "RecipientDomainIs": ["contoso.com"], "SetSCL": "6"})
    assert b"X-MS-Exchange-Organization-SCL: 6\r\n" in done.due[0].message.content


def test_what_is_not_done_is_named(tmp_path: Path) -> None:
    odd = {"Name": "odd", "SenderManagementRelationship": "Manager", "Quarantine": True}
    text = {"Name": "text", "RecipientDomainIs": ["contoso.com"], "ApplyHtmlDisclaimerText": "<p>x</p>"}
    compiled = rules(tmp_path, odd, text)
    assert compiled is not None
    warnings = "\n".join(compiled.warnings())
    assert "SenderManagementRelationship" in warnings
    assert "Disclaimer" in warnings


def test_no_rules_are_no_work(tmp_path: Path) -> None:
    assert rules(tmp_path) is None
    assert rules(tmp_path, DETECT | {"State": "Disabled"}) is None


def test_mail_from_the_world_is_not_the_tenants(tmp_path: Path) -> None:
    compiled = rules(tmp_path / "tenant", DETECT)
    given = transaction(recipient("a@contoso.com", INTERNET), sender=parse_address("news@far.example"))
    done = receive(tmp_path, given, rules=lambda: compiled)
    assert done.receipt.handled[parse_address("a@contoso.com")].rules == ()


def test_the_inside_of_a_message() -> None:
    content = (
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
        b"--b\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\n"
        b"Gr\xfc\xdfe\r\n--b\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n"
        b'Content-Disposition: attachment; filename="a.pdf"\r\n\r\nJVBERg==\r\n--b--\r\n'
    )
    inside = look_inside(content)
    assert not isinstance(inside.attachments, Unknown)
    assert [(each.name, each.size) for each in inside.attachments] == [("a.pdf", 4)]
    assert inside.part_types == frozenset({"text/plain", "application/pdf"})
    assert "Grüße" in str(inside.body)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\r\n", b"Content-Type: text/plain; charset=no-such\r\n\r\n\xff",
        b"Content-Type: multipart/mixed\r\n\r\nx",
        b"Content-Type: text/plain; charset=rot13\r\n\r\nabc",
        b"Content-Disposition: attachment; filename*0*=utf-8''a; filename*1*=%ff; filename*=x''%\r\n\r\nx",
        b"".join(b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (n, n) for n in range(3_000)),
    ],
)  # fmt: skip
def test_hostile_messages_are_read_or_unknown(content: bytes) -> None:
    inside = look_inside(content)
    assert isinstance(inside.body, str | Unknown)
