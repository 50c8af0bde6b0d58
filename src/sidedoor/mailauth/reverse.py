"""Reverse names of client addresses, believed only where the name leads back to the address."""

from __future__ import annotations

from collections.abc import Iterable

from sidedoor.mail.fact import Fact, Unknown
from sidedoor.mail.network import IPAddress, NetworkError, parse_ip
from sidedoor.mailauth.resolver import Failure, Kind, Query, Records, Resolver, askable, prefetch

_MAX_NAMES = 10  # RFC 7208 section 4.6.4 looks at ten names of an address


def reverse_names(ip: str | IPAddress, resolver: Resolver) -> Fact[tuple[str, ...]]:
    """The confirmed names of an address (forward-confirmed reverse DNS), empty where it has none.

    Unknown where DNS did not answer for the address, or for the only names that might confirm it. Raises NetworkError.
    """
    address = parse_ip(ip) if isinstance(ip, str) else ip
    answer = resolver.lookup(address.reverse_pointer, Kind.PTR)
    if isinstance(answer, Failure):
        return Unknown(answer.reason)
    names = answer.values[:_MAX_NAMES] if isinstance(answer, Records) else ()
    confirmed: list[str] = []
    trouble = ""
    for name in filter(askable, names):
        forward = resolver.lookup(name, _kind(address))
        if isinstance(forward, Failure):
            trouble = trouble or forward.reason
        elif isinstance(forward, Records) and address in map(parse_ip, forward.values):
            confirmed.append(name)
    return Unknown(trouble) if trouble and not confirmed else tuple(confirmed)


def reverse_names_of(ips: Iterable[str], resolver: Resolver) -> dict[str, Fact[tuple[str, ...]]]:
    """`reverse_names` of many addresses, by address as written; what is no address is Unknown."""
    addresses: dict[str, IPAddress] = {}
    facts: dict[str, Fact[tuple[str, ...]]] = {}
    for ip in ips:
        try:
            addresses[ip] = parse_ip(ip)
        except NetworkError as error:
            facts[ip] = Unknown(str(error))
    pointers: list[Query] = [(address.reverse_pointer, Kind.PTR) for address in addresses.values()]
    if prefetch(resolver, pointers):
        prefetch(resolver, [query for address in addresses.values() for query in _forward(address, resolver)])
    return facts | {ip: reverse_names(address, resolver) for ip, address in addresses.items()}


def _forward(address: IPAddress, resolver: Resolver) -> list[Query]:
    answer = resolver.lookup(address.reverse_pointer, Kind.PTR)
    names = answer.values[:_MAX_NAMES] if isinstance(answer, Records) else ()
    return [(name, _kind(address)) for name in names if askable(name)]


def _kind(address: IPAddress) -> Kind:
    return Kind.A if address.version == 4 else Kind.AAAA
