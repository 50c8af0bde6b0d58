"""Exported objects to values: native and text forms, what is missing, what an export has destroyed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidedoor.mail.domain import parse_domain
from sidedoor.mail.fact import Unknown
from sidedoor.tenant.build import build, build_snapshot
from sidedoor.tenant.kinds import SettingKind, recognise_setting
from sidedoor.tenant.settings import (
    accepted_domain,
    connection_filter,
    inbound_connector,
    organization_config,
    sender_pattern,
    transport_rule,
)
from sidedoor.tenant.snapshot import ConnectionFilter, ConnectorKind, DomainKind, SenderDomainPattern
from sidedoor.tenant.values import Fields, SettingError

CONNECTOR: dict[str, object] = {
    "Name": "Inbound from Hygiene",
    "ConnectorType": "Partner",
    "Enabled": True,
    "SenderIPAddresses": ["198.51.100.64/27", "203.0.113.22"],
    "SenderDomains": ["smtp:*;1", "smtp:*.contoso.com;1", "fabrikam.com"],
    "TlsSenderCertificateName": "*.Mailer.fabrikam.com",
    "RequireTls": True,
    "RestrictDomainsToIPAddresses": True,
    "RestrictDomainsToCertificate": False,
    "CloudServicesMailEnabled": False,
    "TreatMessagesAsInternal": False,
    "AssociatedAcceptedDomains": ["contoso.com"],
    "TrustedOrganizations": [],
    "EFSkipLastIP": False,
    "EFSkipIPs": ["192.0.2.1"],
    "ConnectorSource": "AdminUI",
    "WhenChangedUTC": "2026-07-23T22:55:13.0000000Z",
}
TEXT: dict[str, object] = {
    **{key: str(value) for key, value in CONNECTOR.items() if isinstance(value, bool)},
    "name": "Inbound from Hygiene",
    "connectortype": "partner",
    "senderipaddresses": "198.51.100.64/27 203.0.113.22",
    "SenderDomains": "{smtp:*;1, smtp:*.contoso.com;1, fabrikam.com}",
    "TlsSenderCertificateName": "*.mailer.fabrikam.com",
    "AssociatedAcceptedDomains": "contoso.com",
    "TrustedOrganizations": "",
    "EFSkipIPs": "192.0.2.1\n",
    "ConnectorSource": "AdminUI",
    "WhenChangedUTC": "/Date(1784847313000)/",
}


def without(*keys: str, **changes: object) -> dict[str, object]:
    return {key: value for key, value in (CONNECTOR | changes).items() if key not in keys}


def test_a_connector() -> None:
    row = inbound_connector(CONNECTOR)
    assert (row.name, row.kind, row.enabled) == ("Inbound from Hygiene", ConnectorKind.PARTNER, True)
    assert row.sender_networks == (ip_network("198.51.100.64/27"), ip_network("203.0.113.22/32"))
    assert list(map(str, row.sender_domains)) == ["*", "*.contoso.com", "fabrikam.com"]
    assert row.tls_certificate_name == "*.mailer.fabrikam.com"
    assert (row.require_tls, row.restrict_to_addresses, row.restrict_to_certificate) == (True, True, False)
    assert row.associated_accepted_domains == (parse_domain("contoso.com"),)
    assert row.ef_skip_networks == (ip_network("192.0.2.1/32"),)
    assert row.changed_at == datetime(2026, 7, 23, 22, 55, 13, tzinfo=UTC)
    assert (row.warnings, row.lost) == ((), ())


def test_texts_give_the_same_connector() -> None:
    assert inbound_connector(TEXT) == inbound_connector(CONNECTOR)


FLAGS = ["Enabled", "RequireTls", "RestrictDomainsToIPAddresses", "RestrictDomainsToCertificate", "EFSkipLastIP"]
FIELDS = ["enabled", "require_tls", "restrict_to_addresses", "restrict_to_certificate", "ef_skip_last_ip"]


@pytest.mark.parametrize(("key", "field"), list(zip(FLAGS, FIELDS, strict=True)))
def test_a_missing_flag_is_unknown_and_never_false(key: str, field: str) -> None:
    for item in (without(key), without(**{key: None}), without(**{key: ""}), without(**{key: "maybe"})):
        assert isinstance(getattr(inbound_connector(item), field), Unknown)


SPELLINGS = [
    *((True, True), ("True", True), (1, True), ({"IsPresent": True}, True)),
    *((False, False), ("$false", False), ("FALSE", False), ("0", False)),
]


@pytest.mark.parametrize(("value", "flag"), SPELLINGS)
def test_flags_in_every_spelling(value: object, flag: bool) -> None:
    assert Fields({"Enabled": value}).flag("enabled") is flag


LISTS = [
    ([], []),
    (None, []),
    ("", []),
    ("{}", []),
    ("a.example", ["a.example"]),
    (["a.example", None, " b.example "], ["a.example", "b.example"]),
    ("a.example b.example", ["a.example", "b.example"]),
    ("a.example, b.example", ["a.example", "b.example"]),
    ("a.example;b.example", ["a.example", "b.example"]),
    ("a.example\r\nb.example\n", ["a.example", "b.example"]),
    ("smtp:*;1;smtp:a.example;10", ["smtp:*;1", "smtp:a.example;10"]),
    ("{smtp:*;1}", ["smtp:*;1"]),
    ({"value": ["a.example"], "Count": 1}, ["a.example"]),
    ([{"Address": "smtp:*;1", "Cost": 1}], ["smtp:*;1"]),
    ([{"Expression": "192.0.2.0/24"}], ["192.0.2.0/24"]),
    ("Microsoft.com", ["Microsoft.com"]),
]
DESTROYED: list[Any] = [
    "System.Object[]",
    "System.Collections.ArrayList",
    "System.Collections.Generic.List`1[System.String]",
    "Microsoft.Exchange.Data.MultiValuedProperty`1[Microsoft.Exchange.Data.IPRange]",
    "Deserialized.System.Collections.ArrayList",
    "@{Address=smtp:*;1}",
    "{192.0.2.1, 192.0.2.2...}",
    "{192.0.2.1…}",
    ["192.0.2.1", "System.Object[]"],
    [{"Length": 1}],
    [["192.0.2.1"]],
    {"Length": 3},
]


@pytest.mark.parametrize(("value", "entries"), LISTS)
def test_lists_in_every_spelling(value: object, entries: list[str]) -> None:
    assert Fields({"X": value}).entries("X") == tuple(entries)


@pytest.mark.parametrize("value", DESTROYED)
def test_a_destroyed_list_is_unknown_and_never_empty(value: object) -> None:
    assert isinstance(Fields({"X": value}).entries("X"), Unknown)
    row = inbound_connector(without(SenderIPAddresses=value))
    assert row.lost == ("SenderIPAddresses",)
    assert row.warnings
    connectors = build_snapshot({SettingKind.INBOUND_CONNECTOR: [without(SenderIPAddresses=value)]}).inbound_connectors
    assert isinstance(connectors, Unknown)
    assert "SenderIPAddresses" in connectors.reason
    assert "Inbound from Hygiene" in connectors.reason
    disabled = without(SenderIPAddresses=value, Enabled=False)
    assert not isinstance(build_snapshot({SettingKind.INBOUND_CONNECTOR: [disabled]}).inbound_connectors, Unknown)


LOST = [
    (without("SenderIPAddresses", "TlsSenderCertificateName"), {"SenderIPAddresses"}),
    (without("SenderDomains"), {"SenderDomains"}),
    (without("SenderDomains", ConnectorType="OnPremises"), set()),
    (without("TlsSenderCertificateName", SenderIPAddresses=[]), {"TlsSenderCertificateName"}),
    (without("TlsSenderCertificateName"), set()),
    (without("SenderIPAddresses"), set()),
    (without("AssociatedAcceptedDomains"), set()),
    (without(AssociatedAcceptedDomains="System.Object[]"), {"AssociatedAcceptedDomains"}),
]


@pytest.mark.parametrize(("item", "lost"), LOST)
def test_a_connector_without_a_key(item: dict[str, object], lost: set[str]) -> None:
    row = inbound_connector(item)
    assert set(row.lost) == lost
    assert row.warnings


WARNED = [
    ("SenderIPAddresses", ["203.0.113.0/24", "nonsense"], "nonsense", 1),
    ("SenderIPAddresses", ["2001:db8::1"], "IPv6", 1),
    ("SenderIPAddresses", ["203.0.112.0/23"], "wider than /24", 1),
    ("SenderIPAddresses", ["203.0.113.5-203.0.113.1"], "range", 0),
    ("SenderDomains", ["smtp:a..b;1", "x400:/o=contoso/;1"], "x400", 0),
    ("AssociatedAcceptedDomains", ["-"], "-", 0),
    ("TlsSenderCertificateName", "mail.*.contoso.com", "wildcard", None),
]


@pytest.mark.parametrize(("key", "value", "word", "kept"), WARNED)
def test_a_bad_entry_is_a_warning_on_its_connector(key: str, value: object, word: str, kept: int | None) -> None:
    row = inbound_connector(without(**{key: value}))
    assert any(word in warning and key in warning for warning in row.warnings)
    assert row.lost == ((key,) if kept == 0 else ())  # nothing understood of a list is not an empty list
    if key == "SenderIPAddresses":
        assert len(row.sender_networks) == kept


@pytest.mark.parametrize(
    "item",
    [without("Name"), without(Name=""), without("ConnectorType"), without(ConnectorType="Outbound")],
)
def test_no_connector(item: dict[str, object]) -> None:
    with pytest.raises(SettingError):
        inbound_connector(item)


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("smtp:*;1", SenderDomainPattern(None)),
        ("*", SenderDomainPattern(None)),
        ("SMTP:*.Contoso.com;10", SenderDomainPattern(parse_domain("contoso.com"), with_subdomains=True)),
        ("contoso.com", SenderDomainPattern(parse_domain("contoso.com"))),
        ("smtp:bücher.example;1", SenderDomainPattern(parse_domain("xn--bcher-kva.example"))),
    ],
)
def test_address_spaces(text: str, pattern: SenderDomainPattern) -> None:
    assert sender_pattern(text) == (pattern,)
    assert sender_pattern(str(pattern)) == (pattern,)


def test_an_accepted_domain() -> None:
    row = accepted_domain({"DomainName": "Contoso.com", "DomainType": "InternalRelay", "MatchSubDomains": "True"})
    assert (str(row.domain), row.kind, row.match_subdomains) == ("contoso.com", DomainKind.INTERNAL_RELAY, True)
    assert (row.is_default, row.is_initial) == (False, False)
    bare = accepted_domain({"DomainName": {"Domain": "contoso.com"}, "DomainType": "Strange"})
    assert isinstance(bare.kind, Unknown)
    assert isinstance(bare.match_subdomains, Unknown)
    with pytest.raises(SettingError):
        accepted_domain({"DomainName": "*", "DomainType": "Authoritative"})


def test_organization_config() -> None:
    known = organization_config({"Name": "Contoso.onmicrosoft.com", "RejectDirectSend": "True"})
    assert (known.name, known.reject_direct_send) == ("contoso.onmicrosoft.com", True)
    for item in ({"Name": "x"}, {"Name": "x", "RejectDirectSend": None}):
        assert isinstance(organization_config(item).reject_direct_send, Unknown)


def test_a_transport_rule_keeps_what_it_does() -> None:
    row = transport_rule({"Name": "R", "Priority": "3", "State": "Disabled", "Mode": "Enforce", "SetSCL": None,
                          "Guid": "x", "SenderIpRanges": ["192.0.2.1"], "Quarantine": True})  # fmt: skip
    assert (row.name, row.priority, row.enabled, row.mode) == ("R", 3, False, "Enforce")
    assert row.settings == {"SenderIpRanges": ["192.0.2.1"], "Quarantine": True}
    assert isinstance(transport_rule({"Name": "R", "Priority": 0}).enabled, Unknown)
    for bad in ({"Name": "R"}, {"Priority": 1}, {"Name": "R", "Priority": "first"}):
        with pytest.raises(SettingError):
            transport_rule(bad)


def test_a_transport_rule_remembers_which_keys_it_was_told() -> None:
    row = transport_rule({"Name": "R", "Priority": "3", "FromScope": None, "Exceptions": []})
    assert row.settings == {}
    assert row.told == frozenset({"name", "priority", "fromscope", "exceptions"})


@pytest.mark.parametrize(("value", "expected"), [
    (["Phrase with blanks", "a,b", " x "], ("Phrase with blanks", "a,b", " x ")),
    ({"value": ["a b"], "Count": 1}, ("a b",)),
    ("one phrase", ("one phrase",)),
    ("{one phrase}", ("one phrase",)),
    ("a, b", None),
    ("{a, b}", None),
    ("System.Object[]", None),
    (["a", "System.Object[]"], None),
    (["a", {"Value": "b"}], ("a", "b")),
    (None, ()),
    ([], ()),
    (["", None], ()),
])  # fmt: skip
def test_phrases(value: object, expected: tuple[str, ...] | None) -> None:
    found = Fields({"Key": value}).phrases("key")
    assert (None if isinstance(found, Unknown) else found) == expected


def test_verbatim_and_raw() -> None:
    fields = Fields({"A": " x ", "B": 5, "C": "System.Object[]"})
    assert [fields.verbatim(key) for key in ("a", "b", "c", "d")] == [" x ", "5", "", ""]
    assert (fields.raw("a"), fields.raw("d")) == (" x ", None)


def test_the_connection_filter() -> None:
    default = {"IsDefault": True, "IPAllowList": ["203.0.113.31"], "IPBlockList": "192.0.2.0/24,192.0.2.5-192.0.2.6"}
    other = {"IsDefault": False, "IPAllowList": [], "IPBlockList": ["198.51.100.1"]}
    lists, warnings = connection_filter([other, default])
    assert isinstance(lists, ConnectionFilter)
    assert [str(network) for network in lists.allow] == ["203.0.113.31/32"]
    assert [str(network) for network in lists.block] == ["192.0.2.0/24", "192.0.2.5/32", "192.0.2.6/32"]
    assert warnings == ()
    lists, warnings = connection_filter([{"IPAllowList": [], "IPBlockList": ["x", "192.0.2.1"]}])
    assert isinstance(lists, ConnectionFilter)
    assert len(lists.block) == len(warnings) == 1
    losses: list[dict[str, object]] = [{"IPAllowList": []}, {"IPAllowList": [], "IPBlockList": "System.Object[]"}]
    for lost in losses:
        assert isinstance(connection_filter([lost])[0], Unknown)
    assert isinstance(connection_filter([])[0], Unknown)


RECOGNISED = [
    (CONNECTOR, SettingKind.INBOUND_CONNECTOR),
    (TEXT, SettingKind.INBOUND_CONNECTOR),
    (without("Name"), SettingKind.INBOUND_CONNECTOR),
    ({"DomainName": "a", "DomainType": "Authoritative"}, SettingKind.ACCEPTED_DOMAIN),
    ({"RejectDirectSend": None}, SettingKind.ORGANIZATION_CONFIG),
    ({"Name": "a", "IsMixedMode": False, "PublicFoldersEnabled": "Local"}, SettingKind.ORGANIZATION_CONFIG),
    ({"Name": "a", "Priority": 0, "State": "Enabled", "Mode": "Enforce"}, SettingKind.TRANSPORT_RULE),
    ({"IPAllowList": []}, SettingKind.CONNECTION_FILTER),
    ({"DomainName": "*", "IsInternal": False, "AutoReplyEnabled": True}, None),  # Get-RemoteDomain
    ({"Name": "a", "ConnectorType": "Partner", "RecipientDomains": [], "SmartHosts": [], "TlsSettings": None,
      "CloudServicesMailEnabled": True}, None),  # Get-OutboundConnector
    ({"MessageTraceId": "x", "SenderAddress": "a@b", "Status": "Delivered"}, None),
    ({"Name": "a"}, None),
    ({}, None),
]  # fmt: skip


@pytest.mark.parametrize(("item", "kind"), RECOGNISED)
def test_recognised_by_its_keys(item: dict[str, object], kind: SettingKind | None) -> None:
    assert recognise_setting(item) is kind


def test_a_snapshot_of_nothing_knows_nothing() -> None:
    snapshot = build_snapshot({})
    for part in (
        "accepted_domains",
        "inbound_connectors",
        "reject_direct_send",
        "connection_filter",
        "transport_rules",
    ):
        assert isinstance(getattr(snapshot, part), Unknown)


def test_an_exported_empty_set_is_known_to_be_empty() -> None:
    snapshot = build_snapshot({SettingKind.INBOUND_CONNECTOR: [], SettingKind.TRANSPORT_RULE: []})
    assert snapshot.inbound_connectors == ()
    assert snapshot.transport_rules == ()


def test_a_whole_snapshot() -> None:
    rules = [{"Name": name, "Priority": at, "State": "Enabled", "Mode": "Enforce"} for at, name in ((2, "b"), (1, "a"))]
    domain = {"DomainName": "contoso.onmicrosoft.com", "DomainType": "Authoritative", "InitialDomain": True}
    built = build(
        {
            SettingKind.ACCEPTED_DOMAIN: [domain],
            SettingKind.INBOUND_CONNECTOR: [without(SenderIPAddresses=["::1"])],
            SettingKind.TRANSPORT_RULE: rules,
        },
        "0C0FFEE0-1111-4222-8333-444455556666",
    )
    assert built.snapshot.name == "contoso.onmicrosoft.com"
    assert built.snapshot.tenant_id == "0c0ffee0-1111-4222-8333-444455556666"
    assert not isinstance(built.snapshot.transport_rules, Unknown)
    assert [rule.name for rule in built.snapshot.transport_rules] == ["a", "b"]
    assert any("Inbound from Hygiene" in warning and "IPv6" in warning for warning in built.warnings)
    with pytest.raises(SettingError):
        build({SettingKind.ORGANIZATION_CONFIG: [{"Name": "a"}, {"Name": "b"}]})


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(DESTROYED),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
CONVERTERS: list[Callable[[Mapping[str, object]], object]] = [
    *(inbound_connector, accepted_domain, organization_config, transport_rule),
    lambda item: connection_filter([item]),
]
KEYS = sorted({*CONNECTOR, "DomainName", "DomainType", "Priority", "State", "IPAllowList", "IPBlockList"})


@given(st.dictionaries(st.sampled_from(KEYS), VALUES))
@settings(max_examples=200)
def test_any_object_is_a_setting_or_a_setting_error(item: dict[str, object]) -> None:
    recognise_setting(item)
    for convert in CONVERTERS:
        try:
            convert(item)
        except SettingError:
            continue
