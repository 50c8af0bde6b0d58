"""A snapshot survives being written down, its unknowns too."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidedoor.mail.domain import Domain, parse_domain
from sidedoor.mail.fact import Unknown
from sidedoor.tenant.codec import CodecError, decode, encode
from sidedoor.tenant.snapshot import (
    AcceptedDomain,
    ConnectionFilter,
    ConnectorKind,
    DomainKind,
    InboundConnector,
    MailExchanger,
    SenderDomainPattern,
    TenantSnapshot,
    TransportRule,
)

domains = st.sampled_from([Domain("contoso.com"), Domain("a.b.example"), parse_domain("bücher.example")])
networks = st.sampled_from(["203.0.113.7/32", "198.51.100.0/24", "2001:db8::/48"]).map(ip_network)
unknown = st.text(max_size=20).map(Unknown)
flags = st.booleans() | unknown
patterns = st.builds(SenderDomainPattern, domains, st.booleans()) | st.just(SenderDomainPattern(None))
texts = st.text(max_size=20)


def many(each: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(each, max_size=3).map(tuple)


connectors = st.builds(
    InboundConnector, texts, st.sampled_from(ConnectorKind), flags, sender_domains=many(patterns),
    sender_networks=many(networks), tls_certificate_name=st.none() | texts, require_tls=flags,
    restrict_to_addresses=flags, restrict_to_certificate=flags, associated_accepted_domains=many(domains),
    cloud_services_mail_enabled=flags, treat_messages_as_internal=flags, trusted_organizations=many(texts),
    ef_skip_last_ip=flags, ef_skip_networks=many(networks), source=texts,
    changed_at=st.none() | st.datetimes(timezones=st.just(UTC)), warnings=many(texts), lost=many(texts),
)  # fmt: skip
accepted = st.builds(
    AcceptedDomain, domains, st.sampled_from(DomainKind) | unknown, flags, is_default=st.booleans(),
    is_initial=st.booleans(),
)  # fmt: skip
json_values = st.recursive(st.none() | st.booleans() | st.integers(0, 9) | texts, lambda x: st.lists(x, max_size=2))
rules = st.builds(
    TransportRule, texts, st.integers(0, 9), flags, texts, st.dictionaries(texts, json_values, max_size=2),
    st.none() | st.frozensets(texts, max_size=2),
)  # fmt: skip
snapshots = st.builds(
    TenantSnapshot, many(accepted) | unknown, many(connectors) | unknown, flags,
    st.builds(ConnectionFilter, many(networks), many(networks)) | unknown, many(rules) | unknown, texts, texts,
    st.dictionaries(domains, st.sampled_from(MailExchanger) | unknown, max_size=2),
)  # fmt: skip


@given(snapshots)
def test_what_is_written_reads_the_same(snapshot: TenantSnapshot) -> None:
    assert decode(json.loads(json.dumps(encode(snapshot)))) == snapshot


@given(snapshots)
def test_the_same_snapshot_gives_the_same_text(snapshot: TenantSnapshot) -> None:
    assert json.dumps(encode(snapshot)) == json.dumps(encode(decode(encode(snapshot))))


def test_unknown_is_not_absent() -> None:
    assert decode(encode(TenantSnapshot())).reject_direct_send == TenantSnapshot().reject_direct_send
    assert decode(encode(replace(TenantSnapshot(), inbound_connectors=()))).inbound_connectors == ()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("accepted_domains", [{"domain": "no domain at all"}]),
        ("accepted_domains", 3),
        ("inbound_connectors", [{"name": "x"}]),
        ("reject_direct_send", "yes"),
        ("connection_filter", []),
        ("mail_exchangers", {"contoso.com": "here"}),
    ],
)
def test_something_else_is_said_to_be_so(key: str, value: object) -> None:
    with pytest.raises(CodecError):
        decode(encode(TenantSnapshot()) | {key: value})


@given(json_values | st.dictionaries(texts, json_values))
def test_no_other_error(values: object) -> None:
    with pytest.raises(CodecError):
        decode(values)


def test_a_moment_keeps_its_zone() -> None:
    row = InboundConnector("x", ConnectorKind.PARTNER, enabled=True, changed_at=datetime(2026, 1, 2, tzinfo=UTC))
    assert decode(encode(TenantSnapshot(inbound_connectors=(row,)))).inbound_connectors == (row,)
