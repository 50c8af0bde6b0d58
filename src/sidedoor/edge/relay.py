"""Who may send through the edge to anybody: devices in networks that the operator has named. Pure.

It is the one thing that a configuration mistake could turn into an open relay, so wide networks of the public Internet
are refused, and what a device says must still be of the tenant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sidedoor.errors import UsageError
from sidedoor.mail.network import IPAddress, IPNetwork, parse_network

_NARROWEST = {4: 24, 6: 48}  # the widest public networks, as prefix lengths; 24 is what a connector may hold
_LOCAL = tuple(
    parse_network(text)
    for text in (
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "127.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT, RFC 6598
        "fc00::/7", "fe80::/10", "::1/128",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RelayClients:
    """`networks`: empty for nobody."""

    networks: Sequence[IPNetwork] = ()

    def __post_init__(self) -> None:
        """Raises UsageError for a public network that is too wide to be an office."""
        for network in self.networks:
            widest = _NARROWEST[network.version]
            if not _is_local(network) and network.prefixlen < widest:
                raise UsageError(f"--relay-from {network}: public networks no wider than /{widest}")

    def hold(self, address: IPAddress) -> bool:
        """Whether the client is one of them."""
        mapped = getattr(address, "ipv4_mapped", None)
        address = mapped or address
        return any(address.version == network.version and address in network for network in self.networks)


def _is_local(network: IPNetwork) -> bool:
    """Whether no packet of the Internet can come from it."""
    # Not `network.is_private`, which some versions of Python hold true of 0.0.0.0/0.
    return any(network.version == local.version and network.subnet_of(local) for local in _LOCAL)  # type: ignore[arg-type]


NOBODY = RelayClients()
