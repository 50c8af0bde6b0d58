"""Scenario files: a tenant in a few words, the facts, and what the rule must say."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sidedoor.mail.address import parse_address, parse_envelope_sender
from sidedoor.mail.domain import parse_domain
from sidedoor.mail.fact import Fact, Unknown
from sidedoor.mail.network import parse_ip, parse_networks
from sidedoor.policy.facts import ClientCertificate, Connection, Direction, Entry, Envelope, MessageFacts, Tls
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

DATA = Path(__file__).parent.parent / "data" / "policy"
UNKNOWN = Unknown("the scenario says so")
Row = Mapping[str, Any]


def load(name: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The named tenants and the scenarios of one TOML file."""
    with (DATA / name).open("rb") as stream:
        told = tomllib.load(stream)
    return told["tenant"], told["scenario"]


def fact(row: Row, key: str, default: Any) -> Any:
    """The value of a key; the word "unknown" is an unknown fact."""
    value = row.get(key, default)
    return UNKNOWN if value == "unknown" else value


def snapshot(row: Row) -> TenantSnapshot:
    """A tenant from its table; see tests/data/policy/live.toml for the keys."""
    accepted, connectors = fact(row, "accepted", []), fact(row, "connectors", [])
    lists = fact(row, "filter", {})
    return TenantSnapshot(
        UNKNOWN if accepted is UNKNOWN else tuple(map(accepted_domain, accepted)),
        UNKNOWN if connectors is UNKNOWN else tuple(map(connector, connectors)),
        fact(row, "reject_direct_send", False),
        UNKNOWN
        if lists is UNKNOWN
        else ConnectionFilter(
            tuple(net for text in lists.get("allow", []) for net in parse_networks(text)),
            tuple(net for text in lists.get("block", []) for net in parse_networks(text)),
        ),
        tuple(TransportRule(name, 0, True, "Enforce") for name in row.get("rules", [])),
        mail_exchangers={parse_domain(name): MailExchanger(where) for name, where in row.get("mx", {}).items()},
    )


def accepted_domain(row: str | Row) -> AcceptedDomain:
    """`contoso.com`, or a table with name, kind and match_subdomains."""
    if isinstance(row, str):
        return AcceptedDomain(parse_domain(row), DomainKind.AUTHORITATIVE, match_subdomains=False)
    kind: Fact[str] = fact(row, "kind", "Authoritative")
    return AcceptedDomain(
        parse_domain(row["name"]),
        kind if isinstance(kind, Unknown) else DomainKind(kind),
        match_subdomains=fact(row, "match_subdomains", False),
    )


def connector(row: Row) -> InboundConnector:
    """One inbound connector from its table."""
    return InboundConnector(
        row["name"],
        ConnectorKind(row["kind"]),
        enabled=fact(row, "enabled", True),
        sender_domains=tuple(pattern(text) for text in row.get("senders", ["*"])),
        sender_networks=tuple(net for text in row.get("ips", []) for net in parse_networks(text)),
        tls_certificate_name=row.get("certificate"),
        require_tls=fact(row, "require_tls", False),
        restrict_to_addresses=fact(row, "restrict_ips", False),
        restrict_to_certificate=fact(row, "restrict_certificate", False),
        associated_accepted_domains=tuple(map(parse_domain, row.get("associated", []))),
        trusted_organizations=tuple(row.get("trusts", [])),
        warnings=tuple(row.get("warnings", [])),
    )


def pattern(text: str) -> SenderDomainPattern:
    """`*`, `*.contoso.com` or `contoso.com`."""
    if text == "*":
        return SenderDomainPattern(None)
    return SenderDomainPattern(parse_domain(text.removeprefix("*.")), with_subdomains=text.startswith("*."))


def facts(row: Row) -> tuple[Connection, Envelope, MessageFacts]:
    """The facts of a scenario. At the door silence is absence; in a history (`history = true`) it is unknown."""
    silence = "unknown" if row.get("history") else None
    ip, sender, to = fact(row, "ip", "unknown"), fact(row, "from", "unknown"), fact(row, "to", "unknown")
    name = fact(row, "connector", "unknown")
    direction, entry = fact(row, "direction", "unknown"), fact(row, "entry", "unknown")
    return (
        Connection(
            ip if isinstance(ip, Unknown) else (parse_ip(ip) if ip else None),
            fact(row, "helo", silence),
            tls(row, silence),
            fact(row, "login", silence) or None,
        ),
        Envelope(
            sender if isinstance(sender, Unknown) else parse_envelope_sender(sender),
            to if isinstance(to, Unknown) else parse_address(to),
        ),
        MessageFacts(
            connector=name if isinstance(name, Unknown) else (name or None),
            direction=direction if isinstance(direction, Unknown) else Direction(direction),
            accepted=bool(row.get("history")),
            recipient_exists=fact(row, "exists", "unknown"),
            entry=entry if isinstance(entry, Unknown) else Entry(entry),
        ),
    )


def tls(row: Row, silence: str | None) -> Fact[Tls | None]:
    """`tls = "none"`, a version, or silence; `san` and `cn` make a certificate."""
    version = fact(row, "tls", silence)
    names, common = row.get("san"), row.get("cn")
    if names or common:
        shown = ClientCertificate(common, tuple(names or ()))
        return Tls("TLS1.3" if version in {None, UNKNOWN} else version, shown)
    if isinstance(version, Unknown) or version is None:
        return version
    return None if version == "none" else Tls(version, UNKNOWN if row.get("history") else None)
