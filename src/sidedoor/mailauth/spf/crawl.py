"""Asking for everything some SPF records need, wave by wave, where a resolver gains by many questions at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sidedoor.mailauth.resolver import Kind, Prefetching, Query, Records, Resolver, askable
from sidedoor.mailauth.spf.parser import SpfSyntaxError, is_spf, parse_spf
from sidedoor.mailauth.spf.terms import Exists, Host, Include, Record, Redirect, Term

# Evaluation meets at most ten look-ups on any way (RFC 7208 section 4.6.4), so neither depth nor width needs more.
_MAX_DEPTH, _MAX_TERMS, _MAX_NAMES = 10, 10, 5_000


def crawl(domains: Iterable[str], resolver: Resolver) -> None:
    """Fill the cache of a prefetching resolver for `domains` (folded names); nothing to do for any other."""
    if not isinstance(resolver, Prefetching):
        return
    wave = {(domain, domain) for domain in domains if askable(domain)}  # (domain of the record, envelope domain)
    seen = set(wave)
    for _ in range(_MAX_DEPTH + 1):
        if not wave or len(seen) > _MAX_NAMES:
            return
        resolver.prefetch([(domain, Kind.TXT) for domain, _ in wave])
        records = [(record, pair) for pair in sorted(wave) if (record := _cached(pair[0], resolver))]
        resolver.prefetch([query for record, pair in records for query in _addresses(record, *pair)])
        resolver.prefetch([query for record, pair in records for query in _exchanger_addresses(record, pair, resolver)])
        wave = {(target, pair[1]) for record, pair in records for target in _targets(record, *pair)} - seen
        seen |= wave


def _cached(domain: str, resolver: Resolver) -> Record | None:
    answer = resolver.lookup(domain, Kind.TXT)
    texts = [text for text in answer.values if is_spf(text)] if isinstance(answer, Records) else []
    try:
        return parse_spf(texts[0]) if len(texts) == 1 else None
    except SpfSyntaxError:
        return None


def _asking(record: Record) -> Iterator[Term]:
    """The terms that are evaluated before the limit is reached at the latest."""
    asking = [term for term in record.terms if isinstance(term, Include | Host | Exists | Redirect)]
    yield from asking[:_MAX_TERMS]


def _targets(record: Record, domain: str, sender_domain: str) -> Iterator[str]:
    for term in _asking(record):
        if isinstance(term, Include | Redirect):
            name = term.target.expand(domain, sender_domain, 4)
            if name and askable(name):
                yield name


def _addresses(record: Record, domain: str, sender_domain: str) -> Iterator[Query]:
    for term in _asking(record):
        if isinstance(term, Host | Exists):
            name = term.target.expand(domain, sender_domain, 4) if term.target else domain
            if name and askable(name):
                mx = isinstance(term, Host) and term.name == "mx"
                yield from [(name, Kind.MX)] if mx else [(name, Kind.A), (name, Kind.AAAA)]


def _exchanger_addresses(record: Record, pair: tuple[str, str], resolver: Resolver) -> Iterator[Query]:
    for name, kind in _addresses(record, *pair):
        answer = resolver.lookup(name, kind) if kind is Kind.MX else None
        hosts = [value.partition(" ")[2] for value in answer.values[:10]] if isinstance(answer, Records) else []
        for host in hosts:
            if askable(host):
                yield from [(host, Kind.A), (host, Kind.AAAA)]
