"""check_host (RFC 7208 section 4) for all addresses of one IP version at once.

Instead of one address, a list of regions walks through the record. A term takes out the regions it matches; the rest
walks on. The order of terms, the limits and the include table are thereby those of the RFC for every single address.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import singledispatchmethod

from sidedoor.mail.network import IPAddress, parse_ip
from sidedoor.mailauth.resolver import Answer, Failure, Kind, NoSuchName, Records, Resolver, askable
from sidedoor.mailauth.spf.evidence import SpfEvidence, SpfWarningId
from sidedoor.mailauth.spf.macro import DomainSpec
from sidedoor.mailauth.spf.records import RecordSource, failed
from sidedoor.mailauth.spf.region import Decided, Doubt, Region, by_doubt, cut, decide, joined
from sidedoor.mailauth.spf.segment import Segment
from sidedoor.mailauth.spf.terms import All, Exists, Host, Include, Mechanism, Network, Ptr, Record, Redirect, SpfResult

MAX_LOOKUPS, MAX_VOIDS, MAX_MX = 10, 2, 10  # RFC 7208 section 4.6.4
MAX_STEPS = 400_000  # regions and terms touched: a few seconds; the records of large senders need some hundreds
_NO_MATCH = frozenset({SpfResult.FAIL, SpfResult.SOFTFAIL, SpfResult.NEUTRAL})
_ERRORS = frozenset({SpfResult.PERMERROR, SpfResult.TEMPERROR, SpfResult.UNDETERMINED, SpfResult.NONE})
_WIDE = {4: 12, 6: 32}


@dataclass(slots=True)
class Visit:
    """One record being walked through."""

    domain: str
    regions: list[Region]
    decided: list[Decided] = field(default_factory=list)

    def end(self, evidence: SpfEvidence, which: Callable[[Region], bool] = lambda _: True) -> None:
        """End the evaluation of the regions that `which` picks."""
        self.decided += [decide(region, evidence) for region in self.regions if which(region)]
        self.regions = [region for region in self.regions if not which(region)]


class Walk:
    """Walks the records of `sender_domain` for addresses of one IP `version`."""

    def __init__(
        self, resolver: Resolver, source: RecordSource, sender_domain: str, version: int, max_steps: int = MAX_STEPS
    ) -> None:
        self._resolver, self._source = resolver, source
        self._sender_domain, self._version = sender_domain, version
        self._steps_left = max_steps

    def whole_space(self) -> list[Decided]:
        """Every address of the IP version, decided."""
        return self._check_host(self._sender_domain, [self._whole()])

    def over(self, domain: str, terms: Iterable[Mechanism]) -> tuple[list[Decided], list[Region]]:
        """Every address taken through some `terms` of the record of `domain`: what they decide, and what walks on."""
        visit = Visit(domain, [self._whole()])
        self._through(terms, visit)
        return visit.decided, visit.regions

    def _whole(self) -> Region:
        return Region(0, 2 ** (32 if self._version == 4 else 128) - 1)

    def _check_host(self, domain: str, regions: list[Region]) -> list[Decided]:
        record = self._source.record_of(domain)
        if isinstance(record, SpfEvidence):
            return [decide(region, record) for region in regions]
        visit = Visit(domain, regions)
        self._through(self._terms(domain, record), visit)
        if visit.regions:
            self._after_last(record, visit)
        return visit.decided

    def _terms(self, domain: str, record: Record) -> Iterable[Mechanism | Segment]:  # noqa: ARG002  # a subclass looks at it
        return record.mechanisms

    def _through(self, terms: Iterable[Mechanism | Segment], visit: Visit) -> None:
        """Take the regions through the terms from left to right (section 4.6)."""
        for term in terms:
            self._steps_left -= 1 if isinstance(term, Network) else 1 + len(visit.regions)
            if not visit.regions:
                return
            if self._steps_left < 0:
                self._give_up(visit)
                return
            self._meet(term, visit)

    def _meet(self, term: Mechanism | Segment, visit: Visit) -> None:
        """Take the regions through one term."""
        self._step(term, visit)

    def _give_up(self, visit: Visit) -> None:
        text = f"the record of {self._sender_domain} needs more evaluation than any honest one; it was given up"
        self._source.warn(SpfWarningId.TOO_COMPLEX, visit.domain, "", text)
        visit.end(SpfEvidence(SpfResult.UNDETERMINED, cause=text))

    def _after_last(self, record: Record, visit: Visit) -> None:
        """Section 4.7: redirect, or neutral by default."""
        if record.redirect is not None:
            self._redirect(record.redirect, visit)
        else:
            visit.end(SpfEvidence(SpfResult.NEUTRAL, cause=f"no term of {visit.domain}'s record matches"))

    @singledispatchmethod
    def _step(self, term: Mechanism | Segment, visit: Visit) -> None:
        raise AssertionError(f"{type(term).__name__} of {visit.domain} has no step")

    @_step.register
    def _(self, term: All, visit: Visit) -> None:
        if term.qualifier.result is SpfResult.PASS and visit.domain == self._sender_domain:
            text = "it lets every address on the internet use the domain"
            self._source.warn(SpfWarningId.ALLOWS_ALL, visit.domain, str(term), text)
        visit.end(self._match(term, visit))

    @_step.register
    def _(self, term: Network, visit: Visit) -> None:
        self._warn_width(term, visit, term.network.prefixlen, term.network.version)
        if term.network.version == self._version:
            self._take(visit, [term.network], self._match(term, visit))

    @_step.register
    def _(self, term: Host, visit: Visit) -> None:
        prefix = term.prefix4 if self._version == 4 else term.prefix6
        self._warn_width(term, visit, prefix, self._version)
        target = self._lookup_target(term, term.target, visit)
        if target is None:
            return
        names = [target] if term.name == "a" else self._exchangers(term, target, visit)
        for name in names:
            answer = self._ask(name, Kind.A if self._version == 4 else Kind.AAAA, term, visit)
            if not visit.regions:
                return
            networks = [ipaddress.ip_network((ip, prefix), strict=False) for ip in _addresses(answer)]
            self._take(visit, networks, self._match(term, visit))

    @_step.register
    def _(self, term: Include, visit: Visit) -> None:
        target = self._lookup_target(term, term.target, visit)
        if target is None:
            return
        groups, visit.regions = list(by_doubt(visit.regions)), []
        for doubt, regions in groups:
            children = self._check_host(target, regions)
            # Many regions share one piece of evidence: it is translated once (`children` keeps the ids alive).
            own = {id(child.evidence): child for child in children}
            seen = {key: self._included(term, child, visit.domain) for key, child in own.items()}
            for child in children:
                self._place_included(term, child, seen[id(child.evidence)], replace(child.region, doubt=doubt), visit)
        visit.regions = joined(visit.regions)

    def _included(self, term: Include, child: Decided, domain: str) -> SpfEvidence:
        """The table of section 5.2: what the included result means for the including record."""
        result = child.evidence.result
        if result is SpfResult.NONE:
            self._source.warn(SpfWarningId.NO_RECORD, domain, str(term), child.evidence.cause)
            result = SpfResult.PERMERROR
        return child.evidence.within(domain, str(term), term.qualifier.result if result is SpfResult.PASS else result)

    def _place_included(
        self, term: Include, child: Decided, evidence: SpfEvidence, region: Region, visit: Visit
    ) -> None:
        if child.possible <= _NO_MATCH:
            visit.regions.append(region)
        elif len(child.possible) == 1:
            visit.decided.append(decide(region, evidence))
        elif child.possible & _ERRORS:
            visit.decided.append(decide(region, replace(evidence, result=SpfResult.UNDETERMINED)))
        else:
            visit.regions.append(_doubting(region, term.qualifier.result, evidence))

    @_step.register
    def _(self, term: Exists, visit: Visit) -> None:
        target = self._expand(term.target, visit)
        if target is not None:
            self._spend_lookup(term, visit)
            answer = self._ask(target, Kind.A, term, visit)  # section 5.7: type A even for IPv6 clients
            if isinstance(answer, Records):
                visit.end(self._match(term, visit))
            return
        self._doubt(term, visit)
        if visit.regions:
            self._void(term, visit, f"{term} (where it does not match)")

    @_step.register
    def _(self, term: Ptr, visit: Visit) -> None:
        # Only the reverse look-up may come back empty; section 5.5 skips names that lead nowhere, and who runs them is
        # the client: they must not spend what the domain has.
        self._doubt(term, visit)
        self._void(term, visit, f"reverse name for {term}", perhaps=True)

    def _doubt(self, term: Ptr | Exists, visit: Visit) -> None:
        """The term may match or not: remember what a match would mean, and walk on."""
        self._spend_lookup(term, visit)
        evidence = self._needs_message(term, visit)
        visit.regions = [_doubting(region, term.qualifier.result, evidence) for region in visit.regions]

    def _needs_message(self, term: Mechanism | Redirect, visit: Visit) -> SpfEvidence:
        text = f"{term} of {visit.domain} depends on more than the address"
        self._source.warn(SpfWarningId.NEEDS_MESSAGE, visit.domain, str(term), text)
        return replace(self._at(term, visit, SpfResult.UNDETERMINED, text), needs_message=True)

    def _redirect(self, term: Redirect, visit: Visit) -> None:
        target = self._lookup_target(term, term.target, visit)
        if target is None:
            return
        groups, visit.regions = list(by_doubt(visit.regions)), []
        for doubt, regions in groups:
            children = self._check_host(target, regions)
            own = {id(child.evidence): child for child in children}
            seen = {key: self._redirected(term, child, visit.domain) for key, child in own.items()}
            for child in children:
                visit.decided.append(_with_doubt(child, replace(child.region, doubt=doubt), seen[id(child.evidence)]))

    def _redirected(self, term: Redirect, child: Decided, domain: str) -> SpfEvidence:
        """Section 6.1: the target's result is the result, but its having no record is a permerror."""
        result = child.evidence.result
        if result is SpfResult.NONE:
            self._source.warn(SpfWarningId.NO_RECORD, domain, str(term), child.evidence.cause)
            result = SpfResult.PERMERROR
        return child.evidence.within(domain, str(term), result)

    # What the steps share

    def _at(self, term: Mechanism | Redirect, visit: Visit, result: SpfResult, cause: str) -> SpfEvidence:
        return SpfEvidence(result, ((visit.domain, str(term)),), cause)

    def _match(self, term: Mechanism, visit: Visit) -> SpfEvidence:
        return self._at(term, visit, term.qualifier.result, f"{term} of {visit.domain} matches")

    def _take(
        self, visit: Visit, networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network], evidence: SpfEvidence
    ) -> None:
        """End the evaluation of the addresses in `networks`."""
        for network in networks:
            inside = cut(visit.regions, int(network.network_address), int(network.broadcast_address))
            self._steps_left -= len(inside)
            visit.decided += [decide(region, evidence) for region in inside]

    def _expand(self, target: DomainSpec | None, visit: Visit) -> str | None:
        if target is None:
            return visit.domain
        return target.expand(visit.domain, self._sender_domain, self._version)

    def _lookup_target(self, term: Mechanism | Redirect, target: DomainSpec | None, visit: Visit) -> str | None:
        """Spend a look-up and expand the target; None where nothing is left to walk with it."""
        self._spend_lookup(term, visit)
        name = self._expand(target, visit)
        if name is None:
            visit.end(self._needs_message(term, visit))
        return name if visit.regions else None

    def _spend_lookup(self, term: Mechanism | Redirect, visit: Visit) -> None:
        """Section 4.6.4: a, mx, ptr, exists, include and redirect, ten altogether."""
        visit.regions = [
            replace(region, lookups=region.lookups + 1, lookups_most=region.lookups_most + 1)
            for region in visit.regions
        ]
        if any(region.lookups_most > MAX_LOOKUPS for region in visit.regions):
            text = f"more than {MAX_LOOKUPS} terms ask DNS; {term} of {visit.domain} is one too many"
            self._source.warn(SpfWarningId.MANY_LOOKUPS, visit.domain, str(term), text)
            spent = self._at(term, visit, SpfResult.PERMERROR, text)
            visit.end(spent, lambda region: region.lookups > MAX_LOOKUPS)
            visit.end(_perhaps(spent), lambda region: region.lookups_most > MAX_LOOKUPS)

    def _ask(self, name: str, kind: Kind, term: Mechanism, visit: Visit) -> Answer:
        """Look up; an empty answer is a void look-up, none at all ends the evaluation."""
        answer = self._resolver.lookup(name, kind) if askable(name) else NoSuchName()
        if isinstance(answer, Failure):
            self._source.warn(SpfWarningId.NO_ANSWER, visit.domain, str(term), answer.reason)
            trouble = failed(answer)
            visit.end(self._at(term, visit, trouble.result, trouble.cause))
        elif not isinstance(answer, Records):
            self._void(term, visit, f"{kind} of {name or 'an empty name'}")
        return answer

    def _void(self, term: Mechanism, visit: Visit, what: str, *, perhaps: bool = False) -> None:
        """Section 4.6.4: two void look-ups are borne; it is a permerror to have more."""
        if not perhaps:
            text = f"void look-up: {what} for {term} of {visit.domain}"
            self._source.warn(SpfWarningId.VOID_LOOKUP, visit.domain, str(term), text)
        visit.regions = [
            replace(region, voids=region.voids + (not perhaps), voids_most=region.voids_most + 1)
            for region in visit.regions
        ]
        if any(region.voids_most > MAX_VOIDS for region in visit.regions):
            over = f"more than {MAX_VOIDS} look-ups came back empty, the last for {term} of {visit.domain}"
            spent = self._at(term, visit, SpfResult.PERMERROR, over)
            visit.end(spent, lambda region: region.voids > MAX_VOIDS)
            visit.end(_perhaps(spent), lambda region: region.voids_most > MAX_VOIDS)

    def _exchangers(self, term: Host, target: str, visit: Visit) -> list[str]:
        """Host names of the target's MX records by preference; section 4.6.4 bears ten of them."""
        answer = self._ask(target, Kind.MX, term, visit)
        values = sorted(answer.values, key=_preference) if isinstance(answer, Records) else []
        if len(values) > MAX_MX:
            text = f"{target} has {len(values)} mail exchangers, more than {MAX_MX}"
            self._source.warn(SpfWarningId.MANY_MX, visit.domain, str(term), text)
            visit.end(self._at(term, visit, SpfResult.PERMERROR, text))
            return []
        names = [value.partition(" ")[2] for value in values]
        return [name for name in names if name != "."]  # RFC 7505: the null MX names no host

    def _warn_width(self, term: Network | Host, visit: Visit, prefix: int, version: int) -> None:
        if term.qualifier.result is SpfResult.PASS and prefix < _WIDE[version]:
            what = SpfWarningId.WIDE_NETWORK if prefix else SpfWarningId.ALLOWS_ALL
            self._source.warn(what, visit.domain, str(term), f"{term} of {visit.domain} covers a /{prefix} network")


