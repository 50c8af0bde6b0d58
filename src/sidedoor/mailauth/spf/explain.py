"""What a domain has to say to a client that fails (RFC 7208 section 6.2)."""

from __future__ import annotations

from sidedoor.mailauth.resolver import Kind, Records, Resolver, askable
from sidedoor.mailauth.spf.evidence import Path, SpfEvidence
from sidedoor.mailauth.spf.macro import DomainSpec
from sidedoor.mailauth.spf.message_walk import MessageWalk
from sidedoor.mailauth.spf.records import RecordSource
from sidedoor.mailauth.spf.terms import OtherModifier, Record, SpfResult


def explanation(evidence: SpfEvidence, walk: MessageWalk, resolver: Resolver, source: RecordSource) -> str:
    """The explanation of a fail, "" where there is none, or it cannot be had or read. Text from a stranger.

    Section 6.2: whatever goes wrong here is as if nothing were said, and no look-up of it counts.
    """
    domain = _speaker(evidence.path)
    if evidence.result is not SpfResult.FAIL or domain is None:
        return ""
    record = source.record_of(domain)
    target = _exp(record) if isinstance(record, Record) else None
    name = target and walk.expand(target, domain)
    answer = resolver.lookup(name, Kind.TXT) if name and askable(name) else None
    if not isinstance(answer, Records) or len(answer.values) != 1:
        return ""
    said = walk.explain(answer.values[0], domain) or ""
    # What the client calls itself stands in it now, and it is meant for an SMTP reply.
    return "".join(letter if " " <= letter <= "~" else "?" for letter in said)


def _speaker(path: Path) -> str | None:
    """Whose exp counts: the record that a redirect leads to (section 6.2), never one that is only included."""
    return next((domain for domain, term in path if not term.lower().startswith("redirect=")), None)


def _exp(record: Record) -> DomainSpec | None:
    texts = [term.value for term in record.terms if isinstance(term, OtherModifier) and term.name == "exp"]
    return DomainSpec(texts[0]) if texts else None
