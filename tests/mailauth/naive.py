"""check_host for one address, written as RFC 7208 tells it: the yardstick for the compiled form. No macros."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from sidedoor.mailauth.resolver import Failure, Kind, Records, Resolver
from sidedoor.mailauth.spf.parser import SpfSyntaxError, is_spf, parse_spf
from sidedoor.mailauth.spf.terms import All, Exists, Host, Include, Mechanism, Network, Ptr

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class EndError(Exception):
    """permerror, temperror or undetermined, from whatever depth."""


@dataclass
class Naive:
    """One evaluation. `ptr_matches` is what every `ptr` term says."""

    resolver: Resolver
    ip: Address
    ptr_matches: bool = False
    lookups: int = 0
    voids: int = 0

    def evaluate(self, domain: str) -> str:
        try:
            return self.check_host(domain)
        except EndError as error:
            return str(error)

    def check_host(self, domain: str) -> str:
        answer = self.resolver.lookup(domain, Kind.TXT)
        if isinstance(answer, Failure):
            raise EndError("temperror" if answer.temporary else "undetermined")
        texts = [text for text in answer.values if is_spf(text)] if isinstance(answer, Records) else []
        if not texts:
            return "none"
        try:
            record = parse_spf(texts[0])
        except SpfSyntaxError as error:
            raise EndError("permerror") from error
        if len(texts) > 1:
            raise EndError("permerror")
        for term in record.mechanisms:
            if self.matches(term, domain):
                return term.qualifier.result.value
        if record.redirect is None:
            return "neutral"
        self.spend()
        result = self.check_host(record.redirect.target.text)
        if result == "none":
            raise EndError("permerror")
        return result

    def matches(self, term: Mechanism, domain: str) -> bool:
        if isinstance(term, All):
            return True
        if isinstance(term, Network):
            return self.ip.version == term.network.version and self.ip in term.network
        self.spend()
        if isinstance(term, Ptr):
            return self.ptr_matches
        if isinstance(term, Include):
            result = self.check_host(term.target.text)
            if result == "none":
                raise EndError("permerror")
            return result == "pass"
        target = term.target.text if term.target else domain
        if isinstance(term, Exists):
            return bool(self.ask(target, Kind.A))
        return self.host_matches(term, target)

    def host_matches(self, term: Host, target: str) -> bool:
        names = [target]
        if term.name == "mx":
            values = sorted(self.ask(target, Kind.MX), key=lambda value: (int(value.split()[0]), value.split()[1]))
            if len(values) > 10:
                raise EndError("permerror")
            names = [value.split()[1] for value in values]
        kind, prefix = (Kind.A, term.prefix4) if self.ip.version == 4 else (Kind.AAAA, term.prefix6)
        for name in names:
            for text in self.ask(name, kind):
                if self.ip in ipaddress.ip_network(f"{text}/{prefix}", strict=False):
                    return True
        return False

    def ask(self, name: str, kind: Kind) -> tuple[str, ...]:
        answer = self.resolver.lookup(name, kind)
        if isinstance(answer, Failure):
            raise EndError("temperror" if answer.temporary else "undetermined")
        if isinstance(answer, Records):
            return answer.values
        self.voids += 1
        if self.voids > 2:
            raise EndError("permerror")
        return ()

    def spend(self) -> None:
        self.lookups += 1
        if self.lookups > 10:
            raise EndError("permerror")
