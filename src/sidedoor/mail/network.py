"""IP addresses and networks, and the partition of the address space that a set of networks makes.

IPv4-mapped IPv6 addresses (`::ffff:203.0.113.10`) are the IPv4 address: a dual-stack log writes either.
"""

from __future__ import annotations

import ipaddress
from bisect import bisect_right
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
L = TypeVar("L", bound=Hashable)


class NetworkError(ValueError):
    """The text is no IP address, network or range; the message says why."""


def parse_ip(text: str) -> IPAddress:
    """Parse one address; accepts `[203.0.113.10]`, `[IPv6:2001:db8::1]` and zone ids. Raises NetworkError."""
    bare = text.strip().removeprefix("[").removesuffix("]")
    if bare[:5].lower() == "ipv6:":  # the tag of an address literal (RFC 5321 section 4.1.3)
        bare = bare[5:]
    bare = bare.partition("%")[0] if ":" in bare else bare
    try:
        address = ipaddress.ip_address(bare)
    except ValueError as error:
        raise NetworkError(f"{text[:60]!r} is no IP address") from error
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def parse_network(text: str) -> IPNetwork:
    """Parse `203.0.113.0/24` or a single address; host bits are tolerated, as Exchange does. Raises NetworkError."""
    try:
        network = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError as error:
        raise NetworkError(f"{text[:60]!r} is no network") from error
    mapped = network.network_address.ipv4_mapped if isinstance(network, ipaddress.IPv6Network) else None
    if mapped is None or network.prefixlen < 96:
        return network
    return ipaddress.ip_network((mapped, network.prefixlen - 96))


def parse_networks(text: str) -> tuple[IPNetwork, ...]:
    """Parse a network or a range `203.0.113.10-203.0.113.20`, which becomes the networks that make it up."""
    first, dash, last = text.partition("-")
    if not dash:
        return (parse_network(text),)
    low, high = parse_ip(first), parse_ip(last)
    if low.version != high.version or int(low) > int(high):
        raise NetworkError(f"{text[:60]!r} is no range: its ends do not fit")
    return tuple(ipaddress.summarize_address_range(low, high))


@dataclass(frozen=True, slots=True)
class Interval(Generic[L]):
    """Addresses `first` to `last` (as integers, both inclusive) of one IP version that carry the same `labels`."""

    version: int
    first: int
    last: int
    labels: frozenset[L]


@dataclass(frozen=True, slots=True)
class Partition(Generic[L]):
    """The address space cut at every network's edges: within an interval all addresses are alike.

    Gaps (addresses in no network) are not stored; `labels_of` answers the empty set for them.
    """

    intervals: tuple[Interval[L], ...]
    _starts: dict[int, tuple[list[int], list[Interval[L]]]]

    def labels_of(self, address: IPAddress) -> frozenset[L]:
        """Labels of all networks that hold `address`: O(log n)."""
        starts, intervals = self._starts.get(address.version, ([], []))
        index = bisect_right(starts, int(address)) - 1
        if index < 0 or intervals[index].last < int(address):
            return frozenset()
        return intervals[index].labels


def partition(labelled: Iterable[tuple[IPNetwork, L]]) -> Partition[L]:
    """Cut the address space at the edges of `labelled` networks, in O(n log n)."""
    by_version: dict[int, list[tuple[IPNetwork, L]]] = {4: [], 6: []}
    for network, label in labelled:
        by_version[network.version].append((network, label))
    cut = {version: _sweep(version, items) for version, items in by_version.items()}
    return Partition(
        tuple(interval for intervals in cut.values() for interval in intervals),
        {version: ([i.first for i in intervals], intervals) for version, intervals in cut.items()},
    )


def _sweep(version: int, labelled: Sequence[tuple[IPNetwork, L]]) -> list[Interval[L]]:
    """Walk over the networks' edges from low to high, keeping the labels that are open."""
    edges: list[tuple[int, bool, L]] = []
    for network, label in labelled:
        edges.append((int(network.network_address), True, label))
        edges.append((int(network.broadcast_address) + 1, False, label))
    edges.sort(key=lambda edge: edge[0])
    open_count: dict[L, int] = {}
    intervals: list[Interval[L]] = []
    previous = 0
    for position, opens, label in edges:
        if open_count and position > previous:
            intervals.append(Interval(version, previous, position - 1, frozenset(open_count)))
        previous = position
        open_count[label] = open_count.get(label, 0) + (1 if opens else -1)
        if open_count[label] == 0:
            del open_count[label]
    return intervals
