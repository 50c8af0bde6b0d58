"""The compiled form and a naive evaluator agree on random records over a random DNS, at every edge of every network."""

from __future__ import annotations

import ipaddress

from hypothesis import event, given, settings
from hypothesis import strategies as st

from sidedoor.mailauth.memory import MemoryResolver
from sidedoor.mailauth.resolver import Failure
from sidedoor.mailauth.spf import SpfResult, SpfSet, compile_spf
from tests.mailauth.naive import Address, Naive

DOMAINS = [f"d{number}.example" for number in range(6)]
DOMAIN = st.sampled_from(DOMAINS)
IP4 = st.integers(0, 63).map(lambda number: f"192.0.2.{number}")
IP6 = st.integers(0, 63).map(lambda number: f"2001:db8::{number:x}")
QUALIFIER = st.sampled_from(["", "", "", "+", "-", "~", "?"])
NETWORK = st.one_of(
    st.builds("ip4:{}/{}".format, IP4, st.sampled_from([0, 26, 28, 29, 31, 32])),
    st.builds("ip6:{}/{}".format, IP6, st.sampled_from([0, 122, 124, 126, 128])),
)
HOST = st.builds(
    "{}{}{}".format,
    st.sampled_from(["a", "mx"]),
    st.one_of(st.just(""), DOMAIN.map(":{}".format)),
    st.sampled_from(["", "/29", "//126", "/30//124"]),
)
WALKING = st.one_of(DOMAIN.map("include:{}".format), DOMAIN.map("include:{}".format), HOST)
TERM = st.one_of(NETWORK, NETWORK, WALKING, DOMAIN.map("exists:{}".format), st.just("ptr"), st.just("all"))
LAST = st.one_of(st.just(""), st.sampled_from(["-all", "~all", "?all"]), DOMAIN.map("redirect={}".format))
RECORD = st.builds(
    lambda terms, last: " ".join(["v=spf1", *terms, last]),
    st.lists(st.builds("{}{}".format, QUALIFIER, TERM), max_size=5),
    LAST,
)
TEXTS = st.one_of(RECORD.map(lambda record: [record]), st.lists(RECORD, max_size=2), st.just(["v=spf1 ip4:bad"]))
HOSTS = st.fixed_dictionaries(
    {"TXT": st.one_of(RECORD.map(lambda record: [record]), RECORD.map(lambda record: [record]), TEXTS)},
    optional={
        "A": st.lists(IP4, min_size=1, max_size=3),
        "AAAA": st.lists(IP6, min_size=1, max_size=3),
        "MX": st.lists(st.builds("{} {}".format, st.integers(0, 3), DOMAIN), min_size=1, max_size=3),
    },
)
WORLD = st.fixed_dictionaries(dict.fromkeys(DOMAINS, HOSTS))
FAILURES = st.dictionaries(
    st.tuples(DOMAIN, st.sampled_from(["TXT", "A", "AAAA", "MX"])), st.booleans().map(lambda t: Failure("no", t)),
    max_size=2,
)  # fmt: skip


def edges(compiled: SpfSet) -> list[Address]:
    """The first and last address of every run of equal results, and a few more."""
    found: list[Address] = [ipaddress.ip_address(text) for text in ("192.0.2.7", "203.0.113.9", "2001:db8::7", "::1")]
    for result in SpfResult:
        for network, _ in compiled.networks(result)[:40]:
            found += [network.network_address, network.broadcast_address]
    return found


@settings(max_examples=150, deadline=None)
@given(world=WORLD, failures=FAILURES)
def test_every_address_gets_the_result_of_a_plain_walk(
    world: dict[str, dict[str, list[str]]], failures: dict[str | tuple[str, str], Failure]
) -> None:
    resolver = MemoryResolver(world, failures)
    compiled = compile_spf("d0.example", resolver)
    for ip in edges(compiled):
        found = compiled.evaluate(ip).result.value
        possible = {Naive(resolver, ip, ptr_matches=answer).evaluate("d0.example") for answer in (True, False)}
        event(f"result {found}")
        if found != "undetermined":
            assert possible == {found}, (ip, compiled.evaluate(ip))
        else:
            assert len(possible) > 1 or possible == {"undetermined"} or _doubts_meet(compiled, ip), (ip, possible)


def _doubts_meet(compiled: SpfSet, ip: Address) -> bool:
    """Several `ptr` terms may answer one way or the other each; and theirs may be void look-ups."""
    return compiled.evaluate(ip).needs_message
