"""A second tenant, Northwind, whose every message has a known submission: each export alone, and all together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.audit.audit_kit import (
    Outcome,
    accepted_domain,
    assert_balanced,
    audit,
    connector,
    csv_text,
    key,
    v2_file,
    v2_row,
    write_settings,
)

DOMAINS = (
    accepted_domain("northwind.example", Default=True, MatchSubDomains=True),
    accepted_domain("bücher.example"),
    accepted_domain("behind.example"),
)
CONNECTORS = (
    connector("Gateway", SenderIPAddresses=["198.51.100.0/28"]),
    connector("Certificate", TlsSenderCertificateName="*.relay.example"),
    connector("Names only", SenderDomains=["smtp:northwind.example;1"]),
)
ZONE = """$ORIGIN example.
$TTL 3600
@ IN SOA ns.example. hostmaster.example. 1 3600 600 86400 60
northwind IN MX 0 northwind-example.mail.protection.outlook.com.
northwind IN TXT "v=spf1 ip4:203.0.113.10 -all"
xn--bcher-kva IN MX 0 xn--bcher-kva-example.mail.protection.outlook.com.
behind IN MX 10 mx.filter.example.
"""


class Truth(NamedTuple):
    """One message, and what an export that names connectors must say of it."""

    sender: str
    recipient: str
    ip: str
    connector: str
    submission: str
    would_reject: bool | None


PRINTER = Truth("printer@northwind.example", "anna@northwind.example", "203.0.113.10", "", "direct-send", True)
TRUTH = (
    PRINTER,
    Truth("scan@branch.northwind.example", "anna@northwind.example", "203.0.113.11", "", "direct-send", True),
    Truth("büro@bücher.example", "anna@northwind.example", "203.0.113.12", "", "direct-send", True),
    Truth("app@northwind.example", "anna@northwind.example", "198.51.100.3", "Gateway", "partner-connector", False),
    Truth("erp@northwind.example", "anna@northwind.example", "192.0.2.77", "Certificate", "partner-connector", False),
    Truth("news@elsewhere.example", "anna@northwind.example", "192.0.2.9", "", "internet", False),
    Truth("a@notnorthwind.example", "anna@northwind.example", "192.0.2.9", "", "internet", False),
    Truth("news@elsewhere.example", "anna@behind.example", "192.0.2.10", "", "sent-directly", False),
    Truth("<>", "anna@northwind.example", "192.0.2.11", "", "internet", False),
)
EXTENDED = [
    "date_time_utc",
    "client_ip",
    "client_hostname",
    "connector_id",
    "source",
    "event_id",
    "message_id",
    "network_message_id",
    "recipient_address",
    "message_subject",
    "sender_address",
    "return_path",
    "directionality",
    "tenant_id",
    "original_client_ip",
    "custom_data",
]


def a_label(address: str) -> str:
    """The address as the audit writes it."""
    return address.replace("bücher.example", "xn--bcher-kva.example")


def v2(path: Path) -> Path:
    """List-type trace: the sender column has envelope senders, which its null sender shows."""
    rows = [v2_row(n, SenderAddress=t.sender, RecipientAddress=t.recipient, FromIP=t.ip) for n, t in enumerate(TRUTH)]
    return v2_file(path / "v2.csv", rows)


def events(path: Path) -> Path:
    """EmailEvents as the hunting API returns them."""
    rows = [
        {
            "Timestamp": f"2026-11-03T08:00:{n:02d}Z",
            "NetworkMessageId": key(n),
            "SenderMailFromAddress": "" if t.sender == "<>" else t.sender,
            "SenderFromAddress": "daemon@elsewhere.example" if t.sender == "<>" else t.sender,
            "SenderIPv4": t.ip,
            "SenderIPv6": "",
            "RecipientEmailAddress": t.recipient,
            "EmailDirection": "Inbound",
            "DeliveryAction": "Delivered",
            "Connectors": t.connector,
            "AuthenticationDetails": '{"SPF":"none"}',
        }
        for n, t in enumerate(TRUTH)
    ]
    file = path / "events.json"
    file.write_text(json.dumps({"schema": [], "results": rows}), encoding="utf-8")
    return file


def extended(path: Path) -> Path:
    """An extended historical search: a RECEIVE row and a DELIVER row for each message."""
    rows = []
    for n, t in enumerate(TRUTH):
        received = {
            "date_time_utc": f"2026-11-03T08:00:{n:02d}.0000000Z",
            "source": "SMTP",
            "event_id": "RECEIVE",
            "network_message_id": key(n),
            "message_id": f"<{n}@mfp.northwind.example>",
            "recipient_address": t.recipient,
            "return_path": t.sender,
            "sender_address": "daemon@elsewhere.example" if t.sender == "<>" else t.sender,
            "directionality": "Incoming",
            "original_client_ip": t.ip,
            "connector_id": t.connector or "AM9\\Default AM9",
            "tenant_id": "0c0ffee0-1111-4222-8333-444455556666",
            "custom_data": f"S:ProxiedClientIPAddress={t.ip};S:tlsversion=SP_PROT_TLS1_2_SERVER",
        }
        rows += [
            received,
            received | {"source": "STOREDRIVER", "event_id": "DELIVER", "connector_id": "", "custom_data": ""},
        ]
    file = path / "extended.csv"
    file.write_text(csv_text(rows, EXTENDED), encoding="utf-16", newline="")
    return file


@pytest.fixture
def tenant(tmp_path: Path) -> Path:
    """A folder with the settings and the zone."""
    write_settings(tmp_path / "tenant", DOMAINS, CONNECTORS)
    (tmp_path / "example.zone").write_text(ZONE, encoding="ascii")
    return tmp_path


def seen(outcome: Outcome) -> dict[tuple[str, str], tuple[Any, ...]]:
    """(network message id, recipient) -> (submission, would_reject, client_ip)."""
    return {
        (row[0], row[1]): row[2:]
        for row in outcome.messages("network_message_id, recipient, submission, would_reject, client_ip")
    }


@pytest.mark.parametrize("exports", [[events], [extended], [events, extended], [v2, events], [v2, extended, events]])
def test_exports_that_name_connectors_know_every_message(tenant: Path, capsys: Any, exports: list[Any]) -> None:
    files = [write(tenant) for write in exports]
    outcome = audit(capsys, tenant / "out", *files, "--tenant", tenant / "tenant", "--dns", tenant / "example.zone")
    assert outcome.code == 0, outcome.said
    assert seen(outcome) == {(key(n), t.recipient): (t.submission, t.would_reject, t.ip) for n, t in enumerate(TRUTH)}
    assert_balanced(outcome)
    simulation = outcome.report["simulation"]
    assert simulation["reject_direct_send"]["rejected"] == sum(t.would_reject is True for t in TRUTH)
    assert simulation["reject_direct_send"]["undetermined"] == 0
    assert simulation["not_stopped"]["sent_directly"] == 1


def test_a_list_type_trace_never_contradicts_the_truth(tenant: Path, capsys: Any) -> None:
    outcome = audit(capsys, tenant / "out", v2(tenant), "--tenant", tenant / "tenant", "--dns", tenant / "example.zone")
    assert outcome.code == 0, outcome.said
    found = seen(outcome)
    assert len(found) == len(TRUTH)
    for n, truth in enumerate(TRUTH):
        submission, would_reject, _ = found[key(n), truth.recipient]
        assert submission in {truth.submission, "undetermined"}, truth
        assert would_reject in {truth.would_reject, None}, truth
    assert found[key(3), TRUTH[3].recipient][1] is False  # whoever it is, its address is the connector's
    assert_balanced(outcome)


def test_offline_the_front_door_is_unknown_and_direct_send_is_not(tenant: Path, capsys: Any) -> None:
    outcome = audit(capsys, tenant / "out", events(tenant), "--tenant", tenant / "tenant")
    assert outcome.code == 0, outcome.said
    found = seen(outcome)
    for n, truth in enumerate(TRUTH):
        expected = "undetermined" if truth.submission in {"internet", "sent-directly"} else truth.submission
        assert found[key(n), truth.recipient][:2] == (expected, truth.would_reject), truth
    assert {fact["fact"] for fact in outcome.report["coverage"]["missing"]} >= {"mx"}
