"""Everything an audit asks DNS about the organisation's own domains, in one go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sidedoor.mail.domain import Domain
from sidedoor.mail.fact import Fact
from sidedoor.mailauth import dmarc, mx
from sidedoor.mailauth.dmarc import DmarcPolicy, dmarc_policy
from sidedoor.mailauth.mx import mail_exchanger_of
from sidedoor.mailauth.resolver import Failure, Kind, Resolver, prefetch
from sidedoor.mailauth.spf.addresses import SpfSet, compile_spf
from sidedoor.mailauth.spf.crawl import crawl
from sidedoor.tenant.snapshot import MailExchanger


@dataclass(frozen=True, slots=True)
class DnsFacts:
    """What DNS says of each domain.

    spf: only domains whose own record (or its absence) DNS told of. spf_unknown: the others, with the reason.
    """

    mx: Mapping[Domain, Fact[MailExchanger]] = field(default_factory=dict)
    spf: Mapping[Domain, SpfSet] = field(default_factory=dict)
    dmarc: Mapping[Domain, Fact[DmarcPolicy | None]] = field(default_factory=dict)
    spf_unknown: Mapping[Domain, str] = field(default_factory=dict)


def gather(domains: Iterable[Domain], resolver: Resolver) -> DnsFacts:
    """Ask for MX, SPF and DMARC of `domains`. Raises nothing, waits for nothing where the resolver does not."""
    wanted = list(dict.fromkeys(domains))
    prefetch(resolver, [*mx.queries(wanted), *dmarc.queries(wanted)])
    crawl([domain.ascii for domain in wanted], resolver)
    spf: dict[Domain, SpfSet] = {}
    unknown: dict[Domain, str] = {}
    for domain in wanted:
        answer = resolver.lookup(domain, Kind.TXT)
        if isinstance(answer, Failure):
            unknown[domain] = answer.reason
        else:
            spf[domain] = compile_spf(domain, resolver)
    return DnsFacts(
        mx={domain: mail_exchanger_of(domain, resolver) for domain in wanted},
        spf=spf,
        dmarc={domain: dmarc_policy(domain, resolver) for domain in wanted},
        spf_unknown=unknown,
    )
