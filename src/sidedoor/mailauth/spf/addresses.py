"""A published SPF record as what it is: a set of addresses, each with its result."""

from __future__ import annotations

import ipaddress
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from sidedoor.mail.domain import Domain
from sidedoor.mail.network import IPAddress, IPNetwork, parse_ip
from sidedoor.mailauth.resolver import Resolver, fold
from sidedoor.mailauth.spf.compiled import CHECK_SECONDS, Compiled
from sidedoor.mailauth.spf.crawl import crawl
from sidedoor.mailauth.spf.evidence import SpfEvidence, SpfWarning, foreign_owner
from sidedoor.mailauth.spf.limited import Remembering
from sidedoor.mailauth.spf.message import SpfMessage
from sidedoor.mailauth.spf.records import RecordSource
from sidedoor.mailauth.spf.region import Decided
from sidedoor.mailauth.spf.terms import SpfResult
from sidedoor.mailauth.spf.walk import MAX_STEPS, Walk


@dataclass(frozen=True, slots=True)
class _Table:
    """Every address of one IP version: `evidence[i]` holds from `starts[i]` up to the next start."""

    starts: list[int]
    evidence: list[SpfEvidence]

    def at(self, number: int) -> SpfEvidence:
        return self.evidence[bisect_right(self.starts, number) - 1]


@dataclass(frozen=True, slots=True)
class SpfSet:
    """The compiled record of `domain`: an answer for every IPv4 and IPv6 address.

    `lookups_used`: terms that ask DNS (section 4.6.4) on the longest way through the record; 11 stands for "too many".
    """

    domain: str
    lookups_used: int
    warnings: tuple[SpfWarning, ...]
    _tables: dict[int, _Table]
    _compiled: Compiled = field(compare=False, repr=False)

    def evaluate(self, ip: str | IPAddress) -> SpfEvidence:
        """The result for one client address, in O(log n). Raises mail.network.NetworkError where `ip` is no address."""
        address = address_of(ip)
        return self._tables[address.version].at(int(address))

    def check(
        self, ip: str | IPAddress, message: SpfMessage, resolver: Resolver, seconds: float = CHECK_SECONDS
    ) -> SpfEvidence:
        """The result for one message whose envelope sender (or, where that is null, HELO name) is in `domain`.

        The table answers where it can, without a question to anybody: then a term that makes no difference is not
        asked either, nor can its DNS fail. Else the terms that need the message are evaluated, with `resolver` and
        for `seconds` at most. Raises mail.network.NetworkError where `ip` is no address.
        """
        address = address_of(ip)
        evidence = self._tables[address.version].at(int(address))
        return self._compiled.ask(address, message, resolver, seconds) if evidence.needs_message else evidence

    def explain(
        self,
        evidence: SpfEvidence,
        ip: str | IPAddress,
        message: SpfMessage,
        resolver: Resolver,
        seconds: float = CHECK_SECONDS,
    ) -> str:
        """What the domain says of a fail that `check` found (section 6.2), "" where it says nothing.

        A stranger's text of at most 1,000 visible ASCII characters and spaces. Raises mail.network.NetworkError.
        """
        return self._compiled.explain(evidence, address_of(ip), message, resolver, seconds)

    def evaluate_many(self, ips: Iterable[str]) -> dict[str, SpfEvidence]:
        """Results by address as written; each distinct text is evaluated once. Raises NetworkError."""
        return {ip: self.evaluate(ip) for ip in dict.fromkeys(ips)}

    def networks(self, result: SpfResult = SpfResult.PASS) -> tuple[tuple[IPNetwork, SpfEvidence], ...]:
        """The networks that have `result`, in address order, IPv4 first, each with the terms that decide."""
        return tuple(
            (network, evidence)
            for version in (4, 6)
            for first, last, evidence in self.runs(version)
            if evidence.result is result
            for network in _summary(version, first, last)
        )

    def results(self) -> frozenset[SpfResult]:
        """All results that some address gets."""
        return frozenset(evidence.result for table in self._tables.values() for evidence in table.evidence)

    def runs(self, version: int) -> Iterator[tuple[int, int, SpfEvidence]]:
        """All addresses of an IP version (4 or 6) as runs: first and last address as integers, and their evidence."""
        table = self._tables[version]
        ends = [*(start - 1 for start in table.starts[1:]), 2 ** (32 if version == 4 else 128) - 1]
        return zip(table.starts, ends, table.evidence, strict=True)


def compile_spf(domain: Domain | str, resolver: Resolver, max_steps: int = MAX_STEPS) -> SpfSet:
    """Fetch and flatten the SPF record of `domain` for mail whose envelope sender is in it (RFC 7208).

    Raises nothing: what is wrong with record or DNS is a result (permerror, temperror, undetermined) with its cause.
    `max_steps` bounds the work that a hostile record can cause; what is left then is undetermined.
    """
    name = fold(domain)
    crawl([name], resolver)
    remembering = Remembering(resolver)
    source = RecordSource(remembering)
    tables: dict[int, _Table] = {}
    lookups = 0
    for version in (4, 6):
        decided = Walk(remembering, source, name, version, max_steps).whole_space()
        lookups = max(lookups, *(one.region.lookups_most for one in decided))
        tables[version] = _table(decided)
    return SpfSet(name, lookups, tuple(source.warnings.values()), tables, Compiled(remembering, source, name))


def address_of(ip: str | IPAddress) -> IPAddress:
    """The client's address; an IPv4 address in IPv6's clothes is the IPv4 address. Raises mail.network.NetworkError."""
    if isinstance(ip, str):
        return parse_ip(ip)
    return ip.ipv4_mapped or ip if isinstance(ip, ipaddress.IPv6Address) else ip


def _table(decided: Sequence[Decided]) -> _Table:
    """Sort what was decided; neighbours with the same evidence become one run."""
    starts: list[int] = []
    evidence: list[SpfEvidence] = []
    last: SpfEvidence | None = None
    owned: dict[int, SpfEvidence] = {}
    for one in sorted(decided, key=lambda item: item.region.first):
        if one.evidence == last:
            continue
        last = one.evidence
        starts.append(one.region.first)
        evidence.append(owned.setdefault(id(last), replace(last, owner=foreign_owner(last.path))))
    return _Table(starts, evidence)


def _summary(version: int, first: int, last: int) -> Iterator[IPNetwork]:
    if version == 4:
        return ipaddress.summarize_address_range(ipaddress.IPv4Address(first), ipaddress.IPv4Address(last))
    return ipaddress.summarize_address_range(ipaddress.IPv6Address(first), ipaddress.IPv6Address(last))
