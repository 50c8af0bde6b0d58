"""One example of each way a fact could be that makes a difference to a tenant: what `worlds` puts in for unknowns."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address

from sidedoor.mail.domain import Domain
from sidedoor.mail.fact import Unknown
from sidedoor.mail.network import IPAddress, Partition
from sidedoor.policy.facts import ClientCertificate
from sidedoor.policy.tables import (
    AcceptedTable,
    ConnectorTable,
    Settled,
    accepted_tables,
    build_table,
    connector_tables,
)
from sidedoor.tenant.snapshot import ConnectorKind, InboundConnector, SenderDomainPattern, TenantSnapshot

# RFC 2606 section 2: nobody's domain.
_OUTSIDE, _INSIDE = Domain("elsewhere.invalid"), Domain("inside.invalid")
NO_CONNECTORS = build_table(())
_LOCK = InboundConnector("", ConnectorKind.PARTNER, enabled=True, sender_domains=(SenderDomainPattern(None),))
LOCKED_TABLE = build_table(
    (Settled(_LOCK, "", restrict_addresses=True, restrict_certificate=False, require_tls=False),)
)
"""A tenant that lets nobody in: one of the ways that unknown connectors could be."""


class Examples:
    """Representatives for one snapshot. `accepted` and `tables` are empty where the snapshot does not know them."""

    def __init__(self, snapshot: TenantSnapshot, filter_addresses: Partition[str] | None) -> None:
        self._snapshot = snapshot
        self._filter = filter_addresses
        domains, connectors = snapshot.accepted_domains, snapshot.inbound_connectors
        self.accepted: tuple[AcceptedTable, ...] = () if isinstance(domains, Unknown) else accepted_tables(domains)
        self._connectors = () if isinstance(connectors, Unknown) else connectors
        self.tables: tuple[ConnectorTable, ...] = (
            () if isinstance(connectors, Unknown) else connector_tables(connectors)
        )

    @cached_property
    def _by_name(self) -> dict[str, InboundConnector]:
        return {row.name.strip().casefold(): row for row in reversed(self._connectors)}

    def by_name(self, name: str) -> InboundConnector | None:
        """The connector of that name, enabled or not, without regard to case."""
        return self._by_name.get(name.strip().casefold())

    @cached_property
    def addresses(self) -> tuple[IPAddress | None, ...]:
        """None for an address in no list, and one address for each set of lists that some address is in."""
        found: dict[Hashable, IPAddress] = {}
        partitions: list[Partition[int] | Partition[str]] = [table.networks for table in self.tables]
        partitions += [self._filter] if self._filter is not None else []
        for number, lists in enumerate(partitions):
            for interval in lists.intervals:
                address = IPv4Address(interval.first) if interval.version == 4 else IPv6Address(interval.first)
                found.setdefault((number, interval.labels), address)
        return (None, *dict.fromkeys(found.values()))

    @cached_property
    def certificates(self) -> tuple[tuple[ConnectorKind, ClientCertificate], ...]:
        """One certificate for each certificate connector that is or may be enabled."""
        rows = dict.fromkeys((c.row.kind, c.certificate) for t in self.tables for c in t.connectors if c.certificate)
        return tuple((kind, ClientCertificate(name, (name,))) for kind, name in rows)

    @cached_property
    def senders(self) -> tuple[Domain | None, ...]:
        """The null reverse-path, and one domain for each way in which the tenant tells senders apart."""
        found: dict[Hashable, Domain] = {}
        for domain in self._mentioned():
            found.setdefault(self._signature(domain), domain)
        return (None, *found.values())

    @cached_property
    def hosted(self) -> tuple[Domain, ...]:
        """An accepted domain for each kind and MX; a stand-in where there is none or they are unknown."""
        rows = self.accepted[0].exact.values() if self.accepted else ()
        found: dict[Hashable, Domain] = {}
        for row in rows:
            found.setdefault((row.kind, self._snapshot.mail_exchangers.get(row.domain)), row.domain)
        return tuple(found.values()) or (_INSIDE,)

    @property
    def outside(self) -> Sequence[Domain]:
        """A recipient domain that is not hosted here."""
        return (_OUTSIDE,)

    def _mentioned(self) -> Iterator[Domain]:
        """Every domain the tenant's settings name, a subdomain of each, and one they do not name."""
        names = [] if not self.accepted else [row.domain for row in self.accepted[0].exact.values()]
        patterns = [pattern.domain for row in self._connectors for pattern in row.sender_domains]
        for name in (*names, *(domain for domain in patterns if domain is not None)):
            yield name
            yield Domain(f"sub.{name.ascii}")
        yield from (_OUTSIDE, _INSIDE)

    def _signature(self, domain: Domain) -> Hashable:
        """Equal for domains that no setting tells apart."""
        accepted = [table.find(domain) for table in self.accepted]
        own = tuple(None if row is None else (row.domain == domain) for row in accepted)
        levels = tuple(tuple(table.levels(domain, null_covered=True)) for table in self.tables)
        limits = tuple(
            row is not None and row.domain in connector.associated_accepted_domains
            for row in accepted
            for connector in self._connectors
            if connector.associated_accepted_domains
        )
        return own, levels, limits, domain == _INSIDE and not self.accepted
