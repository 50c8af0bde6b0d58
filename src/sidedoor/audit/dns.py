"""What the audit asks DNS for, once per name: SPF of envelope domains, reverse names of the clients seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice

from sidedoor.audit.context import SpfEvidence
from sidedoor.mail.domain import DomainError, parse_domain
from sidedoor.mail.fact import Fact
from sidedoor.mail.network import NetworkError, parse_ip
from sidedoor.mailauth.facts import DnsFacts
from sidedoor.mailauth.resolver import Resolver
from sidedoor.mailauth.reverse import reverse_names_of
from sidedoor.mailauth.spf import SpfResult, SpfSet, compile_spf

# Envelope domains beyond the accepted ones are the sender's own choice: so many records are asked for, no more.
_MOST_FOREIGN_DOMAINS = 500
# Reverse names are a hint; beyond this many clients they would cost more than they tell.
_MOST_REVERSE = 2_000

# DNS did not answer, or the record asks for facts of the message: that says nothing about the client.
_NO_EVIDENCE = {SpfResult.TEMPERROR, SpfResult.UNDETERMINED}


class SpfLookups:
    """`context.SpfLookup` over compiled records: (envelope domain, client address) -> evidence, None if unknown."""

    def __init__(self, facts: DnsFacts, resolver: Resolver) -> None:
        self._sets: dict[str, SpfSet] = {domain.ascii: record for domain, record in facts.spf.items()}
        self._resolver = resolver
        self._foreign = 0

    def __call__(self, envelope_domain: str, client_ip: str) -> SpfEvidence | None:
        """Evaluate the published record now; what could not be told is no evidence."""
        record = self._record(envelope_domain)
        if record is None:
            return None
        try:
            evidence = record.evaluate(parse_ip(client_ip))
        except NetworkError:
            return None
        return None if evidence.result in _NO_EVIDENCE else evidence

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


def client_names(addresses: Iterable[str], resolver: Resolver) -> Mapping[str, Fact[tuple[str, ...]]]:
    """Address -> its reverse names, for the first `_MOST_REVERSE` addresses."""
    return reverse_names_of(islice(addresses, _MOST_REVERSE), resolver)
