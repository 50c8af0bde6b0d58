"""What is measured of a sender before anything is judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import TypeVar

from sidedoor.audit.context import AssessmentContext, SpfEvidence
from sidedoor.audit.elsewhere import Elsewhere, elsewhere
from sidedoor.audit.grouping import SenderGroup
from sidedoor.audit.hostname import HostKind, host_kind
from sidedoor.audit.seen import Seen, sending_domain
from sidedoor.catalogue.match import Match
from sidedoor.mail.domain import Domain, DomainError, parse_domain
from sidedoor.mail.fact import Unknown
from sidedoor.mail.network import IPAddress
from sidedoor.policy.decision import Submission

K = TypeVar("K")


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """Measures of one sender, compared by identity so that patterns of it can be remembered.

    Counts are messages per recipient; result words map to such counts.

    spf: SPF evaluated now where it speaks for the organisation's name. spf_exported: the exports' SPF words for mail
    that could not be evaluated now. spf_foreign: messages whose SPF speaks for a foreign envelope domain only.
    evidence: the evaluation that most messages rest on. people: claimed addresses that also log in, with messages.
    recipients: at least so many (of the largest flow); recipients_most: at most so many (sum over flows).
    signers, signed_own: messages by the domain that signed (d=), and those of them in an accepted domain.
    mailers: messages by X-Mailer. matches: entries of the catalogue, the likeliest first; added by `senders`.
    elsewhere: what DMARC reports of other receivers say of its addresses, None where they say nothing.
    hosts: HELO names by messages. reverse: PTR names of the addresses whose names are known.
    """

    submission: Submission
    messages: int
    addresses: tuple[IPAddress, ...]
    days: tuple[date, ...]
    hours: tuple[int, ...]
    first_seen: datetime
    last_seen: datetime
    window_days: int
    window_end: datetime
    spf: Mapping[str, int]
    spf_exported: Mapping[str, int]
    spf_foreign: int
    evidence: SpfEvidence | None
    dkim: Mapping[str, int]
    dmarc: Mapping[str, int]
    compauth: Mapping[str, int]
    compauth_reason: Mapping[str, int]
    treatments: Mapping[str, int]
    claims: Mapping[str, int]
    distinct_claims: int
    people: Mapping[str, int]
    logins_known: bool
    recipients: int
    recipients_most: int
    self_addressed: int
    hosts: Mapping[str, int]
    kinds: Mapping[HostKind, int]
    own_host: str
    reverse: tuple[str, ...]
    reverse_absent: int
    reverse_own: bool
    envelope_domain: str
    foreign_envelope: bool
    service: str | None
    owner: str | None
    rival: str
    vouched: str
    signers: Mapping[str, int]
    signed_own: int
    mailers: Mapping[str, int]
    elsewhere: Elsewhere | None
    matches: tuple[Match, ...] = ()

    @property
    def span_days(self) -> int:
        """Calendar days from the first to the last active one, both counted."""
        return (self.days[-1] - self.days[0]).days + 1 if self.days else 0

    @property
    def self_share(self) -> float:
        """Share of messages whose sender is the recipient."""
        return self.self_addressed / self.messages if self.messages else 0.0

    @property
    def people_share(self) -> float:
        """Share of messages that claim the address of somebody who logs in."""
        total = sum(self.claims.values())
        return sum(self.people.values()) / total if total else 0.0


def measure(group: SenderGroup, context: AssessmentContext) -> Features:
    """Measure one group: linear in its flows."""
    seen, flows = group.seen, group.flows
    claims = _claims(group, context)
    hosts = _sum({flow.helo: flow.messages} for flow in flows if flow.helo)
    known_helo = sum(flow.messages for flow in flows if flow.helo is not None)
    kinds = _sum({host_kind(flow.helo): flow.messages} for flow in flows if flow.helo is not None) if known_helo else {}
    messages = sum(flow.messages for flow in flows)
    own_spf, exported, foreign = _spf(seen, context)
    addresses = tuple(sorted({item.address for item in seen if item.address}, key=lambda ip: (ip.version, int(ip))))
    reverse, absent = _reverse(addresses, context)
    signers = _sum(flow.signers for flow in flows)
    evidence = max(seen, key=lambda item: (item.spf is not None, item.flow.messages)).spf
    return Features(
        submission=group.submission,
        messages=messages,
        addresses=addresses,
        days=_days(seen),
        hours=_hours(seen),
        first_seen=min(flow.first_seen for flow in flows),
        last_seen=max(flow.last_seen for flow in flows),
        window_days=max(1, (context.window[1].date() - context.window[0].date()).days + 1),
        window_end=context.window[1],
        spf=own_spf,
        spf_exported=exported,
        spf_foreign=foreign,
        evidence=evidence,
        dkim=_sum(flow.dkim for flow in flows),
        dmarc=_sum(flow.dmarc for flow in flows),
        compauth=_sum(flow.compauth for flow in flows),
        compauth_reason=_sum(flow.compauth_reason for flow in flows),
        treatments=_sum(flow.treatments for flow in flows),
        claims=claims,
        distinct_claims=max(len(claims), *(flow.distinct_senders for flow in flows)),
        people={text: count for text, count in claims.items() if context.authenticated_use.get(text, 0) > 0},
        logins_known=bool(context.authenticated_use),
        recipients=max(flow.distinct_recipients for flow in flows),
        recipients_most=min(messages, sum(flow.distinct_recipients for flow in flows)),
        self_addressed=sum(flow.self_addressed for flow in flows),
        hosts=hosts,
        kinds=kinds,
        own_host=next((name for name in sorted(hosts) if own_domain(name, context.accepted_domains)), ""),
        reverse=reverse,
        reverse_absent=absent,
        reverse_own=any(own_domain(name, context.accepted_domains) for name in reverse),
        envelope_domain=_envelope_domain(seen),
        foreign_envelope=_foreign_envelope(seen, context),
        service=group.service.term if group.service else None,
        owner=group.service.owner if group.service else None,
        rival=group.rival,
        vouched=group.vouched,
        signers=signers,
        signed_own=sum(count for name, count in signers.items() if own_domain(name, context.accepted_domains)),
        mailers=_sum(flow.mailers for flow in flows),
        elsewhere=elsewhere(addresses, context.reported, context.accepted_domains),
    )


def _sum(counts: Iterable[Mapping[K, int]]) -> Counter[K]:
    total: Counter[K] = Counter()
    for count in counts:
        total.update(count)
    return total


@lru_cache(maxsize=65536)
def _domain(text: str) -> Domain | None:
    try:
        return parse_domain(text)
    except DomainError:
        return None


def own_domain(text: str | None, accepted: AbstractSet[Domain]) -> bool:
    """Whether a domain or host name is at or under an accepted domain."""
    return bool(text) and _own_domain(str(text), frozenset(accepted))


@lru_cache(maxsize=65536)
def _own_domain(text: str, accepted: frozenset[Domain]) -> bool:
    labels = text.lower().removesuffix(".").split(".")
    return any(Domain(".".join(labels[start:])) in accepted for start in range(len(labels)))


def _claims(group: SenderGroup, context: AssessmentContext) -> dict[str, int]:
    """The addresses the sender claims: of the organisation where there are any, else whatever it says."""
    own: Counter[str] = Counter()
    other: Counter[str] = Counter()
    for item in group.seen:
        pairs = list(item.claims)
        if not any(own_domain(text.rpartition("@")[2], context.accepted_domains) for text, _ in pairs):
            pairs = [(text.lower(), count) for text, count in item.flow.header_froms] or pairs
        for text, count in pairs:
            (own if own_domain(text.rpartition("@")[2], context.accepted_domains) else other)[text] += count
    return dict((own or other).most_common())


def _spf(seen: Iterable[Seen], context: AssessmentContext) -> tuple[Counter[str], Counter[str], int]:
    """SPF authorises the envelope domain; that says something of the organisation's name only if they go together."""
    now: Counter[str] = Counter()
    exported: Counter[str] = Counter()
    foreign = 0
    for item in seen:
        if item.flow.envelope_domain == "<>":
            # RFC 7208 section 2.4: SPF then evaluates the HELO name, which speaks for itself alone.
            if own_domain(item.flow.helo, context.accepted_domains):
                exported.update(item.flow.spf)
        elif not _speaks_for_author(item, context.accepted_domains):
            foreign += item.flow.messages
        elif item.spf is not None:
            now[item.spf.result] += item.flow.messages
        else:
            exported.update(item.flow.spf)
    return now, exported, foreign


