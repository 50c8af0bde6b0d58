"""What DNS says of the accepted domains, as a watcher compares it: published texts, not only what follows from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from sidedoor.mail.domain import Domain
from sidedoor.mail.fact import Fact, Unknown
from sidedoor.mailauth.dmarc import is_dmarc
from sidedoor.mailauth.facts import DnsFacts
from sidedoor.mailauth.resolver import Failure, Kind, Records, Resolver
from sidedoor.mailauth.spf.evidence import SpfWarningId
from sidedoor.mailauth.spf.parser import is_spf
from sidedoor.watch.sight import DomainSight, dns_source

# What makes a record an error at receivers; the others surprise, but work.
_TROUBLES = frozenset(
    {
        SpfWarningId.SEVERAL_RECORDS, SpfWarningId.SYNTAX, SpfWarningId.NO_RECORD, SpfWarningId.MANY_LOOKUPS,
        SpfWarningId.VOID_LOOKUP, SpfWarningId.MANY_MX,
    }
)  # fmt: skip


def domain_sights(
    domains: Iterable[Domain], dns: DnsFacts, resolver: Resolver
) -> tuple[dict[str, DomainSight], dict[str, str]]:
    """Each domain's records, and source -> why of those that DNS did not tell. Asks what `gather` asked already."""
    sights = {str(domain): _sight(domain, dns, resolver) for domain in domains}
    return sights, _untold(sights)


def _sight(domain: Domain, dns: DnsFacts, resolver: Resolver) -> DomainSight:
    spf = dns.spf.get(domain)
    return DomainSight(
        mx=_mx(domain, resolver),
        exchanger=dns.mx.get(domain, Unknown("not asked")),
        spf=_text(domain, resolver, is_spf),
        spf_lookups=None if spf is None else spf.lookups_used,
        spf_troubles=() if spf is None else tuple(sorted({w.id.value for w in spf.warnings if w.id in _TROUBLES})),
        dmarc=_text(f"_dmarc.{domain}", resolver, is_dmarc),
    )


def _mx(domain: Domain, resolver: Resolver) -> Fact[tuple[str, ...]]:
    answer = resolver.lookup(domain, Kind.MX)
    if isinstance(answer, Failure):
        return Unknown(answer.reason)
    return tuple(sorted(answer.values)) if isinstance(answer, Records) else ()


def _text(name: Domain | str, resolver: Resolver, ours: Callable[[str], bool]) -> Fact[str | None]:
    """The records of one kind at a name, in a stable order; None where there is none."""
    answer = resolver.lookup(name, Kind.TXT)
    if isinstance(answer, Failure):
        return Unknown(answer.reason)
    texts = sorted(filter(ours, answer.values)) if isinstance(answer, Records) else []
    return " | ".join(texts) or None


def _untold(sights: Mapping[str, DomainSight]) -> dict[str, str]:
    found = {}
    for name, sight in sights.items():
        whys = {
            fact.reason for fact in (sight.mx, sight.exchanger, sight.spf, sight.dmarc) if isinstance(fact, Unknown)
        }
        if whys:
            found[dns_source(name)] = "; ".join(sorted(whys))
    return found
