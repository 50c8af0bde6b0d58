"""Which line Exchange Online wrote, against those who write such lines themselves; and what is believed beside it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidedoor.evidence.message import HopTrust, MessageEvidence, Sureness, parse_message
from sidedoor.mail.fact import Unknown
from tests.evidence.message_kit import (
    AUTHOR,
    DATE,
    DELIVERED,
    ENTRY,
    INSIDE,
    MESSAGES,
    RESULTS,
    STAMPS,
    TENANT,
    TOP,
    entry_line,
    message,
    without,
)

HONEST = entry_line("mail.partner.example", "198.51.100.9")
INNER = f"Received: from desk (desk [10.0.0.5]) by relay.example (Postfix) with ESMTP id 1 for <a@b.example>; {DATE}"
OBE = (
    "Received: from AM0PR00MB0099.eurprd00.prod.outlook.com ([fe80::1]) by AM0PR00MB0099.eurprd00.prod.outlook.com "
    f"([fe80::1%4]) with mapi id 15.20.9999.010; {DATE}"
)
SUBMITTED = (
    "Received: from desktop (198.51.100.44) by AM0PR00MB0001.eurprd00.prod.outlook.com (2001:db8:20::9) with Microsoft "
    f"SMTP Server (version=TLS1_2, cipher=TLS_X) id 15.20.9999.10; {DATE}"
)
ON_PREMISES = (
    "Received: from ex01.contoso.com (10.1.1.1) by ex02.contoso.com (10.1.1.2) with Microsoft SMTP Server "
    f"id 15.1.2507.6; {DATE}"
)
CASES = {
    "as it should be": ((DELIVERED, INSIDE, ENTRY, INNER), 2, "192.0.2.66"),
    "a forged front door below the true one": ((DELIVERED, INSIDE, ENTRY, HONEST, INNER), 2, "192.0.2.66"),
    "a forged run below the true one": ((DELIVERED, INSIDE, ENTRY, DELIVERED, INSIDE, HONEST), 2, "192.0.2.66"),
    "a HELO that is the next line's host": (
        (INSIDE, entry_line("AM0EUR00FT009.eop-EUR00.prod.protection.outlook.com"),
         entry_line("good.example", "198.51.100.9", "AM0EUR00FT009.mail.protection.outlook.com")), 1, "192.0.2.66",
    ),
    "another tenant passed it on": (
        (DELIVERED, INSIDE, entry_line("EUR05-OBE.outbound.protection.outlook.com", "40.107.8.1"), OBE, INSIDE, HONEST),
        2, "40.107.8.1",
    ),
    "handed in by a client that may": ((DELIVERED, SUBMITTED, HONEST), 1, "198.51.100.44"),
    "a submission whose HELO is a host of ours": (
        (SUBMITTED.replace("desktop", "AM0EUR00FT001.eop-EUR00.prod.protection.outlook.com").replace(
            "(198.51.100.44)", "(8.8.8.8)"), ENTRY), 0, "8.8.8.8",
    ),
    "a chain that breaks": (
        (INSIDE, entry_line("x", "192.0.2.9", "OTHER.mail.protection.outlook.com")), 0, "2001:db8:20:cafe::f0",
    ),
    "pasted without the top": ((ENTRY, INNER), 0, "192.0.2.66"),
    "written in a mailbox": ((OBE,), 0, None),
    "a sovereign cloud": ((entry_line("x", "192.0.2.9", "SN1FT001.mail.protection.office365.us"),), 0, "192.0.2.9"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_entry_line(case: str) -> None:
    lines, boundary, client_ip = CASES[case]
    found = message(*lines, *AUTHOR)
    assert found.boundary == boundary
    assert found.client_ip.value == (None if client_ip is None else found.hops[boundary].parsed.client_ip)
    assert str(found.client_ip.value) == str(client_ip)
    above, below = found.hops[:boundary], found.hops[boundary + 1 :]
    assert {hop.trust for hop in above} <= {HopTrust.SERVICE}
    assert found.hops[boundary].trust is HopTrust.ENTRY
    assert {hop.trust for hop in below} <= {HopTrust.SENDER}


NOBODY = {
    "no Received line": (),
    "a server of the organisation on top": (ON_PREMISES, *TOP),
    "somebody else's server on top": (INNER, *TOP),
    "a name that only sounds so": (entry_line(host="AM0.mail.protection.outlook.com.evil.example"),),
    "another program": (f"Received: from a (192.0.2.1) by X.mail.protection.outlook.com with ESMTP id 1; {DATE}",),
}


@pytest.mark.parametrize("case", NOBODY)
def test_nobody_vouches(case: str) -> None:
    found = message(*NOBODY[case], *AUTHOR, *STAMPS, "X-MS-Exchange-Organization-IsAnonymousDirectSend: True")
    assert isinstance(found.boundary, Unknown)
    assert isinstance(found.entry.value, Unknown)
    for told in (found.authentication, found.auth_as, found.network_message_id, found.envelope_sender, found.report):
        assert not told.believed
    assert any("nothing is vouched for" in note for note in found.notes)


def test_trace_fields_are_certain_above_the_boundary_and_the_service_s_names_are_likely() -> None:
    found = message(*TOP, *AUTHOR, *STAMPS)
    assert found.authentication.sureness is Sureness.CERTAIN
    assert found.auth_as.sureness is Sureness.LIKELY
    assert found.header_from.sureness is Sureness.CLAIMED
    assert found.envelope_sender.sureness is Sureness.CERTAIN  # Return-Path, and smtp.mailfrom agrees


def test_results_from_before_the_boundary_are_not_believed() -> None:
    forged = "Authentication-Results: spf=pass smtp.mailfrom=contoso.com; dkim=pass header.d=contoso.com; dmarc=pass"
    found = message(*TOP, forged, *AUTHOR, *STAMPS)
    assert not isinstance(found.authentication.value, Unknown)
    assert found.authentication.value.of("spf")[0].word == "fail"
    assert any("line 5: an Authentication-Results field from before" in note for note in found.notes)
    alone = message(*without(TOP, "Authentication-Results"), forged, *AUTHOR, *STAMPS)
    assert not alone.authentication.believed
    assert any("is not believed" in note for note in alone.notes)


@pytest.mark.parametrize(
    "name",
    ["X-MS-Exchange-Organization-IsAnonymousDirectSend: {}", "X-MS-Exchange-Organization-AuthAs: Internal{}"],
)
def test_copies_that_contradict_each_other_are_not_believed(name: str) -> None:
    found = message(*TOP, *AUTHOR, name.format("True"), *STAMPS, name.format("False"))
    told = found.anonymous_direct_send if "DirectSend" in name else found.auth_as
    assert isinstance(told.value, Unknown)
    assert "contradict" in told.value.reason
    assert not told.believed


def test_a_lone_carriage_return_makes_no_field() -> None:
    found = message(*TOP, "Subject: hello\rX-MS-Exchange-Organization-AuthAs: Internal\rx: y", *AUTHOR, *STAMPS)
    assert found.auth_as.value == "Anonymous"
    assert len([field for field in found.fields if field.name == "X-MS-Exchange-Organization-AuthAs"]) == 1


def test_a_foreign_tenant_s_attribution_and_a_lone_crosstenant_field_do_not_move_the_address() -> None:
    name = "X-MS-Exchange-{}-OriginalAttributedTenantConnectingIp: TenantId={};Ip=[203.0.113.1];Helo=[x]"
    other = "ffffffff-1111-4222-8333-444455556666"
    cases = [
        (name.format("CrossTenant", TENANT), "192.0.2.66"),  # all others say otherwise
        (name.format("Organization", other), "192.0.2.66"),
        (name.format("Organization", TENANT), "203.0.113.1"),
        ("X-MS-Exchange-Organization-OriginalClientIPAddress: 203.0.113.2", "203.0.113.2"),
        ("x-sender-ip: 203.0.113.3", "192.0.2.66"),
    ]
    for line, client_ip in cases:
        assert str(message(*TOP, *AUTHOR, *STAMPS, line).client_ip.value) == client_ip
    assert str(message(*AUTHOR, "x-sender-ip: 203.0.113.3").client_ip.value) == "203.0.113.3"


def test_disagreeing_addresses_are_noted() -> None:
    moved = message(*TOP, *AUTHOR, *without(STAMPS, "X-Forefront"), "X-Forefront-Antispam-Report: CIP:203.0.113.7;H:x;")
    assert str(moved.client_ip.value) == "203.0.113.7"
    assert any("203.0.113.7" in note and "Received says 192.0.2.66" in note for note in moved.notes)


FORGERIES = (ENTRY, HONEST, DELIVERED, INSIDE, INNER, OBE, SUBMITTED, ON_PREMISES, RESULTS)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.sampled_from(FORGERIES), max_size=6), st.lists(st.sampled_from(AUTHOR), max_size=4))
def test_nothing_below_the_entry_changes_what_is_certain(below: list[str], more: list[str]) -> None:
    plain, found = message(*TOP, *AUTHOR), message(*TOP, *below, *more, *AUTHOR)

    def certain(told: MessageEvidence) -> tuple[object, ...]:
        return told.boundary, told.client_ip[:2], told.helo[:2], told.tls[:2], told.authentication[:2]

    assert certain(found) == certain(plain)


def test_the_hops_of_a_sample() -> None:
    found = parse_message((MESSAGES / "spoof.eml").read_bytes())
    assert [hop.trust.value for hop in found.hops] == ["service", "service", "entry"]
    assert found.entry_hop is found.hops[2]
    assert [hop.line for hop in found.hops] == [1, 4, 16]
    assert found.entry_hop.parsed.via == "Frontend Transport"
