"""Flows to senders: choose the flows that matter, group them, assess each group, name it and advise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sidedoor.audit.assessment import assess, judge
from sidedoor.audit.context import AssessmentContext, SpfEvidence, SpfLookup
from sidedoor.audit.features import Features, measure, own_domain
from sidedoor.audit.flow import Flow
from sidedoor.audit.grouping import SenderGroup, group_senders
from sidedoor.audit.identify import claimed, identify, proved
from sidedoor.audit.model import Sender
from sidedoor.audit.naming import identities, name, networks
from sidedoor.audit.patterns import Standing, persistent, standing, voucher
from sidedoor.audit.recommendation import recommend
from sidedoor.mail.network import IPAddress
from sidedoor.policy.decision import Submission

__all__ = [
    "AssessmentContext", "SenderGroup", "SpfEvidence", "SpfLookup", "assess", "group_senders", "make_senders",
]  # fmt: skip

_MOST_LISTED = 50
# A sender is the better known of two users of one address from this many times the other's active days on.
_LONGER = 2
_NEAR_BITS = {4: 8, 6: 64}


def make_senders(flows: Sequence[Flow], context: AssessmentContext) -> list[Sender]:
    """Every sender of the report, most messages first. Pure: the same flows in any order give the same senders."""
    groups = group_senders([flow for flow in flows if _wanted(flow, context)], context.spf)
    measured = [_measured(group, context) for group in groups]
    rivals, vouched = _rivals(measured), _vouched(measured)
    measured = [
        replace(features, rival=rivals.get(index, ""), vouched=vouched.get(index, ""))
        for index, features in enumerate(measured)
    ]
    ids = identities(measured)
    senders = [_sender(*made) for made in zip(ids, groups, measured, strict=True)]
    return sorted(senders, key=lambda sender: (-sender.messages, sender.id))


def _measured(group: SenderGroup, context: AssessmentContext) -> Features:
    features = measure(group, context)
    return replace(features, matches=identify(features, context.catalogue))


def _wanted(flow: Flow, context: AssessmentContext) -> bool:
    """Design section 4: direct-send and sent-directly, internet mail in our name, and what may yet be Direct Send."""
    match flow.decision.submission:
        case Submission.DIRECT_SEND | Submission.SENT_DIRECTLY:
            return True
        case Submission.INTERNET:
            return _in_our_name(flow, context)
        case Submission.UNDETERMINED:
            return flow.decision.would_reject is not False or _in_our_name(flow, context)
        case _:
            return False


def _in_our_name(flow: Flow, context: AssessmentContext) -> bool:
    return flow.own_header_from or own_domain(flow.header_from_domain, context.accepted_domains)


@dataclass(frozen=True, slots=True)
class _Renown:
    """How well a sender is known, and where: what decides who borrows whose address."""

    passes: bool
    days: int
    first_seen: datetime
    known: bool
    places: frozenset[tuple[int, int]]

    @property
    def order(self) -> tuple[bool, int, float]:
        """The best known has the greatest."""
        return self.passes, self.days, -self.first_seen.timestamp()

    def outdone_by(self, best: _Renown) -> bool:
        """Whether `best` was there before, much longer, on an unrelated network; devices of one office share names."""
        if self is best or self.passes or not best.known or best.first_seen > self.first_seen:
            return False
        return best.days >= _LONGER * self.days and self.places.isdisjoint(best.places)


def _renown(features: Features) -> _Renown:
    passes = standing(features) is Standing.PASSES
    places = {(address.version, int(address) >> _NEAR_BITS[address.version]) for address in features.addresses}
    known = passes or persistent(features)
    return _Renown(passes, len(features.days), features.first_seen, known, frozenset(places))


def _rivals(measured: Sequence[Features]) -> Mapping[int, str]:
    """Senders that claim an address which a better-known sender uses from an unrelated network."""
    users: dict[str, list[int]] = {}
    for index, features in enumerate(measured):
        for text in features.claims:
            users.setdefault(text, []).append(index)
    shared = {text: who for text, who in users.items() if len(who) > 1}
    renown = {index: _renown(measured[index]) for index in sorted({index for who in shared.values() for index in who})}
    found: dict[int, str] = {}
    for text in sorted(shared):
        best = renown[max(shared[text], key=lambda index: renown[index].order)]
        for index in shared[text]:
            if index not in found and renown[index].outdone_by(best):
                found[index] = text
    return found


def _vouched(measured: Sequence[Features]) -> Mapping[int, str]:
    """Senders all of whose addresses a well-known device of the organisation sends from too (a NAT, a server)."""
    homes: dict[IPAddress, int] = {}
    for index, features in enumerate(measured):
        if voucher(features):
            for address in features.addresses:
                homes.setdefault(address, index)
    return {
        index: str(features.addresses[0])
        for index, features in enumerate(measured)
        if features.addresses and all(homes.get(address, index) != index for address in features.addresses)
    }


def _sender(identity: str, group: SenderGroup, features: Features) -> Sender:
    verdict, confidence, reasons = judge(features)
    flows = group.flows
    refused = sum(flow.messages for flow in flows if flow.decision.would_reject)
    unknown = sum(flow.messages for flow in flows if flow.decision.would_reject is None)
    entry = proved(features)
    tls = sorted({flow.tls for flow in flows if flow.tls})
    return Sender(
        id=identity,
        name=name(features, verdict),
        submission=group.submission,
        assessment=verdict,
        confidence=confidence,
        reasons=reasons,
        networks=networks(features.addresses) if features.addresses else (),
        envelope_domains=_envelope_domains(flows),
        mail_from=_commonest(pair for flow in flows for pair in flow.envelope_senders),
        helo=tuple(sorted(features.hosts, key=lambda host: (-features.hosts[host], host))[:_MOST_LISTED]),
        service=entry.name if entry else features.owner or features.service,
        messages=features.messages,
        recipients=features.recipients,
        first_seen=features.first_seen,
        last_seen=features.last_seen,
        active_days=len(features.days),
        authentication=_authentication(features, flows),
        would_reject=refused,
        would_reject_unknown=unknown,
        recommendation=recommend(features, verdict, tls, would_reject=refused, unknown=unknown),
        flow_ids=tuple(sorted(flow.id for flow in flows)),
        header_from=_commonest(pair for flow in flows for pair in flow.header_froms),
        product=entry.id if entry else None,
        claims_product=claim.entry.id if (claim := claimed(features)) else None,
    )


def _envelope_domains(flows: Iterable[Flow]) -> tuple[str, ...]:
    return tuple(sorted({flow.envelope_domain for flow in flows if flow.envelope_domain is not None}))


def _commonest(pairs: Iterable[tuple[str, int]]) -> tuple[str, ...]:
    counts: Counter[str] = Counter()
    for text, count in pairs:
        counts[text] += count
    return tuple(sorted(counts, key=lambda text: (-counts[text], text))[:_MOST_LISTED])


def _authentication(features: Features, flows: Sequence[Flow]) -> dict[str, dict[str, int]]:
    """Result -> messages as the exports tell it; for SPF, where they are silent, as evaluated now."""
    spf: Counter[str] = Counter()
    for flow in flows:
        spf.update(flow.spf)
    counts = {
        "spf": spf or features.spf,
        "dkim": features.dkim,
        "dmarc": features.dmarc,
        "compauth": features.compauth,
    }
    return {mechanism: dict(sorted(results.items())) for mechanism, results in counts.items()}
