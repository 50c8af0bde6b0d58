"""What a run could not tell: while that is so, nothing that rests on it is raised, and no alert about it is over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sidedoor.mail.fact import Unknown
from sidedoor.tenant.snapshot import InboundConnector, TenantSnapshot
from sidedoor.watch.find.itself import reason
from sidedoor.watch.find.made import parts_of, subject_of
from sidedoor.watch.kinds import Part
from sidedoor.watch.sight import Baseline, Sight, Source, dns_source

# Flags of a connector that its kinds compare; one that an export leaves out says nothing.
_FLAGS = (
    "enabled", "require_tls", "restrict_to_addresses", "restrict_to_certificate", "treat_messages_as_internal",
    "cloud_services_mail_enabled", "ef_skip_last_ip",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Untold:
    """sources: as in `Sight.untold`. parts: with the subject, "" for all. missing: senders of the baseline that the
    history has no more.
    """

    sources: frozenset[str] = frozenset()
    parts: frozenset[tuple[Part, str]] = frozenset()
    missing: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def of(cls, sight: Sight, baseline: Baseline) -> Untold:
        """What this run did not tell."""
        names = [*sight.untold, *map(dns_source, sight.domains), Source.PROBE]
        sources = {str(source) for source in names if reason(str(source), sight)}
        parts = {*_of_history(sight), *_of_settings(sight, baseline), *_of_dns(sight, baseline)}
        if Source.PROBE in sources:
            parts.add((Part.PROBE, ""))
        here = {seen.key for seen in sight.senders}
        gone = {key for key, known in baseline.senders.items() if known.accepted and key not in here}
        return cls(frozenset(sources), frozenset(parts), frozenset(map(subject_of, gone)))

    def bars(self, source: str) -> bool:
        """Whether a source was not told, so that a finding of it cannot be believed now."""
        return source in self.sources or source.partition(":")[0] in self.sources

    def keeps(self, kind: str, subject: str, source: str) -> bool:
        """Whether nobody can say that a finding of an earlier run is over."""
        return self.bars(source) or any(self._lacks(part, subject) for part in parts_of(kind))

    def _lacks(self, part: Part, subject: str) -> bool:
        if part.source in self.sources or (part, "") in self.parts or (part, subject) in self.parts:
            return True
        return part is Part.SENDER and subject in self.missing


def _of_history(sight: Sight) -> Iterator[tuple[Part, str]]:
    if sight.history_until is None:
        yield Part.COMPLETE, ""


def _of_settings(sight: Sight, baseline: Baseline) -> Iterator[tuple[Part, str]]:
    now = sight.snapshot
    facts: tuple[tuple[Part, Any], ...] = (
        (Part.REJECT, now.reject_direct_send), (Part.CONNECTORS, now.inbound_connectors),
        (Part.ACCEPTED, now.accepted_domains), (Part.FILTER, now.connection_filter), (Part.RULES, now.transport_rules),
    )  # fmt: skip
    yield from ((part, "") for part, fact in facts if isinstance(fact, Unknown))
    before = {row.name: row for row in baseline.snapshot.known_connectors}
    for row in now.known_connectors:
        if row.name in before and _less(before[row.name], row):
            yield Part.CONNECTORS, subject_of(row.name)
    yield from _of_rules_and_domains(now)


def _less(before: InboundConnector, now: InboundConnector) -> bool:
    """Whether a flag that was known is not any more."""
    pairs = [(getattr(before, name), getattr(now, name)) for name in _FLAGS]
    return any(isinstance(new, Unknown) and not isinstance(old, Unknown) for old, new in pairs)


def _of_rules_and_domains(now: TenantSnapshot) -> Iterator[tuple[Part, str]]:
    if not isinstance(now.transport_rules, Unknown):
        yield from (
            (Part.RULES, subject_of(rule.name)) for rule in now.transport_rules if isinstance(rule.enabled, Unknown)
        )
    if not isinstance(now.accepted_domains, Unknown):
        for row in now.accepted_domains:
            if isinstance(row.kind, Unknown) or isinstance(row.match_subdomains, Unknown):
                yield Part.ACCEPTED, str(row.domain)


def _of_dns(sight: Sight, baseline: Baseline) -> Iterator[tuple[Part, str]]:
    for name, row in sight.domains.items():
        if isinstance(row.spf, Unknown):
            yield Part.SPF, name
        if isinstance(row.dmarc, Unknown):
            yield Part.DMARC, name
        if isinstance(row.mx, Unknown):
            yield Part.MX, name
    accepted = sight.snapshot.accepted_domains
    still = None if isinstance(accepted, Unknown) else {str(row.domain) for row in accepted}
    for name in baseline.domains.keys() - sight.domains.keys():
        if still is None or name in still:  # it is ours still, or may be, and nobody asked
            yield from ((part, name) for part in (Part.SPF, Part.DMARC, Part.MX))
