"""A snapshot's accepted domains and inbound connectors as look-up tables, with every setting settled one way.

Where a snapshot leaves a setting open there are several tables, one for each way (`accepted_tables`,
`connector_tables`); `worlds` walks through them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import NamedTuple

from sidedoor.mail.domain import Domain, DomainError, parse_domain
from sidedoor.mail.fact import Fact, Unknown, known, value_or
from sidedoor.mail.network import IPAddress, Partition, partition
from sidedoor.tenant.snapshot import NOT_EXPORTED, AcceptedDomain, ConnectorKind, InboundConnector


def ancestors(name: str) -> Iterator[str]:
    """Proper parents of a domain name, nearest first: `b.example`, `example` for `a.b.example`."""
    rest = name.partition(".")[2]
    while rest:
        yield rest
        rest = rest.partition(".")[2]


@dataclass(frozen=True, slots=True)
class AcceptedTable:
    """Accepted domains by name; `parents`: those with MatchSubDomains; `everything`: the world of all domains."""

    exact: Mapping[str, AcceptedDomain] = field(default_factory=dict)
    parents: Mapping[str, AcceptedDomain] = field(default_factory=dict)
    everything: bool = False

    @classmethod
    def of(cls, domains: Iterable[Domain]) -> AcceptedTable:
        """A table of bare names, for worlds in which just these are accepted."""
        return cls({name.ascii: AcceptedDomain(name, NOT_EXPORTED, match_subdomains=False) for name in domains})

    def find(self, domain: Domain) -> AcceptedDomain | None:
        """The accepted domain that covers `domain`: itself, else the nearest parent with MatchSubDomains, else None."""
        hit = self.exact.get(domain.ascii)
        if hit is None and self.parents:
            hit = next((self.parents[name] for name in ancestors(domain.ascii) if name in self.parents), None)
        if hit is None and self.everything:
            return AcceptedDomain(domain, NOT_EXPORTED, match_subdomains=False)
        return hit


def accepted_tables(accepted: Sequence[AcceptedDomain]) -> tuple[AcceptedTable, ...]:
    """One table, or two where some MatchSubDomains is unknown: all such off, all such on."""
    exact = {row.domain.ascii: row for row in accepted}
    answers = (False,) if all(known(row.match_subdomains) for row in accepted) else (False, True)
    return tuple(
        AcceptedTable(
            exact,
            {row.domain.ascii: row for row in accepted if value_or(row.match_subdomains, answer)},
        )
        for answer in answers
    )


class Settled(NamedTuple):
    """An enabled connector with every flag known."""

    row: InboundConnector
    certificate: str  # TlsSenderCertificateName in comparable form, "" where there is none
    restrict_addresses: bool
    restrict_certificate: bool
    require_tls: bool

    @property
    def restricts(self) -> bool:
        """Whether it refuses mail of its SenderDomains that comes from elsewhere."""
        return self.restrict_addresses or self.restrict_certificate

    def covers(self, domain: Domain | None, *, null_covered: bool) -> bool:
        """Whether its SenderDomains cover the envelope sender's domain (None: the null reverse-path)."""
        if domain is None:
            return null_covered and any(pattern.domain is None for pattern in self.row.sender_domains)
        return any(pattern.covers(domain) for pattern in self.row.sender_domains)


class Level(NamedTuple):
    """Partner connectors (by index) that name the same SenderDomains entry."""

    all: tuple[int, ...] = ()
    restricting: tuple[int, ...] = ()  # with a Restrict... flag
    tls: tuple[int, ...] = ()  # with RequireTls
    bare: tuple[int, ...] = ()  # naming neither address nor certificate


NO_LEVEL = Level()


@dataclass(frozen=True, slots=True)
class ConnectorTable:
    """Enabled inbound connectors, indexed by everything that may find one."""

    connectors: tuple[Settled, ...]
    networks: Partition[int]
    certificates: Mapping[str, tuple[int, ...]]  # by exact name
    wildcards: Mapping[str, tuple[int, ...]]  # by the name behind `*.`
    exact_senders: Mapping[str, Level]
    parent_senders: Mapping[str, Level]  # `*.contoso.com`: the domain and its subdomains
    any_sender: Level
    warned: frozenset[str]  # names of connectors whose export carries warnings

    def by_address(self, address: IPAddress | None) -> frozenset[int]:
        """Connectors whose SenderIPAddresses hold the address. IPv4 only, as New-InboundConnector documents."""
        return frozenset() if address is None else self.networks.labels_of(address)

    def by_certificate_name(self, name: str) -> tuple[int, ...]:
        """Connectors whose TlsSenderCertificateName fits one (lower-case) name of a certificate."""
        hits = self.certificates.get(name, ())
        if not self.wildcards:
            return hits
        # `*.contoso.com` on the certificate is the connector's `*.contoso.com`; a wildcard covers one or more labels.
        return hits + tuple(hit for parent in ancestors(name) for hit in self.wildcards.get(parent, ()))

    def levels(self, domain: Domain | None, *, null_covered: bool) -> Iterator[Level]:
        """Partner connectors that cover the envelope sender's domain, the most specific entry first."""
        if domain is not None:
            yield self.exact_senders.get(domain.ascii, NO_LEVEL)
            if self.parent_senders:
                yield self.parent_senders.get(domain.ascii, NO_LEVEL)
                for parent in ancestors(domain.ascii):
                    yield self.parent_senders.get(parent, NO_LEVEL)
        if domain is not None or null_covered:
            yield self.any_sender


