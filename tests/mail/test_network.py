"""Addresses, networks, ranges, and the partition of the address space."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidedoor.mail.network import (
    IPAddress,
    IPNetwork,
    NetworkError,
    Partition,
    parse_ip,
    parse_network,
    parse_networks,
    partition,
)

V4 = st.integers(0, 2**32 - 1).map(IPv4Address)
V6 = st.integers(0, 2**128 - 1).map(IPv6Address)
# A small corner of each space, so that networks meet and addresses fall into them.
CORNER4 = st.integers(0xCB007100, 0xCB0071FF).map(IPv4Address)
CORNER6 = st.integers(0, 255).map(lambda low: IPv6Address((0x20010DB8 << 96) + low))
EDGES: st.SearchStrategy[IPAddress] = st.sampled_from(
    [IPv4Address(0), IPv4Address(2**32 - 1), IPv6Address(0), IPv6Address(2**128 - 1)]
)
NETWORKS: st.SearchStrategy[IPNetwork] = st.one_of(
    st.builds(lambda a, p: IPv4Network((a, p), strict=False), CORNER4, st.sampled_from([0, 8, 23, 24, 25, 28, 31, 32])),
    st.builds(lambda a, p: IPv6Network((a, p), strict=False), CORNER6, st.sampled_from([0, 64, 120, 124, 127, 128])),
)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("203.0.113.10", "203.0.113.10"),
        (" [203.0.113.10] ", "203.0.113.10"),
        ("::ffff:203.0.113.10", "203.0.113.10"),
        ("[IPv6:2001:db8::1]", "2001:db8::1"),
        ("[ipv6:2001:DB8::1]", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_spellings_of_an_address(text: str, address: str) -> None:
    assert str(parse_ip(text)) == address


NO_ADDRESS = ["", "1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.4%eth0", "1234", "::g", "[[::1]]", "a.b", "1.2.3.4/32"]


@pytest.mark.parametrize("text", NO_ADDRESS)
def test_no_address(text: str) -> None:
    with pytest.raises(NetworkError):
        parse_ip(text)


@pytest.mark.parametrize(
    ("text", "networks"),
    [
        ("203.0.113.10", ["203.0.113.10/32"]),
        ("203.0.113.77/24", ["203.0.113.0/24"]),
        ("203.0.113.0/255.255.255.0", ["203.0.113.0/24"]),
        ("::ffff:203.0.113.0/120", ["203.0.113.0/24"]),
        ("2001:db8::1", ["2001:db8::1/128"]),
        ("203.0.113.10-203.0.113.12", ["203.0.113.10/31", "203.0.113.12/32"]),
        ("203.0.113.0 - 203.0.113.255", ["203.0.113.0/24"]),
        ("0.0.0.0-255.255.255.255", ["0.0.0.0/0"]),
    ],
)
def test_networks_and_ranges(text: str, networks: list[str]) -> None:
    assert parse_networks(text) == tuple(ip_network(network) for network in networks)


NO_NETWORK = ["", "-", "1.2.3.4-", "1.2.3.4-1.2.3.3", "1.2.3.4-::1", "1.2.3.4/33", "/24", "a/24", "1.2.3.0/24/24"]


@pytest.mark.parametrize("text", NO_NETWORK)
def test_no_network(text: str) -> None:
    with pytest.raises(NetworkError):
        parse_networks(text)


@given(V4 | V6)
def test_a_printed_address_is_the_address_and_its_own_network(address: IPAddress) -> None:
    parsed = parse_ip(str(address))
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    assert parsed == (mapped or address)
    assert parse_ip(str(parsed)) == parsed
    assert parse_network(str(parsed)).network_address == parsed


@given(st.tuples(CORNER4, CORNER4).map(sorted))
def test_a_range_holds_its_ends_and_nothing_beside(ends: list[IPv4Address]) -> None:
    low, high = ends
    networks = parse_networks(f"{low}-{high}")
    assert sum(network.num_addresses for network in networks) == int(high) - int(low) + 1
    assert low in networks[0]
    assert high in networks[-1]


@given(st.text(max_size=50) | st.from_regex(r"[0-9a-f:./-]{0,40}", fullmatch=True))
@settings(max_examples=200)
def test_any_text_gives_networks_or_a_network_error(text: str) -> None:
    for parse in (parse_ip, parse_network, parse_networks):
        try:
            assert parse(text)
        except NetworkError:
            continue


@given(
    st.lists(st.tuples(NETWORKS, st.integers(0, 4)), max_size=8),
    st.lists(CORNER4 | CORNER6 | V4 | V6 | EDGES, min_size=1, max_size=10),
)
def test_the_partition_answers_as_a_look_at_every_network_does(
    labelled: list[tuple[IPNetwork, int]], addresses: list[IPAddress]
) -> None:
    cut: Partition[int] = partition(labelled)
    addresses += [network.network_address for network, _ in labelled]
    addresses += [network.broadcast_address for network, _ in labelled]
    for address in addresses:
        expected = {label for network, label in labelled if address.version == network.version and address in network}
        assert cut.labels_of(address) == expected


@given(st.lists(st.tuples(NETWORKS, st.integers(0, 4)), max_size=8))
def test_intervals_are_in_order_and_apart(labelled: list[tuple[IPNetwork, int]]) -> None:
    for version in (4, 6):
        intervals = [interval for interval in partition(labelled).intervals if interval.version == version]
        assert all(interval.first <= interval.last and interval.labels for interval in intervals)
        assert all(one.last < other.first for one, other in pairwise(intervals))
