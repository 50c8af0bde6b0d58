"""What the audit asks DNS for, once per name: SPF of envelope domains, reverse names of the clients seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sidedoor.audit.context import SpfEvidence
from sidedoor.mail.domain import DomainError, parse_domain
from sidedoor.mail.fact import Fact, Unknown
from sidedoor.mail.network import NetworkError, parse_ip
from sidedoor.mailauth.facts import DnsFacts
from sidedoor.mailauth.mx import reverse_names
from sidedoor.mailauth.resolver import Resolver
from sidedoor.mailauth.spf import SpfResult, SpfSet, compile_spf

# Envelope domains beyond the accepted ones are the sender's own choice: so many records are asked for, no more.
_MOST_FOREIGN_DOMAINS = 500
# Reverse names are a hint; beyond this many clients they would cost more than they tell.
_MOST_REVERSE = 2_000


class SpfLookups:
    """`context.SpfLookup` over compiled records: (envelope domain, client address) -> evidence, None if unknown."""

    def __init__(self, facts: DnsFacts, resolver: Resolver) -> None:
        self._sets: dict[str, SpfSet] = {domain.ascii: record for domain, record in facts.spf.items()}
        self._resolver = resolver
        self._foreign = 0

    def __call__(self, envelope_domain: str, client_ip: str) -> SpfEvidence | None:
        """Evaluate the published record now; a temporary failure or an unread record is no evidence."""
        record = self._record(envelope_domain)
        if record is None:
            return None
        try:
            evidence = record.evaluate(parse_ip(client_ip))
        except NetworkError:
            return None
        return None if evidence.result is SpfResult.TEMPERROR else evidence

    def _record(self, envelope_domain: str) -> SpfSet | None:
        if envelope_domain in self._sets:
            return self._sets[envelope_domain]
        if self._foreign >= _MOST_FOREIGN_DOMAINS:
            return None
        self._foreign += 1
        try:
            domain = parse_domain(envelope_domain)
        except DomainError:
            return None
        return self._sets.setdefault(envelope_domain, compile_spf(domain, self._resolver))


def reverse_names_of(addresses: Iterable[str], resolver: Resolver) -> Mapping[str, Fact[tuple[str, ...]]]:
    """Address -> its reverse names, for the first `_MOST_REVERSE` addresses."""
    names: dict[str, Fact[tuple[str, ...]]] = {}
    for text in list(addresses)[:_MOST_REVERSE]:
        try:
            names[text] = reverse_names(parse_ip(text), resolver)
        except NetworkError:
            names[text] = Unknown("no IP address")
    return names