def _speaks_for_author(item: Seen, accepted: AbstractSet[Domain]) -> bool:
    """Identifier alignment, relaxed (RFC 7489 section 3.1.2), with accepted domains as organisational domains."""
    envelope, header = sending_domain(item.flow), item.flow.header_from_domain
    if own_domain(envelope, accepted):
        return True
    if not envelope or not header:
        return not header and bool(envelope)
    one, other = _domain(envelope), _domain(header)
    return one is not None and other is not None and (one.is_at_or_under(other) or other.is_under(one))


def _envelope_domain(seen: Iterable[Seen]) -> str:
    totals = _sum({sending_domain(item.flow): item.flow.messages} for item in seen)
    return min(totals, key=lambda domain: (-totals[domain], domain), default="")


def _foreign_envelope(seen: Iterable[Seen], context: AssessmentContext) -> bool:
    return all(
        item.flow.envelope_domain not in {None, "<>"}
        and not own_domain(item.flow.envelope_domain, context.accepted_domains)
        for item in seen
    )


def _days(seen: Iterable[Seen]) -> tuple[date, ...]:
    return tuple(sorted({day for item in seen for day in item.flow.days}))


def _hours(seen: Iterable[Seen]) -> tuple[int, ...]:
    profiles = [item.flow.hours for item in seen if len(item.flow.hours) == 24]
    return tuple(map(sum, zip(*profiles, strict=True))) if profiles else (0,) * 24


def _reverse(addresses: Iterable[IPAddress], context: AssessmentContext) -> tuple[tuple[str, ...], int]:
    """(names, addresses that have none); addresses whose reverse name is unknown count in neither."""
    names: set[str] = set()
    absent = 0
    if context.reverse_names:
        for address in addresses:
            fact = context.reverse_names.get(str(address))
            if fact is None or isinstance(fact, Unknown):
                continue
            names.update(name.lower().removesuffix(".") for name in fact)
            absent += not fact
    return tuple(sorted(names)), absent