def _perhaps(evidence: SpfEvidence) -> SpfEvidence:
    """The same, where the message decides whether it comes to that."""
    return replace(evidence, result=SpfResult.UNDETERMINED, cause="perhaps " + evidence.cause, needs_message=True)


def _doubting(region: Region, result: SpfResult, evidence: SpfEvidence) -> Region:
    """The region with one more result that a message-dependent term may give it."""
    doubt = region.doubt or Doubt(frozenset(), evidence, region.lookups, region.voids)
    first = replace(doubt.evidence, result=SpfResult.UNDETERMINED, needs_message=True)
    return replace(region, doubt=replace(doubt, results=doubt.results | {result}, evidence=first))


def _with_doubt(child: Decided, region: Region, evidence: SpfEvidence) -> Decided:
    """A redirect target's decision, with the doubt that the region had before."""
    if len(child.possible) == 1:
        return decide(region, evidence)
    possible = child.possible | (region.doubt.results if region.doubt else frozenset())
    return Decided(region.least(), possible, evidence)


def _addresses(answer: Answer) -> list[IPAddress]:
    return [parse_ip(value) for value in answer.values] if isinstance(answer, Records) else []


def _preference(value: str) -> tuple[int, str]:
    number, _, host = value.partition(" ")
    return int(number), host
