"""One example of each way a fact could be that makes a difference to a tenant: what `worlds` puts in for unknowns."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address

from sidedoor.mail.domain import Domain
from sidedoor.mail.fact import Unknown
from sidedoor.mail.network import Interval, IPAddress, Partition
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
        for number, table in enumerate(self.tables):
            for interval in table.networks.intervals:
                alike = frozenset(_alike(table.connectors[index]) for index in interval.labels)
                found.setdefault((number, alike, self._filter_labels(_first(interval))), _first(interval))
        for lists in () if self._filter is None else self._filter.intervals:
            found.setdefault(lists.labels, _first(lists))
        return (None, *dict.fromkeys(found.values()))

    def _filter_labels(self, address: IPAddress) -> frozenset[str]:
        return frozenset() if self._filter is None else self._filter.labels_of(address)

    @cached_property
    def certificates(self) -> tuple[tuple[ConnectorKind, ClientCertificate], ...]:
        """One certificate for each way in which certificate connectors that are or may be enabled differ."""
        found: dict[Hashable, tuple[ConnectorKind, str]] = {}
        for number, table in enumerate(self.tables):
            for row in table.connectors:
                if row.certificate:
                    fits = frozenset(_alike(table.connectors[i]) for i in table.by_certificate_name(row.certificate))
                    domain = Domain(row.certificate.removeprefix("*."))
                    covering = tuple(accepted.find(domain) for accepted in self.accepted)
                    own = tuple(None if each is None else each.domain for each in covering)
                    found.setdefault((number, row.row.kind, fits, own), (row.row.kind, row.certificate))
        return tuple((kind, ClientCertificate(name, (name,))) for kind, name in dict.fromkeys(found.values()))

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


def _first(interval: Interval[int] | Interval[str]) -> IPAddress:
    return IPv4Address(interval.first) if interval.version == 4 else IPv6Address(interval.first)


def _alike(connector: Settled) -> Hashable:
    """Equal for connectors that differ in nothing but what identifies their clients.

    Where address and certificate must both fit, the two have to be of the same connector, so it is like no other.
    """
    row = connector.row
    both = connector.restrict_addresses and connector.restrict_certificate
    own_name = connector.certificate if row.kind is ConnectorKind.ON_PREMISES else ""
    return (
        row.kind, frozenset(row.sender_domains), frozenset(row.associated_accepted_domains), own_name.startswith("*."),
        connector.restrict_addresses, connector.restrict_certificate, connector.require_tls, row.name if both else "",
    )  # fmt: skip
