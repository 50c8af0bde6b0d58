"""Random tenants and messages from a small pool of names, so that things meet."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from sidedoor.mail.address import NULL_REVERSE_PATH, Address, EnvelopeSender
from sidedoor.mail.domain import Domain
from sidedoor.mail.fact import Fact, Unknown
from sidedoor.mail.network import parse_ip, parse_network
from sidedoor.policy.facts import ClientCertificate, Connection, Direction, Entry, Envelope, MessageFacts, Tls
from sidedoor.policy.switches import SWITCHES, Switches, with_switches
from sidedoor.tenant.snapshot import (
    AcceptedDomain,
    ConnectionFilter,
    ConnectorKind,
    DomainKind,
    InboundConnector,
    MailExchanger,
    SenderDomainPattern,
    TenantSnapshot,
)

UNKNOWN = Unknown("drawn")
NAMES = ("contoso.com", "sub.contoso.com", "fabrikam.example", "notcontoso.com", "contoso.com.evil.example")
DOMAINS = st.sampled_from([Domain(name) for name in NAMES])
ADDRESSES = st.sampled_from([parse_ip(text) for text in ("192.0.2.1", "192.0.2.130", "203.0.113.9", "2001:db8::1")])
NETWORKS = st.sampled_from([parse_network(text) for text in ("192.0.2.0/25", "192.0.2.128/25", "203.0.113.9")])
CERTIFICATE_NAMES = st.sampled_from(
    ["mail.contoso.com", "*.contoso.com", "mx.fabrikam.example", "*", "b\u00fccher.example", ""]
)


def maybe(values: st.SearchStrategy[Any], unknown: bool) -> st.SearchStrategy[Any]:
    """The values, and unknown where that is wanted."""
    return values | st.just(UNKNOWN) if unknown else values


def accepted_domains(unknown: bool) -> st.SearchStrategy[Any]:
    row = st.builds(
        AcceptedDomain,
        domain=DOMAINS,
        kind=maybe(st.sampled_from(DomainKind), unknown),
        match_subdomains=maybe(st.booleans(), unknown),
    )
    return st.lists(row, max_size=4, unique_by=lambda each: each.domain).map(tuple)


def connectors(unknown: bool) -> st.SearchStrategy[Any]:
    flag = maybe(st.booleans(), unknown)
    patterns = st.builds(SenderDomainPattern, DOMAINS | st.none(), with_subdomains=st.booleans())
    row = st.builds(
        InboundConnector,
        name=st.sampled_from(["A", "B", "C"]),
        kind=st.sampled_from(ConnectorKind),
        enabled=flag,
        sender_domains=st.lists(patterns, max_size=2).map(tuple),
        sender_networks=st.lists(NETWORKS, max_size=2).map(tuple),
        tls_certificate_name=CERTIFICATE_NAMES | st.none(),
        require_tls=flag,
        restrict_to_addresses=flag,
        restrict_to_certificate=flag,
        associated_accepted_domains=st.lists(DOMAINS, max_size=1).map(tuple),
    )
    return st.lists(row, max_size=3, unique_by=lambda each: each.name).map(tuple)


def snapshots(unknown: bool = False, mixed: bool = True) -> st.SearchStrategy[TenantSnapshot]:
    exchangers = st.sampled_from([each for each in MailExchanger if mixed or each is not MailExchanger.MIXED])
    lists = st.builds(
        ConnectionFilter,
        st.lists(NETWORKS, max_size=1).map(tuple),
        st.lists(NETWORKS, max_size=1).map(tuple),
    )
    return st.builds(
        TenantSnapshot,
        maybe(accepted_domains(unknown), unknown),
        maybe(connectors(unknown), unknown),
        maybe(st.booleans(), unknown),
        maybe(lists, unknown),
        mail_exchangers=st.fixed_dictionaries({Domain(name): exchangers for name in NAMES}),
    )


def connections(unknown: bool = False) -> st.SearchStrategy[Connection]:
    certificate = st.builds(
        ClientCertificate, CERTIFICATE_NAMES | st.none(), st.lists(CERTIFICATE_NAMES, max_size=2).map(tuple)
    )
    tls = st.none() | st.builds(Tls, st.just("TLS1.3"), maybe(st.none() | certificate, unknown))
    return st.builds(
        Connection,
        maybe(ADDRESSES | st.none(), unknown),
        st.none(),
        maybe(tls, unknown),
        maybe(st.none() | st.just("user"), unknown),
    )


def envelopes(unknown: bool = False) -> st.SearchStrategy[Envelope]:
    addresses = st.builds(Address, st.just("a"), DOMAINS)
    senders: st.SearchStrategy[Fact[EnvelopeSender]] = addresses | st.just(NULL_REVERSE_PATH)
    return st.builds(Envelope, maybe(senders, unknown), maybe(addresses, unknown))


def messages(unknown: bool = False) -> st.SearchStrategy[MessageFacts]:
    return st.builds(
        MessageFacts,
        connector=maybe(st.sampled_from(["A", "B", "Gone", None]), unknown),
        direction=maybe(st.sampled_from(Direction), unknown),
        accepted=st.booleans(),
        recipient_exists=maybe(st.booleans(), unknown),
        entry=maybe(st.sampled_from(Entry), unknown) if unknown else st.just(UNKNOWN),
    )


@st.composite
def switches(draw: st.DrawFn) -> Switches:
    return with_switches({row.name: draw(st.sampled_from(row.values)) for row in SWITCHES})
