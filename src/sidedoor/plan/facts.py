"""What is known of one sender when its way in is chosen: evidence, the catalogue, and a person's word above both."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import pairwise

from sidedoor.audit.engine.kept import Place
from sidedoor.audit.features import own_domain
from sidedoor.audit.hostname import HostKind, host_kind, shared_network
from sidedoor.audit.model import Sender, Verdict
from sidedoor.catalogue.catalogue import Catalogue
from sidedoor.catalogue.entry import Answer, Entry, Kind, SmtpAuth
from sidedoor.mail.domain import DomainError, parse_domain
from sidedoor.mail.fact import Fact, Unknown
from sidedoor.mail.network import IPAddress, NetworkError, parse_ip
from sidedoor.plan.words import SenderWord
from sidedoor.tenant.snapshot import TenantSnapshot

# One host with more addresses than these is behind a line whose address changes.
_MOST_FIXED = 4
_ON_SITE = frozenset(
    {
        Kind.PRINTER, Kind.STORAGE, Kind.UPS, Kind.CAMERA, Kind.PHONE, Kind.BUILDING, Kind.NETWORK,
        Kind.SERVER_MANAGEMENT, Kind.MONITORING, Kind.BACKUP, Kind.DATABASE, Kind.SCRIPT, Kind.MAIL_SERVER,
    }
)  # fmt: skip
_IN_PASSING = frozenset({Kind.SIGNATURE, Kind.ENCRYPTION, Kind.FILTER, Kind.OFFICE_SUITE, Kind.MAILING_LIST})
_OWN_HOST = frozenset({"helo-own", "reverse-own"})


@dataclass(frozen=True, slots=True)
class SenderFacts:
    """One sender's facts. A text says why where the answer could be asked about.

    places: only those in whose mail RejectDirectSend has a say. addresses: the busiest first. moving: why its
    addresses cannot be relied on, "" where they can. shared: why strangers send from them, "" where nobody else does,
    unknown where nobody knows. foreign: it runs on somebody else's machines. borrowed: (address, domain) pairs that
    spoofing senders use as well. lent: addresses that they use with any domain. tls, plain: messages known to have
    come with and without TLS, of `seen`.
    """

    sender: Sender
    word: SenderWord
    entry: Entry | None
    places: tuple[Place, ...]
    addresses: tuple[IPAddress, ...]
    domains: tuple[str, ...]
    unlocated: int
    moving: str
    shared: Fact[str]
    certificate: str | None
    external: bool
    forwarder: bool
    service: bool
    foreign: bool
    busiest_day: int
    borrowed: tuple[tuple[str, str], ...]
    lent: tuple[str, ...]
    tls: int
    plain: int
    seen: int

    @property
    def assessment(self) -> Verdict:
        """A person's word, else the audit's."""
        return self.word.assessment or self.sender.assessment

    @property
    def refusable(self) -> bool:
        """Whether closing the door touches it at all, as far as is known."""
        return bool(self.sender.would_reject or self.sender.would_reject_unknown)

    @property
    def smtp_auth(self) -> SmtpAuth:
        """Whether the product can log in."""
        return self.entry.supports.smtp_auth if self.entry else SmtpAuth.UNKNOWN

    @property
    def graph(self) -> Answer:
        """Whether the product can send by Graph."""
        return self.entry.supports.graph if self.entry else Answer.UNKNOWN

    @property
    def own_return_path(self) -> Answer:
        """Whether the product can put a subdomain of the customer's into the envelope sender."""
        return self.entry.supports.own_return_path if self.entry else Answer.UNKNOWN

    @property
    def in_passing(self) -> bool:
        """Whether it hands on other people's mail, whose envelope sender is not its own to choose."""
        return self.entry is not None and self.entry.kind in _IN_PASSING

    @property
    def always_tls(self) -> bool:
        """Whether every message of it is known to have come under TLS."""
        return self.seen > 0 and self.tls == self.seen

    @property
    def ipv6(self) -> bool:
        """Whether it was seen at an IPv6 address."""
        return any(address.version == 6 for address in self.addresses)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What all senders' facts are drawn from."""

    senders: Sequence[Sender]
    places: Mapping[str, Sequence[Place]]
    busiest: Mapping[str, int]
    snapshot: TenantSnapshot
    catalogue: Catalogue

    @staticmethod
    def of(
        senders: Sequence[Sender],
        places: Iterable[Place],
        busiest: Mapping[str, int],
        snapshot: TenantSnapshot,
        catalogue: Catalogue,
    ) -> Evidence:
        """Places are sorted to their senders."""
        by_sender: defaultdict[str, list[Place]] = defaultdict(list)
        for place in places:
            by_sender[place.sender].append(place)
        return Evidence(senders, by_sender, busiest, snapshot, catalogue)


def gather(evidence: Evidence, words: Mapping[str, SenderWord]) -> list[SenderFacts]:
    """The facts of every sender, in their order."""
    judged = {sender.id: words.get(sender.id, SenderWord()) for sender in evidence.senders}
    spoofed = {
        (place.address, place.domain)
        for sender in evidence.senders
        if (judged[sender.id].assessment or sender.assessment) is Verdict.SPOOFING
        for place in evidence.places.get(sender.id, ())
        if place.refusable
    }
    return [_facts(sender, judged[sender.id], evidence, spoofed) for sender in evidence.senders]


