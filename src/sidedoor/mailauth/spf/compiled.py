"""What is kept beside a compiled table for the addresses whose result hangs on the message."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby

from sidedoor.mail.network import IPAddress
from sidedoor.mailauth.resolver import Resolver
from sidedoor.mailauth.spf.evidence import SpfEvidence, foreign_owner
from sidedoor.mailauth.spf.explain import explanation
from sidedoor.mailauth.spf.limited import Known, Remembering, Timed
from sidedoor.mailauth.spf.message import SpfMessage
from sidedoor.mailauth.spf.message_walk import MessageWalk
from sidedoor.mailauth.spf.records import RecordSource
from sidedoor.mailauth.spf.segment import Segment, segment_of
from sidedoor.mailauth.spf.terms import All, Mechanism, Network, Ptr, Record
from sidedoor.mailauth.spf.walk import Walk

CHECK_SECONDS = 20.0  # RFC 7208 section 4.6.4: at least that long; then it is a temperror
_MAX_RECORDS = 50  # compiled to segments; evaluation meets eleven
_SEGMENT_STEPS = 50_000  # of a walk that compiles one
_FIXED = frozenset({"d", "o", "v"})  # macros that hang on the record and the IP version alone


class Compiled:
    """The records that a table was made of, and their terms compiled to segments as they are needed.

    Keeps no more than what the table's own walk could reach, however many messages it is asked about.
    """

    def __init__(self, resolver: Remembering, source: RecordSource, sender_domain: str) -> None:
        self._resolver, self._source, self._sender_domain = resolver, source, sender_domain
        self._parts: dict[tuple[str, int], tuple[Mechanism | Segment, ...]] = {}

    def ask(self, ip: IPAddress, message: SpfMessage, resolver: Resolver, seconds: float) -> SpfEvidence:
        """The result for one message."""
        evidence = self._walk(ip, message, resolver, seconds).verdict(self._sender_domain)
        return replace(evidence, owner=foreign_owner(evidence.path))

    def explain(
        self, evidence: SpfEvidence, ip: IPAddress, message: SpfMessage, resolver: Resolver, seconds: float
    ) -> str:
        """What the domain has to say of a fail."""
        walk = self._walk(ip, message, resolver, seconds)
        return explanation(evidence, walk, Timed(resolver, seconds), self._source)

    def of(self, domain: str, record: Record, version: int) -> Iterable[Mechanism | Segment]:
        """The terms of a record, those that ask nothing of the message as segments."""
        key = (domain, version)
        if key not in self._parts:
            # A record that only a message's macros lead to is walked, not kept.
            if self._source.known(domain) is not record or len(self._parts) >= _MAX_RECORDS:
                return record.mechanisms
            self._parts[key] = tuple(self._compile(domain, record, version))
        return self._parts[key]

    def _walk(self, ip: IPAddress, message: SpfMessage, resolver: Resolver, seconds: float) -> MessageWalk:
        asking = Timed(Known(self._resolver, resolver), seconds)
        source = RecordSource(asking, self._source)
        return MessageWalk(asking, source, self._sender_domain, ip, message, parts=self)

    def _compile(self, domain: str, record: Record, version: int) -> Iterator[Mechanism | Segment]:
        for fixed, group in groupby(record.mechanisms, _asks_no_message):
            terms = tuple(group)
            if not fixed:
                yield from terms
                continue
            walk = Walk(self._resolver, self._source, self._sender_domain, version, _SEGMENT_STEPS)
            yield segment_of(terms, *walk.over(domain, terms))


def _asks_no_message(term: Mechanism) -> bool:
    """Whether the term itself is the same for all messages; what it includes may still differ."""
    if isinstance(term, All | Network):
        return True
    return not isinstance(term, Ptr) and (term.target is None or term.target.letters <= _FIXED)
