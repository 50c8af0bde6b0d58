"""Decision classes: the few kinds of domain and address that the rule can tell apart in a given tenant.

The rule looks at a domain only to ask whether an accepted domain, a connector's SenderDomains or its
AssociatedAcceptedDomains covers it, and at an address only to ask which connector or filter network holds it. Two
domains (addresses) with the same answers are in one class; deciding one representative decides them all, so the cost
of an audit grows with classes, not with the number of foreign domains and addresses on the internet.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sidedoor.mail.domain import Domain
from sidedoor.mail.fact import Unknown
from sidedoor.mail.network import IPAddress, IPNetwork, Partition, partition
from sidedoor.tenant.snapshot import MailExchanger, TenantSnapshot

FOREIGN = Domain("a-domain-of-no-setting.invalid")  # RFC 6761 section 6.4: never exists
FOREIGN_CLASS = 0
# Own classes count down from here, so that "may be ours" is one comparison with zero; -1 and -2 are unknown and null.
FIRST_OWN_CLASS = -3

# A network wider than this many addresses is not spelled out address by address (Exchange allows /24 at most).
_MOST_LISTED = 1 << 16
_MOST_BEGINNINGS = 16


@dataclass(frozen=True, slots=True)
class DomainClasses:
    """`exact`: text of a domain (A-label and U-label) -> class. `suffixes`: `.domain` -> class, longest first.

    `representatives`: class -> a domain of it, to be decided; class 0 is every other domain.
    """

    exact: Mapping[str, int]
    suffixes: tuple[tuple[str, int], ...]
    representatives: Mapping[int, Domain]

    def of(self, domain: str) -> int:
        """The class of a domain as text in lower case."""
        if domain in self.exact:
            return self.exact[domain]
        return next((number for suffix, number in self.suffixes if domain.endswith(suffix)), FOREIGN_CLASS)


def domain_classes(snapshot: TenantSnapshot) -> DomainClasses:
    """Every domain that a setting names is a class of its own, and so is "somewhere below" one that covers that.

    Classes that an accepted domain covers have numbers from FIRST_OWN_CLASS down, the others from 1 up.
    """
    exact: dict[str, int] = {}
    suffixes: dict[str, int] = {}
    representatives: dict[int, Domain] = {FOREIGN_CLASS: FOREIGN}
    own, other = FIRST_OWN_CLASS, FOREIGN_CLASS + 1
    for domain, covers_below in sorted(_named_domains(snapshot).items()):
        for example, below in ((domain, False), (Domain(f"some-subdomain.{domain}"), True))[: 1 + covers_below]:
            if snapshot.accepts(example):
                number, own = own, own - 1
            else:
                number, other = other, other + 1
            representatives[number] = example
            texts = (f".{spelling}" if below else spelling for spelling in _spellings(domain))
            (suffixes if below else exact).update(dict.fromkeys(texts, number))
    longest_first = sorted(suffixes.items(), key=lambda item: (-len(item[0]), item[0]))
    return DomainClasses(exact, tuple(longest_first), representatives)


def _spellings(domain: Domain) -> set[str]:
    return {domain.ascii, domain.unicode}


def _named_domains(snapshot: TenantSnapshot) -> dict[Domain, bool]:
    """All domains in the settings, with whether any setting covers their subdomains too."""
    named: dict[Domain, bool] = {}
    if not isinstance(snapshot.accepted_domains, Unknown):
        for accepted in snapshot.accepted_domains:
            # Unknown MatchSubDomains: subdomains are a class of their own, for the rule to call undetermined.
            named[accepted.domain] = named.get(accepted.domain, False) or accepted.match_subdomains is not False
    for connector in snapshot.known_connectors:
        for pattern in connector.sender_domains:
            if pattern.domain is not None:
                named[pattern.domain] = named.get(pattern.domain, False) or pattern.with_subdomains
        for domain in connector.associated_accepted_domains:
            named.setdefault(domain, False)
    return named


@dataclass(frozen=True, slots=True)
class Classes:
    """How a tenant's settings divide domains and addresses.

    `every_sender`: mail of foreign envelope senders needs a sender in the report too, because it may have been sent
    directly beside the published MX, or because nobody knows which domains are the organisation's own.
    """

    domains: DomainClasses
    addresses: AddressClasses
    every_sender: bool

    def fingerprint(self) -> str:
        """The same for classes that divide domains and addresses alike, in hexadecimal."""
        numbers = self.addresses.numbers
        networks = [(i.version, i.first, i.last, numbers[i.labels]) for i in self.addresses.networks.intervals]
        parts = (sorted(self.domains.exact.items()), self.domains.suffixes, networks, self.every_sender)
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def classes_of(snapshot: TenantSnapshot) -> Classes:
    """The decision classes of a tenant, its MX records included in `snapshot`."""
    beside = {MailExchanger.ELSEWHERE, MailExchanger.MIXED}
    every_sender = isinstance(snapshot.accepted_domains, Unknown) or any(
        exchanger in beside for exchanger in snapshot.mail_exchangers.values()
    )
    return Classes(domain_classes(snapshot), address_classes(snapshot), every_sender)


@dataclass(frozen=True, slots=True)
class AddressClasses:
    """Addresses told apart by the networks that hold them; class 0 holds those in none."""

    networks: Partition[str]
    numbers: Mapping[frozenset[str], int]

    def of(self, address: IPAddress) -> int:
        """The class of one address."""
        return self.numbers[self.networks.labels_of(address)]

    def representatives(self) -> Mapping[int, IPAddress]:
        """Class -> an address of it, to be decided."""
        found: dict[int, IPAddress] = {0: self._outsider()}
        for interval in self.networks.intervals:
            found.setdefault(self.numbers[interval.labels], _address(interval.version, interval.first))
        return found

    def _outsider(self) -> IPAddress:
        """An IPv4 address in no network: the first in or after the documentation range (RFC 5737)."""
        value = int(ipaddress.IPv4Address("192.0.2.1"))
        for interval in self.networks.intervals:
            if interval.version == 4 and interval.first <= value <= interval.last:
                value = interval.last + 1
        return ipaddress.IPv4Address(min(value, 2**32 - 1))

    def listed(self) -> Iterator[tuple[str, int]]:
        """(text of the address, class) for every address in a network small enough to be spelled out."""
        for interval in self.networks.intervals:
            if interval.last - interval.first >= _MOST_LISTED:
                continue
            for value in range(interval.first, interval.last + 1):
                yield str(_address(interval.version, value)), self.numbers[interval.labels]

    @property
    def all_listed(self) -> bool:
        """Whether `listed` names every address outside class 0."""
        return all(interval.last - interval.first < _MOST_LISTED for interval in self.networks.intervals)

    def wide_beginnings(self) -> tuple[str, ...]:
        """How the texts of addresses begin that lie in a network outside `listed`; "" for all texts."""
        beginnings: set[str] = set()
        for interval in self.networks.intervals:
            if interval.last - interval.first >= _MOST_LISTED:
                beginnings |= _beginnings(interval.version, interval.first, interval.last)
        return ("",) if "" in beginnings else tuple(sorted(beginnings))


def _beginnings(version: int, first: int, last: int) -> set[str]:
    """The first octets, or first groups, of the addresses of an interval as text; {""} where those are many.

    A group that is zero is written in two ways (RFC 5952 section 4.2).
    """
    shift, shape = (24, "{}.") if version == 4 else (112, "{:x}:")
    groups = range(first >> shift, (last >> shift) + 1)
    return {""} if len(groups) > _MOST_BEGINNINGS or (version == 6 and 0 in groups) else {*map(shape.format, groups)}


def _address(version: int, value: int) -> IPAddress:
    return ipaddress.IPv4Address(value) if version == 4 else ipaddress.IPv6Address(value)


def address_classes(snapshot: TenantSnapshot) -> AddressClasses:
    """Cut the address space at the edges of all networks in connectors and connection filter."""
    networks = partition(_named_networks(snapshot))
    signatures = {frozenset[str](), *(interval.labels for interval in networks.intervals)}
    ordered = sorted(signatures, key=lambda labels: (len(labels) > 0, sorted(labels)))
    return AddressClasses(networks, {labels: number for number, labels in enumerate(ordered)})


def _named_networks(snapshot: TenantSnapshot) -> Iterator[tuple[IPNetwork, str]]:
    for number, connector in enumerate(snapshot.known_connectors):
        for network in connector.sender_networks:
            yield network, f"connector-{number}"
    if not isinstance(snapshot.connection_filter, Unknown):
        for network in snapshot.connection_filter.allow:
            yield network, "allow"
        for network in snapshot.connection_filter.block:
            yield network, "block"
