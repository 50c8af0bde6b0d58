"""What single fields tell: sender, recipients, authentication, and how the message came in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sidedoor.evidence.formats.message import record_of
from sidedoor.evidence.message import parse_message
from sidedoor.evidence.record import Record, RejectedRow
from sidedoor.mail.address import NULL_REVERSE_PATH
from sidedoor.mail.fact import Unknown
from tests.evidence.message_kit import AUTHOR, ENTRY, KEY, MESSAGES, STAMPS, TENANT, TOP, entry_line, message, without

TRUTH = {
    each["key"]: each
    for each in json.loads(
        (Path(__file__).parent.parent / "data" / "evidence" / "truth.json").read_text(encoding="utf-8")
    )["messages"]
}
ENTRIES = {"printer": "anonymous", "esp": "anonymous", "spoof": "anonymous", "gateway": "onpremises"}


@pytest.mark.parametrize("key", ENTRIES)
def test_a_message_tells_the_truth(key: str) -> None:
    truth = TRUTH[key]
    record = record_of(parse_message((MESSAGES / f"{key}.eml").read_bytes()), 7)
    assert isinstance(record, Record)
    assert record.row == 7
    assert record.message_key == truth["network_message_id"]
    assert record.message_id == truth["message_id"]
    assert (record.envelope_sender, record.header_from) == (truth["p1"], truth["p2"])
    assert (record.client_ip, record.helo) == (truth["ip"], truth["helo"])
    assert record.tls == ("none" if truth["tls"] == "No TLS" else truth["tls"])
    assert (record.spf, record.dkim, record.dmarc) == (truth["spf"], truth["dkim"], truth["dmarc"])
    assert (record.compauth, record.compauth_reason) == (truth["compauth"], truth["reason"])
    assert record.received_at == "2026-11-03 08:15:27.123400"
    assert record.entry == ENTRIES[key]
    assert (record.recipient, record.connector, record.direction) == (None, None, "incoming")
    assert record.tenant_id == TENANT
    assert record.dkim_domain == ("contoso.com" if truth["dkim"] == "pass" else "")
    assert record.mailer == ("ACME MFP 4550" if key == "printer" else None)


def test_a_paste_tells_what_the_file_tells() -> None:
    pasted, whole = ((MESSAGES / name).read_bytes() for name in ("pasted.txt", "printer.eml"))
    assert record_of(parse_message(pasted), 1) == record_of(parse_message(whole), 1)


LABEL = "X-MS-Exchange-Organization-IsAnonymousDirectSend: {}"
HYBRID = "X-MS-Exchange-CrossTenant-FromEntityHeader: HybridOnPrem"
ATTRIBUTED = (
    f"X-MS-Exchange-CrossTenant-OriginalAttributedTenantConnectingIp: TenantId={TENANT};Ip=[192.0.2.66];Helo=[pc]"
)
ORGANIZATION = "X-MS-Exchange-Organization-"
PLAIN = without(STAMPS, "X-MS-Exchange-CrossTenant-FromEntity", f"{ORGANIZATION}AuthAs", f"{ORGANIZATION}MessageDir")
ANONYMOUS, INTERNAL = (f"{ORGANIZATION}AuthAs: {word}" for word in ("Anonymous", "Internal"))
INCOMING, ORIGINATING = (f"{ORGANIZATION}MessageDirectionality: {word}" for word in ("Incoming", "Originating"))
INTERNET = "X-MS-Exchange-CrossTenant-FromEntityHeader: Internet"
HOSTED = "X-MS-Exchange-CrossTenant-FromEntityHeader: Hosted"
WAYS_IN = [
    ((LABEL.format("True"),), "direct-send"),
    ((LABEL.format("True"), ANONYMOUS, INTERNET), "direct-send"),
    ((LABEL.format("False"), ANONYMOUS, INTERNET), "anonymous"),
    ((ANONYMOUS, INTERNET), "anonymous"),
    ((ANONYMOUS, INCOMING), "anonymous"),
    ((ANONYMOUS,), None),  # mail through an OnPremises connector has it, too
    ((ANONYMOUS, HYBRID, ATTRIBUTED, INCOMING), "onpremises"),
    ((ANONYMOUS, HYBRID, INCOMING), None),
    ((ANONYMOUS, INTERNET, ATTRIBUTED), None),
    ((INTERNAL, ORIGINATING), "authenticated"),
    ((INTERNAL, INCOMING), None),
    (("X-MS-Exchange-Organization-InternalOrgSender: True", ANONYMOUS, INTERNET), "anonymous"),  # set on spoofs, too
    ((ANONYMOUS, HOSTED, INCOMING), None),
]


@pytest.mark.parametrize(("lines", "entry"), WAYS_IN, ids=range(len(WAYS_IN)))
def test_how_it_came_in(lines: tuple[str, ...], entry: str | None) -> None:
    found = message(*TOP, *AUTHOR, *PLAIN, *lines)
    assert found.entry.value == entry
    assert found.entry.believed


def test_without_a_field_that_tells_how_it_came_in() -> None:
    assert isinstance(message(*TOP, *AUTHOR).entry.value, Unknown)


SENDERS = [
    (("Return-Path: alice@contoso.com",), "contoso.com", "alice@contoso.com"),
    (("Return-Path: <Alice@CONTOSO.com>",), "contoso.com", "alice@contoso.com"),
    (("Return-Path: <>",), "pc", "<>"),
    ((), "contoso.com", "@contoso.com"),
    ((), "pc", None),  # perhaps a null sender: smtp.mailfrom then shows the HELO
    (("Return-Path: a@fabrikam.com",), "contoso.com", None),
    (("Return-Path: alice@contoso.com", "Return-Path: bob@contoso.com"), "contoso.com", "@contoso.com"),
    (("Return-Path: not an address",), "contoso.com", "@contoso.com"),
    (("Return-Path: a@b\u00fccher.example",), "b\u00fccher.example", "a@xn--bcher-kva.example"),
]


@pytest.mark.parametrize(("lines", "checked", "sender"), SENDERS, ids=range(len(SENDERS)))
def test_the_envelope_sender(lines: tuple[str, ...], checked: str, sender: str | None) -> None:
    top = tuple(line.replace("smtp.mailfrom=contoso.com", f"smtp.mailfrom={checked}") for line in TOP)
    found = message(*top, *AUTHOR, *without(STAMPS, "Return-Path"), *lines)
    record = record_of(found, 1)
    assert isinstance(record, Record)
    assert record.envelope_sender == sender
    if sender == "<>":
        assert found.envelope_sender.value == NULL_REVERSE_PATH
        assert found.envelope_domain.value is None


def test_disagreement_about_the_envelope_sender_is_noted() -> None:
    found = message(*TOP, *AUTHOR, *without(STAMPS, "Return-Path"), "Return-Path: a@fabrikam.com")
    assert any("Return-Path says fabrikam.com, the SPF check was of contoso.com" in note for note in found.notes)


FROMS = [
    ("From: alice@contoso.com", [("", "alice@contoso.com")]),
    ("From: Alice <alice@contoso.com>", [("Alice", "alice@contoso.com")]),
    ('From: "Alice, CEO" <alice@contoso.com>', [("Alice, CEO", "alice@contoso.com")]),
    ("From: =?utf-8?B?QWxpY2Ug4oCT?= <alice@contoso.com>", [("Alice –", "alice@contoso.com")]),
    ("From: =?nonsense?B?QWxpY2U=?= <alice@contoso.com>", [("=?nonsense?B?QWxpY2U=?=", "alice@contoso.com")]),
    ('From: "bob@contoso.com" <alice@evil.example>', [("bob@contoso.com", "alice@evil.example")]),
    ("From: a@x.example, Bob (him) <b@y.example>", [("", "a@x.example"), ("Bob (him)", "b@y.example")]),
    ("From: team: a@x.example, b@y.example;", [("", "a@x.example"), ("", "b@y.example")]),
    ("From: a@b\u00fccher.example", [("", "a@b\u00fccher.example")]),
    ("From: undisclosed:;", []),
    ("From: no address here", [("", "no address here")]),
]


@pytest.mark.parametrize(("line", "expected"), FROMS, ids=range(len(FROMS)))
def test_header_from(line: str, expected: list[tuple[str, str]]) -> None:
    found = message(*TOP, line, *without(AUTHOR, "From:"), *STAMPS)
    assert not isinstance(found.header_from.value, Unknown)
    assert [(each.display, each.address) for each in found.header_from.value] == expected


def test_several_from_fields_are_all_shown() -> None:
    found = message(*TOP, "From: a@evil.example", *AUTHOR, *STAMPS)
    assert not isinstance(found.header_from.value, Unknown)
    assert [each.address for each in found.header_from.value] == ["a@evil.example", "alice@contoso.com"]
    assert "2 fields From" in found.notes


def test_domains_of_header_from_are_comparable() -> None:
    found = message(*TOP, "From: a@B\u00dcCHER.example", *STAMPS)
    assert not isinstance(found.header_from.value, Unknown)
    assert str(found.header_from.value[0].domain) == "xn--bcher-kva.example"


def test_header_recipients_are_no_envelope_recipients() -> None:
    found = message(*TOP, "Delivered-To: x@contoso.com", "Cc: Bob <b@contoso.com>", *AUTHOR, *STAMPS)
    assert not isinstance(found.header_recipients.value, Unknown)
    assert [each.address for each in found.header_recipients.value] == ["b@contoso.com", "alice@contoso.com"]
    assert found.delivered_to.value == ("x@contoso.com",)
    assert not found.delivered_to.believed
    record = record_of(found, 1)
    assert isinstance(record, Record)
    assert record.recipient is None


def test_further_facts() -> None:
    found = message(
        *TOP,
        *AUTHOR,
        *STAMPS,
        "User-Agent: =?utf-8?Q?Mail=C3=A9r?= 1.0",
        "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=Contoso.com; s=sel1; h=from; bh=x; b=y",
        "X-MS-Exchange-Organization-SCL: -1",
        "X-MS-Exchange-Organization-MxPointsToUs: false",
        "X-Microsoft-Antispam-Mailbox-Delivery: ucf:0;jmr:0;auth:0;dest:J;ENG:(910005)",
        "List-Id: <l.example>",
        "X-MS-Exchange-Inbox-Rules-Loop: bob@contoso.com",
    )
    assert (found.mailer.value, found.scl.value, found.mx_points_to_us.value) == ("Mailér 1.0", -1, False)
    assert [(each.domain, each.selector) for each in found.signatures] == [("contoso.com", "sel1")]
    assert (found.destination.value, found.list_id.value) == ("J", "<l.example>")
    assert found.rules_loop.value == "bob@contoso.com"
    assert found.ptr.value == "InfoDomainNonexistent"
    record = record_of(found, 1)
    assert isinstance(record, Record)
    assert (record.treatment, record.mailer) == ("junked", "Mailér 1.0")


def test_of_several_signatures_the_valid_one_counts() -> None:
    several = (
        "Authentication-Results: spf=pass smtp.mailfrom=contoso.com; dkim=fail (bad) header.d=a.example;"
        "dkim=pass (signature was verified) header.d=B.example;dmarc=pass"
    )
    record = record_of(message(several, ENTRY, *AUTHOR, *STAMPS), 1)
    assert isinstance(record, Record)
    assert (record.dkim, record.dkim_domain) == ("pass", "b.example")


def test_no_date_and_no_trace_are_rejected_with_the_reason() -> None:
    undated = entry_line().partition(";")[0]
    for lines, why in (
        ((undated, *without(AUTHOR, "Date"), *STAMPS), "no date"),
        (AUTHOR, "no Received line"),
    ):
        row = record_of(message(*lines), 3)
        assert isinstance(row, RejectedRow)
        assert row.row == 3
        assert why in row.why
        assert row.text


def test_the_time_is_the_service_s_own() -> None:
    late = tuple(line.replace("Tue, 3 Nov 2026 08:15:27", "Wed, 4 Nov 2026 00:00:00") for line in TOP[:2])
    record = record_of(message(*late, *TOP[2:], *AUTHOR, *STAMPS), 1)
    assert isinstance(record, Record)
    assert record.received_at == "2026-11-03 08:15:27.000000"
    assert record.message_key == KEY
