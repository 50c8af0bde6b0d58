"""check_host for one address, written as RFC 7208 tells it: the yardstick for the compiled form.

Of macros it knows whole ones only: %{i}, %{l}, %{h}, %{d} and %{o}, as the random records use them.
"""

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
    """One evaluation. `ptr_matches` is what every `ptr` term says, without asking; None asks DNS."""

    resolver: Resolver
    ip: Address
    ptr_matches: bool | None = False
    local: str = "anna"
    helo: str = "mail.example"
    sender_domain: str = ""
    lookups: int = 0
    voids: int = 0

    def evaluate(self, domain: str) -> str:
        self.sender_domain = self.sender_domain or domain
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
        result = self.check_host(self.expand(record.redirect.target.text, domain))
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
            return self.ptr(term, domain) if self.ptr_matches is None else self.ptr_matches
        if isinstance(term, Include):
            result = self.check_host(self.expand(term.target.text, domain))
            if result == "none":
                raise EndError("permerror")
            return result == "pass"
        target = self.expand(term.target.text, domain) if term.target else domain
        if isinstance(term, Exists):
            return bool(self.ask(target, Kind.A))
        return self.host_matches(term, target)

    def expand(self, text: str, domain: str) -> str:
        ip = str(self.ip) if self.ip.version == 4 else ".".join(self.ip.exploded.replace(":", ""))
        values = {"i": ip, "l": self.local, "h": self.helo, "d": domain, "o": self.sender_domain}
        for letter, value in values.items():
            text = text.replace("%{" + letter + "}", value)
        return text.lower()

    def ptr(self, term: Ptr, domain: str) -> bool:
        target = self.expand(term.target.text, domain) if term.target else domain
        answer = self.resolver.lookup(self.ip.reverse_pointer, Kind.PTR)
        if isinstance(answer, Failure):
            if answer.temporary:
                return False
            raise EndError("undetermined")
        if not isinstance(answer, Records):
            self.count_void()
            return False
        for name in answer.values[:10]:
            forward = self.resolver.lookup(name, Kind.A if self.ip.version == 4 else Kind.AAAA)
            confirmed = isinstance(forward, Records) and str(self.ip) in forward.values
            if confirmed and (name == target or name.endswith(f".{target}")):
                return True
        return False

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
        self.count_void()
        return ()

    def count_void(self) -> None:
        self.voids += 1
        if self.voids > 2:
            raise EndError("permerror")

    def spend(self) -> None:
        self.lookups += 1
        if self.lookups > 10:
            raise EndError("permerror")
