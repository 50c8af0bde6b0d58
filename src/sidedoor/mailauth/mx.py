"""Where a domain's published MX leads: straight to Exchange Online, or somewhere in front of it."""

from __future__ import annotations

from collections.abc import Iterable

from sidedoor.mail.domain import Domain
from sidedoor.mail.fact import Fact, Unknown
from sidedoor.mailauth.resolver import Answer, Failure, Kind, NoSuchName, Query, Records, Resolver, fold
from sidedoor.mailauth.reverse import reverse_names, reverse_names_of
from sidedoor.tenant.snapshot import MailExchanger

__all__ = ["is_exchange_online", "mail_exchanger_of", "queries", "reverse_names", "reverse_names_of"]

# Names under which Exchange Online takes mail. Microsoft: "Configure Multi-Geo In-Region Routing" (names of today,
# DNSSEC and DANE ones, old ones), "DNS records for Office 365 GCC High" (.us) and the pages of 21Vianet (.cn).
_EXCHANGE_ONLINE = (
    "mail.protection.outlook.com",
    "mx.microsoft",
    "mail.eo.outlook.com",
    "mail.protection.outlook.de",
    "mail.protection.office365.us",
    "mail.protection.partner.outlook.cn",
)


def is_exchange_online(host: str) -> bool:
    """Whether an MX target is an inbound host of Exchange Online: a name under one of Microsoft's."""
    name = fold(host)
    return any(name == suffix or name.endswith("." + suffix) for suffix in _EXCHANGE_ONLINE)


def mail_exchanger_of(domain: Domain, resolver: Resolver) -> Fact[MailExchanger]:
    """Where mail for `domain` goes by DNS; Unknown where DNS did not tell, never guessed from the name."""
    answer = resolver.lookup(domain, Kind.MX)
    if isinstance(answer, Failure):
        return Unknown(answer.reason)
    if isinstance(answer, Records):
        return _by_hosts([value.partition(" ")[2] for value in answer.values])
    if isinstance(answer, NoSuchName):
        return MailExchanger.NONE
    return _implicit(domain, [resolver.lookup(domain, kind) for kind in (Kind.A, Kind.AAAA)])


def queries(domains: Iterable[Domain]) -> list[Query]:
    """What `mail_exchanger_of` asks first."""
    return [(domain.ascii, Kind.MX) for domain in domains]


def _by_hosts(hosts: list[str]) -> MailExchanger:
    real = [host for host in hosts if host not in {".", ""}]
    if not real:
        return MailExchanger.NONE  # RFC 7505: the null MX
    here = [is_exchange_online(host) for host in real]
    if all(here):
        return MailExchanger.EXCHANGE_ONLINE
    return MailExchanger.MIXED if any(here) else MailExchanger.ELSEWHERE


def _implicit(domain: Domain, answers: list[Answer]) -> Fact[MailExchanger]:
    """RFC 5321 section 5.1: without MX records the domain's own address is the exchanger."""
    if any(isinstance(answer, Records) for answer in answers):
        return MailExchanger.EXCHANGE_ONLINE if is_exchange_online(domain.ascii) else MailExchanger.ELSEWHERE
    failure = next((answer for answer in answers if isinstance(answer, Failure)), None)
    return Unknown(failure.reason) if failure else MailExchanger.NONE
