"""Addresses as a connector takes them: IPv4, single or /24 to /32, never a range over addresses nobody was seen at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, collapse_addresses

from sidedoor.mail.network import IPAddress, IPNetwork

WIDEST = 24  # New-InboundConnector -SenderIPAddresses


def ranges(addresses: Iterable[IPAddress], said: Iterable[IPNetwork] = ()) -> tuple[IPv4Network, ...]:
    """The fewest ranges that hold exactly these addresses and networks. IPv6 has no place in them."""
    single = [IPv4Network(address) for address in addresses if isinstance(address, IPv4Address)]
    wide = [network for network in said if isinstance(network, IPv4Network)]
    return tuple(part for network in collapse_addresses([*single, *wide]) for part in split(network))


def split(network: IPv4Network) -> Iterator[IPv4Network]:
    """A range wider than /24 as /24s: a /20 is sixteen of them."""
    if network.prefixlen >= WIDEST:
        yield network
    else:
        yield from network.subnets(new_prefix=WIDEST)


def written(network: IPv4Network) -> str:
    """As the cmdlet shows it: an address alone, or CIDR."""
    return str(network.network_address) if network.prefixlen == 32 else str(network)


def widened(said: Sequence[IPNetwork], seen: Iterable[IPAddress]) -> tuple[str, ...]:
    """What a person's ranges take in beyond what was seen: `203.0.113.0/28: 13 of 16 addresses never seen`."""
    addresses = [address for address in set(seen) if isinstance(address, IPv4Address)]
    lines = []
    for network in said:
        if isinstance(network, IPv4Network):
            unseen = network.num_addresses - sum(address in network for address in addresses)
            if unseen:
                what = f"{unseen} of {network.num_addresses} addresses" if network.num_addresses > 1 else "an address"
                lines.append(f"{written(network)}: {what} never seen")
    return tuple(lines)
