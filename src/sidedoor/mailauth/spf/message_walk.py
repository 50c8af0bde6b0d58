"""check_host for one address and one message: the walk of walk.py over a single address, without doubts."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol

from sidedoor.mail.fact import Unknown
from sidedoor.mail.network import IPAddress
from sidedoor.mailauth.resolver import Failure, Kind, Records, Resolver
from sidedoor.mailauth.reverse import reverse_names
from sidedoor.mailauth.spf.evidence import SpfEvidence
from sidedoor.mailauth.spf.macro import DomainSpec, expand_explanation, version_name
from sidedoor.mailauth.spf.message import SpfMessage
from sidedoor.mailauth.spf.records import RecordSource
from sidedoor.mailauth.spf.region import Region
from sidedoor.mailauth.spf.segment import Segment
from sidedoor.mailauth.spf.terms import All, Mechanism, Network, Ptr, Record, SpfResult
from sidedoor.mailauth.spf.walk import MAX_LOOKUPS, MAX_VOIDS, Visit, Walk

_LOCAL_PART = frozenset({"s", "l"})


class Parts(Protocol):
    """Gives the terms of a record with those that need no message compiled to segments."""

    def of(self, domain: str, record: Record, version: int) -> Iterable[Mechanism | Segment]: ...


class MessageWalk(Walk):
    """Walks the records of `sender_domain` for the client `ip` and `message`.

    What the message does not tell stays in doubt, as in a walk without one.
    """

    def __init__(
        self,
        resolver: Resolver,
        source: RecordSource,
        sender_domain: str,
        ip: IPAddress,
        message: SpfMessage,
        *,
        parts: Parts | None = None,
    ) -> None:
        super().__init__(resolver, source, sender_domain, ip.version)
        self._ip, self._message, self._parts = ip, message, parts
        self._names: tuple[str, ...] | None = None

    def verdict(self, domain: str) -> SpfEvidence:
        """The result of check_host for `domain`."""
        [decided] = self._check_host(domain, [self._whole()])
        return decided.evidence

    def expand(self, target: DomainSpec, domain: str) -> str | None:
        """The name that a domain-spec in the record of `domain` means; None where the message does not tell."""

        def value(letter: str) -> str | None:
            if letter == "p":
                return self._name_for(domain)
            return self._message.macro(letter, self._ip, self._sender_domain)

        return target.expand(domain, self._sender_domain, self._version, value)

    def explain(self, text: str, domain: str) -> str | None:
        """An explanation published by `domain` with its macros replaced (section 7.2: c, r and t stand only here)."""

        def value(letter: str) -> str | None:
            own = {
                "d": domain,
                "o": self._sender_domain,
                "v": version_name(self._version),
                "c": str(self._ip),
                "r": self._message.receiver,
                "t": str(int(time.time()) if self._message.at is None else self._message.at),
            }
            if letter == "p":
                return self._name_for(domain)
            return own.get(letter) or self._message.macro(letter, self._ip, self._sender_domain)

        return expand_explanation(text, value)

    def _whole(self) -> Region:
        return Region(int(self._ip), int(self._ip))

    def _terms(self, domain: str, record: Record) -> Iterable[Mechanism | Segment]:
        return self._parts.of(domain, record, self._version) if self._parts else record.mechanisms

    def _meet(self, term: Mechanism | Segment, visit: Visit) -> None:
        if isinstance(term, Segment):
            self._leap(term, visit)
        elif isinstance(term, Ptr):
            self._reverse(term, visit)
        elif not isinstance(term, All | Network) and self._unspeakable(term.target):
            self._spend_lookup(term, visit)
        else:
            super()._meet(term, visit)

    def _expand(self, target: DomainSpec | None, visit: Visit) -> str | None:
        return super()._expand(target, visit) if target is None else self.expand(target, visit.domain)

    def _unspeakable(self, target: DomainSpec | None) -> bool:
        """RFC 8616 section 4: a term that asks for a local part beyond ASCII does not match."""
        if target is None or not target.has_macros or not target.letters & _LOCAL_PART:
            return False
        identity = self._message.identity
        return identity is not None and not identity[0].isascii()

    def _leap(self, segment: Segment, visit: Visit) -> None:
        """Take a compiled segment's word, unless its limits or its doubts depend on what came before."""
        [region] = visit.regions
        row = segment.at(int(self._ip))
        if row is None or not _within_limits(region, row.region):
            self._through(segment.terms, visit)
            return
        spent = replace(
            region,
            lookups=region.lookups + row.region.lookups,
            lookups_most=region.lookups_most + row.region.lookups,
            voids=region.voids + row.region.voids,
            voids_most=region.voids_most + row.region.voids,
        )
        visit.regions = [spent]
        if row.evidence is not None:
            visit.end(row.evidence)

    def _reverse(self, term: Ptr, visit: Visit) -> None:
        """Section 5.5: a name of the address, confirmed, that is the target or lies under it."""
        target = self._expand(term.target, visit)
        if target is None:
            super()._meet(term, visit)
            return
        self._spend_lookup(term, visit)
        if not visit.regions:
            return
        answer = self._resolver.lookup(self._ip.reverse_pointer, Kind.PTR)
        if isinstance(answer, Failure) and not answer.temporary:
            visit.end(self._at(term, visit, SpfResult.UNDETERMINED, answer.reason))
        elif any(name == target or name.endswith("." + target) for name in self._confirmed()):
            visit.end(self._match(term, visit))
        elif not isinstance(answer, Failure | Records):
            self._void(term, visit, f"PTR of {self._ip}")

    def _name_for(self, domain: str) -> str:
        """%{p}: the confirmed name nearest to `domain`, or "unknown" (section 7.3)."""
        names = self._confirmed()
        under = next((name for name in names if name.endswith("." + domain)), None)
        return domain if domain in names else under or next(iter(names), "unknown")

    def _confirmed(self) -> tuple[str, ...]:
        """The address's names that lead back to it, asked for once."""
        if self._names is None:
            found = reverse_names(self._ip, self._resolver)
            self._names = () if isinstance(found, Unknown) else found
        return self._names


def _within_limits(before: Region, more: Region) -> bool:
    """Whether a segment's look-ups fit into what is left of section 4.6.4's."""
    return before.lookups_most + more.lookups <= MAX_LOOKUPS and before.voids_most + more.voids <= MAX_VOIDS