def build_table(connectors: Iterable[Settled]) -> ConnectorTable:
    """Index connectors: O(n log n) in entries."""
    rows = tuple(connectors)
    partners = [(index, c) for index, c in enumerate(rows) if c.row.kind is ConnectorKind.PARTNER]
    names = [(c.certificate, index) for index, c in enumerate(rows) if c.certificate]
    return ConnectorTable(
        rows,
        partition((net, i) for i, c in enumerate(rows) for net in c.row.sender_networks if net.version == 4),
        _group((name, index) for name, index in names if not name.startswith("*.")),
        _group((name[2:], index) for name, index in names if name.startswith("*.")),
        _levels(rows, _senders(partners, with_subdomains=False)),
        _levels(rows, _senders(partners, with_subdomains=True)),
        _level(rows, [i for i, c in partners if any(pattern.domain is None for pattern in c.row.sender_domains)]),
        frozenset(c.row.name for c in rows if c.row.warnings),
    )


def connector_tables(connectors: Sequence[InboundConnector]) -> tuple[ConnectorTable, ...]:
    """One table, or one for each way that unknown settings may be: all such off, all such on."""
    enabled = _answers(row.enabled for row in connectors)
    kept = [row for row in connectors if row.enabled is not False]
    flags = _answers(
        flag for row in kept for flag in (row.restrict_to_addresses, row.restrict_to_certificate, row.require_tls)
    )
    return tuple(
        build_table(_settle(row, flag) for row in kept if value_or(row.enabled, on))
        for on, flag in product(enabled, flags)
    )


def _answers(facts: Iterable[Fact[bool]]) -> tuple[bool, ...]:
    return (False, True) if any(isinstance(fact, Unknown) for fact in facts) else (False,)


def _settle(row: InboundConnector, answer: bool) -> Settled:
    name = comparable_name(row.tls_certificate_name or "")
    # Restrict... and RequireTls are honoured on Partner connectors only (New-InboundConnector).
    if row.kind is not ConnectorKind.PARTNER:
        return Settled(row, name, restrict_addresses=False, restrict_certificate=False, require_tls=False)
    return Settled(
        row,
        name,
        value_or(row.restrict_to_addresses, answer),
        value_or(row.restrict_to_certificate, answer),
        value_or(row.require_tls, answer),
    )


def comparable_name(name: str) -> str:
    """A certificate name in lower case and A-labels, its leading `*.` kept; "" for what is no domain name."""
    bare = name.strip()
    wildcard = "*." if bare.startswith("*.") else ""
    try:
        return wildcard + parse_domain(bare.removeprefix("*.")).ascii
    except DomainError:
        return ""


def _group(pairs: Iterable[tuple[str, int]]) -> dict[str, tuple[int, ...]]:
    grouped: dict[str, list[int]] = {}
    for key, index in pairs:
        grouped.setdefault(key, []).append(index)
    return {key: tuple(indexes) for key, indexes in grouped.items()}


def _senders(partners: Iterable[tuple[int, Settled]], *, with_subdomains: bool) -> dict[str, tuple[int, ...]]:
    """SenderDomains entries of one shape (`contoso.com` or `*.contoso.com`) -> connectors that have them."""
    return _group(
        (pattern.domain.ascii, index)
        for index, connector in partners
        for pattern in dict.fromkeys(connector.row.sender_domains)
        if pattern.domain is not None and pattern.with_subdomains is with_subdomains
    )


def _levels(rows: Sequence[Settled], groups: Mapping[str, tuple[int, ...]]) -> dict[str, Level]:
    return {name: _level(rows, indexes) for name, indexes in groups.items()}


def _level(rows: Sequence[Settled], indexes: Sequence[int]) -> Level:
    return Level(
        tuple(indexes),
        tuple(index for index in indexes if rows[index].restricts),
        tuple(index for index in indexes if rows[index].require_tls),
        tuple(index for index in indexes if not rows[index].row.identifies_by_address_or_certificate),
    )