def _facts(
    sender: Sender, word: SenderWord, evidence: Evidence, spoofed: AbstractSet[tuple[str | None, str | None]]
) -> SenderFacts:
    places = [place for place in evidence.places.get(sender.id, ()) if place.refusable]
    entry = _entry(sender, evidence.catalogue)
    reasons = {reason.id for reason in sender.reasons}
    located = [place for place in places if place.address]
    shared = _shared(sender, word, entry, reasons, evidence.snapshot)
    service = _is_service(sender, entry, reasons)
    return SenderFacts(
        sender=sender,
        word=word,
        entry=entry,
        places=tuple(places),
        addresses=_addresses(located),
        domains=_own_domains(places, evidence.snapshot),
        unlocated=sum(place.messages for place in places if not place.address),
        moving=_moving(located, word),
        shared=shared,
        certificate=word.certificate or _certificate(entry),
        external=word.external is True,
        forwarder="forwarder" in reasons,
        service=service,
        foreign=service or isinstance(shared, Unknown),
        busiest_day=evidence.busiest.get(sender.id, 0),
        borrowed=tuple(
            sorted({(p.address or "", p.domain or "") for p in located if (p.address, p.domain) in spoofed})
        ),
        lent=tuple(sorted({p.address or "" for p in located} & {address or "" for address, _ in spoofed})),
        tls=sum(place.tls for place in places),
        plain=sum(place.plain for place in places),
        seen=sum(place.messages for place in places),
    )


def _entry(sender: Sender, catalogue: Catalogue) -> Entry | None:
    """What it is by proof; what it says it is, where a person or the audit holds it for honest."""
    if sender.product:
        return catalogue.entries.get(sender.product)
    honest = sender.assessment is Verdict.LEGITIMATE
    return catalogue.entries.get(sender.claims_product) if sender.claims_product and honest else None


def _certificate(entry: Entry | None) -> str | None:
    if entry is None or entry.supports.certificate is not Answer.YES:
        return None
    return entry.supports.certificate_name or None


def _addresses(places: Sequence[Place]) -> tuple[IPAddress, ...]:
    counts: dict[IPAddress, int] = {}
    for place in places:
        try:
            address = parse_ip(place.address or "")
        except NetworkError:
            continue
        counts[address] = counts.get(address, 0) + place.messages
    return tuple(sorted(counts, key=lambda address: (-counts[address], address.version, int(address))))


def _own_domains(places: Sequence[Place], snapshot: TenantSnapshot) -> tuple[str, ...]:
    """Envelope-sender domains that make it Direct Send, in A-labels, the busiest first."""
    counts: dict[str, int] = {}
    for place in places:
        try:
            domain = parse_domain(place.domain or "")
        except DomainError:
            continue
        if snapshot.accepts(domain):
            counts[domain.ascii] = counts.get(domain.ascii, 0) + place.messages
    return tuple(sorted(counts, key=lambda name: (-counts[name], name)))


def _moving(places: Sequence[Place], word: SenderWord) -> str:
    """Addresses that replace one another will do so again; several that are used side by side are a pool."""
    if word.fixed is not None:
        return "" if word.fixed else "plan.toml says that its address changes"
    spans: dict[str, tuple[float, float]] = {}
    for place in places:
        if place.address and place.first and place.last:
            first, last = place.first.timestamp(), place.last.timestamp()
            before = spans.get(place.address, (first, last))
            spans[place.address] = (min(before[0], first), max(before[1], last))
    if len(spans) > _MOST_FIXED:
        return f"it came from {len(spans)} addresses"
    ordered = sorted(spans.values())
    replaced = sum(after[0] > before[1] for before, after in pairwise(ordered))
    if replaced >= 2 and replaced * 2 > len(ordered) - 1:
        return f"its address changed {replaced} times"
    return ""


def _shared(
    sender: Sender, word: SenderWord, entry: Entry | None, reasons: AbstractSet[str], snapshot: TenantSnapshot
) -> Fact[str]:
    if word.shared is not None:
        return "plan.toml says that others send from there too" if word.shared else ""
    product = _product_shares(sender, entry, reasons)
    if product is not None:
        return product
    if "spf-service" in reasons:
        return f"{sender.service or 'the service'} sends from networks that its other customers use too"
    cloud = next((name for name in sender.helo if shared_network(name)), None)
    if cloud is not None:
        return f"{cloud} is in a network whose addresses go from tenant to tenant"
    return _foreign_host(sender, reasons, snapshot)


def _product_shares(sender: Sender, entry: Entry | None, reasons: AbstractSet[str]) -> Fact[str] | None:
    """What the catalogue says; None where it does not settle it. A claim counts but at a host of the organisation."""
    if entry is None or not (sender.product or not reasons & _OWN_HOST):
        return None
    rents = entry.supports.fixed_addresses is Answer.YES
    if entry.shared_addresses and rents:  # for those who pay for them: who did, no export tells
        return Unknown(f"{entry.name} sends from shared networks unless you rent addresses of your own there")
    if entry.shared_addresses:
        return f"other customers of {entry.name} send from the same networks"
    return "" if rents and sender.product else None


def _foreign_host(sender: Sender, reasons: AbstractSet[str], snapshot: TenantSnapshot) -> Fact[str]:
    """A host under somebody else's name: who else sends through it is not known."""
    name = sender.helo[0] if sender.helo else ""
    if reasons & _OWN_HOST or host_kind(name) not in {HostKind.HOST, HostKind.MAIL_HOST} or "." not in name:
        return ""
    try:
        parse_domain(name)
    except DomainError:
        return ""
    accepted = snapshot.accepted_domains
    if not isinstance(accepted, Unknown) and own_domain(name, {row.domain for row in accepted}):
        return ""
    return Unknown(f"{name[:80]} is somebody else's host: who else sends through it is not known")


def _is_service(sender: Sender, entry: Entry | None, reasons: AbstractSet[str]) -> bool:
    """Software of somebody else on their own machines: it is not moved behind a relay of ours."""
    if "spf-service" in reasons:
        return True
    return bool(entry and sender.product and entry.kind not in _ON_SITE)
