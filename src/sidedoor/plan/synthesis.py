"""The fewest connectors that cover the honest senders: per envelope domain the union of addresses (domain facts 2.4).

A Partner connector that restricts a domain to addresses refuses everybody else of that domain, so there is one for a
domain, never two. Senders that must reach the internet, or that stand beside a lock-down, share one OnPremises one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network

from sidedoor.mail.domain import Domain
from sidedoor.mail.fact import Fact, Unknown
from sidedoor.mail.network import IPAddress, IPNetwork
from sidedoor.plan.facts import SenderFacts
from sidedoor.plan.methods import Door, lists_addresses
from sidedoor.plan.model import (
    Action,
    Because,
    Choice,
    Conflict,
    ConflictKind,
    ConnectorProposal,
    ConnectorSettings,
    Method,
)
from sidedoor.plan.ranges import ranges, widened, written
from sidedoor.plan.words import RelayWord, Words
from sidedoor.tenant.snapshot import ConnectorKind, InboundConnector

_MOST_NAME = 64
_EVERY = "*"


@dataclass(slots=True)
class _Group:
    """What one connector has to cover."""

    senders: list[str] = field(default_factory=list)
    addresses: list[IPAddress] = field(default_factory=list)
    said: list[IPNetwork] = field(default_factory=list)
    seen: list[IPAddress] = field(default_factory=list)
    domains: set[str] = field(default_factory=set)
    plain: bool = False  # some of its mail comes, or may come, without TLS

    def add(
        self, sender: str, addresses: Iterable[IPAddress], said: Iterable[IPNetwork], *, plain: bool = False
    ) -> None:
        """Ranges that a person said stand in for the addresses seen."""
        said, addresses = list(said), list(addresses)
        self.plain = self.plain or plain
        self.senders.append(sender)
        self.seen += addresses
        self.addresses += [] if said else addresses
        self.said += said


@dataclass(frozen=True, slots=True)
class Synthesis:
    """The connectors, and where they get into the way of those that exist."""

    connectors: tuple[ConnectorProposal, ...]
    conflicts: tuple[Conflict, ...]


def synthesise(choices: Sequence[Choice], facts: Sequence[SenderFacts], words: Words, door: Door) -> Synthesis:
    """Connectors for all choices that need one. `choices` and `facts` go together, one by one."""
    builder = _Builder(door.snapshot.known_connectors)
    pairs = list(zip(choices, facts, strict=True))
    _by_certificate(pairs, words, door, builder)
    _by_address(pairs, words, door, builder)
    _relay(pairs, words, door, builder)
    return Synthesis(tuple(builder.made), tuple(builder.conflicts))


def _partner_relay(choice: Choice, facts: SenderFacts, words: Words, door: Door) -> RelayWord | None:
    """The relay that takes a sender's mail, where a Partner connector is enough for it: nothing goes outside."""
    relay = words.relays.get(choice.relay or "") if choice.method is Method.LOCAL_RELAY else None
    if relay is None or relay.external or door.lockdown or door.contest(facts):
        return None
    return relay


def _by_certificate(pairs: Sequence[tuple[Choice, SenderFacts]], words: Words, door: Door, builder: _Builder) -> None:
    groups: defaultdict[str, _Group] = defaultdict(_Group)
    for choice, facts in pairs:
        relay = _partner_relay(choice, facts, words, door)
        name = choice.certificate if choice.method is Method.PARTNER_CERTIFICATE else relay and relay.certificate
        if name and choice.envelope_domains:
            groups[name].senders.append(choice.sender)
            groups[name].domains.update(choice.envelope_domains)
    for name, group in sorted(groups.items()):
        settings = ConnectorSettings(
            enabled=True, sender_domains=tuple(sorted(group.domains)), certificate_name=name, require_tls=True
        )
        text = f"whoever shows a certificate for {name} is let in, wherever it comes from"
        builder.partner(f"certificate {name}", settings, group, (Because("certificate-known", text),))


def _by_address(pairs: Sequence[tuple[Choice, SenderFacts]], words: Words, door: Door, builder: _Builder) -> None:
    """A connector for each domain; domains with the same addresses share one."""
    groups: defaultdict[str, _Group] = defaultdict(_Group)
    for choice, facts in pairs:
        relay = _partner_relay(choice, facts, words, door)
        for domain in choice.envelope_domains:
            if choice.method is Method.PARTNER_ADDRESS:
                plain = not facts.always_tls
                groups[domain].add(choice.sender, _seen_as(facts, domain), facts.word.addresses, plain=plain)
            elif relay is not None and relay.addresses and not relay.certificate:
                groups[domain].add(choice.sender, (), relay.addresses, plain=True)
    _with_certificates(pairs, groups)
    alike: dict[tuple[IPv4Network, ...], _Group] = {}
    for domain, group in sorted(groups.items()):
        networks = ranges(group.addresses, group.said)
        if not networks:
            continue
        merged = alike.setdefault(networks, _Group())
        merged.domains.add(domain)
        merged.senders += [sender for sender in group.senders if sender not in merged.senders]
        merged.addresses += group.addresses
        merged.said += group.said
        merged.seen += group.seen
        merged.plain = merged.plain or group.plain
    for networks, group in alike.items():
        domains = tuple(sorted(group.domains))
        settings = ConnectorSettings(
            enabled=True, sender_domains=domains, addresses=tuple(map(written, networks)), restrict_to_addresses=True
        )
        text = (
            f"mail from {', '.join(domains)} without a login is taken from these addresses and from no other (5.7.51); "
            "Set-InboundConnector honours addresses on a Partner connector only with this restriction"
        )
        builder.partner(f"addresses {domains[0]}", settings, group, (Because("restricted-to-addresses", text),))


def _with_certificates(pairs: Sequence[tuple[Choice, SenderFacts]], groups: Mapping[str, _Group]) -> None:
    """Who shows a certificate in a restricted domain is listed too: then neither connector refuses it (5.7.51)."""
    for choice, facts in pairs:
        if choice.method is Method.PARTNER_CERTIFICATE and lists_addresses(facts):
            for domain in choice.envelope_domains:
                if domain in groups:
                    groups[domain].add(choice.sender, _seen_as(facts, domain), facts.word.addresses)


def _seen_as(facts: SenderFacts, domain: str) -> Iterator[IPAddress]:
    """Addresses that a sender used with one envelope domain."""
    used = {place.address for place in facts.places if place.address and (place.domain or "").lower() == domain}
    # A U-label in the history names the same domain; then all its addresses are taken.
    yield from (address for address in facts.addresses if not used or str(address) in used)


def _relay(pairs: Sequence[tuple[Choice, SenderFacts]], words: Words, door: Door, builder: _Builder) -> None:
    """One OnPremises connector by address, and one for each certificate."""
    group, by_name = _Group(), defaultdict[str, _Group](_Group)
    relays: set[str | None] = set()
    for choice, facts in pairs:
        if choice.method is Method.ONPREMISES_RELAY:
            if choice.certificate:
                by_name[choice.certificate].senders.append(choice.sender)
            else:
                group.add(choice.sender, facts.addresses, facts.word.addresses)
        elif choice.method is Method.LOCAL_RELAY and _partner_relay(choice, facts, words, door) is None:
            relay = words.relays.get(choice.relay or "", RelayWord())
            if relay.certificate:
                by_name[relay.certificate].senders.append(choice.sender)
            elif relay.addresses:
                group.add(choice.sender, (), () if choice.relay in relays else relay.addresses)
            relays.add(choice.relay)
    for name, named in sorted(by_name.items()):
        settings = ConnectorSettings(enabled=True, sender_domains=(_EVERY,), certificate_name=name, require_tls=True)
        builder.onpremises(f"relay {name}", settings, named)
    networks = ranges(group.addresses, group.said)
    if networks:
        settings = ConnectorSettings(enabled=True, sender_domains=(_EVERY,), addresses=tuple(map(written, networks)))
        builder.onpremises("relay", settings, group)


class _Builder:
    """Connectors one after another, each held against those that exist."""

    def __init__(self, existing: Sequence[InboundConnector]) -> None:
        self._existing = existing
        self._names = {folded(row.name) for row in existing}
        self._ours: set[str] = set()
        self.made: list[ConnectorProposal] = []
        self.conflicts: list[Conflict] = []

    def partner(self, what: str, settings: ConnectorSettings, group: _Group, reasons: tuple[Because, ...]) -> None:
        """A Partner connector: an existing one that restricts the same domains is widened, never doubled."""
        twin = self._twin(ConnectorKind.PARTNER, settings)
        if twin is not None:
            wanted = replace(as_is(twin), enabled=True)
            self._overlaps(twin.name, settings)
            return self._add(Action.ENABLE, twin.name, ConnectorKind.PARTNER, wanted, group, reasons, as_is(twin))
        base = self._base(settings)
        if base is not None:
            return self._extend(base, settings, group, reasons)
        name = self._new_name(f"Sidedoor {what}")
        self._overlaps(name, settings)
        return self._add(Action.CREATE, name, ConnectorKind.PARTNER, settings, group, reasons, None)

    def _extend(
        self, base: InboundConnector, settings: ConnectorSettings, group: _Group, reasons: tuple[Because, ...]
    ) -> None:
        """Its addresses and the new ones; RequireTls off where it would refuse one of the new."""
        before = as_is(base)
        earlier = next((each for each in self.made if each.name == base.name), None)
        after = _united(before if earlier is None else earlier.settings, settings)
        text = (
            f"{base.name!r} restricts {', '.join(settings.sender_domains)} already; it gets the addresses in "
            "place of a second connector, since which of two decides is undocumented"
        )
        if after.require_tls and group.plain:
            after = replace(after, require_tls=False)
            text += "; its RequireTls is switched off, because not all of their mail is known to come under TLS"
        more = [str(each) for each in base.sender_domains if str(each) not in settings.sender_domains]
        if more:
            text += f"; the new addresses may then write as {', '.join(more)} too"
        self._conflict(ConflictKind.OVERLAP, base.name, base.name, text)
        self._overlaps(base.name, settings)
        if earlier is None:
            return self._add(Action.SET, base.name, ConnectorKind.PARTNER, after, group, reasons, before)
        senders = tuple(dict.fromkeys((*earlier.senders, *group.senders)))
        wide = (*earlier.widened, *widened(group.said, group.seen))
        self.made[self.made.index(earlier)] = replace(earlier, settings=after, senders=senders, widened=wide)
        return None

    def onpremises(self, what: str, settings: ConnectorSettings, group: _Group) -> None:
        """An OnPremises connector."""
        text = "taken as the organisation's own before any Partner connector is asked; may relay to the internet"
        late = "in some tenants a new OnPremises connector starts disabled, whatever was asked: verify looks"
        reasons = (Because("onpremises-first", text), Because("may-start-disabled", late))
        twin = self._twin(ConnectorKind.ON_PREMISES, settings)
        if twin is not None:
            wanted = replace(as_is(twin), enabled=True)
            return self._add(Action.ENABLE, twin.name, ConnectorKind.ON_PREMISES, wanted, group, reasons, as_is(twin))
        ours = self._our_relay() if settings.addresses else None
        if ours is not None:
            before = as_is(ours)
            after = _united(before, settings)
            return self._add(Action.SET, ours.name, ConnectorKind.ON_PREMISES, after, group, reasons, before)
        name = self._new_name(f"Sidedoor {what}")
        return self._add(Action.CREATE, name, ConnectorKind.ON_PREMISES, settings, group, reasons, None)

    def _our_relay(self) -> InboundConnector | None:
        """The relay connector by address that an earlier plan made. Nobody else's gets more rights."""
        relays = (row for row in self._existing if row.kind is ConnectorKind.ON_PREMISES and row.enabled is True)
        for row in relays:
            by_address = bool(row.sender_networks) and row.tls_certificate_name is None
            unlimited = whole(row) and not row.associated_accepted_domains
            if by_address and unlimited and folded(row.name).startswith(folded("Sidedoor relay")):
                return row
        return None

    def _add(  # noqa: PLR0917  # the parts of a proposal
        self, action: Action, name: str, kind: ConnectorKind, settings: ConnectorSettings, group: _Group,
        reasons: tuple[Because, ...], before: ConnectorSettings | None,
    ) -> None:  # fmt: skip
        wide = widened(group.said, group.seen)
        senders = tuple(dict.fromkeys(group.senders))
        self.made.append(ConnectorProposal(action, name, kind, settings, senders, reasons, before, wide))

    def _conflict(self, kind: ConflictKind, proposed: str, existing: str, text: str) -> None:
        self.conflicts.append(Conflict(kind, proposed, existing, text))

    def _twin(self, kind: ConnectorKind, settings: ConnectorSettings) -> InboundConnector | None:
        """A disabled connector with the very settings: it is switched on."""
        for row in self._existing:
            limited = row.kind is ConnectorKind.ON_PREMISES and row.associated_accepted_domains
            if row.enabled is not False or row.kind is not kind or limited or not whole(row):
                continue
            if _same(as_is(row), settings, kind):
                text = f"{row.name!r} has these settings and is disabled; it is switched on in place of a new one"
                self._conflict(ConflictKind.DISABLED_TWIN, row.name, row.name, text)
                return row
        return None

    def _base(self, settings: ConnectorSettings) -> InboundConnector | None:
        """An enabled connector that restricts the same domains to addresses; the one that names them so first."""
        if not settings.restrict_to_addresses:
            return None
        wanted = set(settings.sender_domains)
        named = (row for row in self._restricting() if wanted <= {str(pattern) for pattern in row.sender_domains})
        covers = (row for row in self._restricting() if all(_covers(row, name) for name in wanted))
        return next(named, None) or next(covers, None)

    def _restricting(self) -> Iterator[InboundConnector]:
        for row in self._existing:
            named = all(pattern.domain is not None for pattern in row.sender_domains)
            plain = row.tls_certificate_name is None and row.restrict_to_addresses is True
            enabled = row.enabled is not False and whole(row)
            if row.kind is ConnectorKind.PARTNER and enabled and named and plain:
                yield row

    def _new_name(self, wanted: str) -> str:
        """A name that is free; one that is taken by other settings is a conflict."""
        wanted = wanted[:_MOST_NAME]
        name = free_name(wanted, self._names)
        if name != wanted and folded(wanted) not in self._ours:
            text = f"the name {wanted!r} is taken by a connector with other settings; {name!r} is used"
            self._conflict(ConflictKind.SAME_NAME, name, wanted, text)
        self._names.add(folded(name))
        self._ours.add(folded(name))
        return name

    def _overlaps(self, name: str, settings: ConnectorSettings) -> None:
        for row in self._existing:
            if row.name == name:
                continue
            if row.enabled is False:
                self._disabled_relative(name, row, settings)
            elif row.kind is ConnectorKind.ON_PREMISES:
                self._taken_first(name, row, settings)
            elif row.identifies_by_address_or_certificate and any(_covers(row, each) for each in _named(settings)):
                every = any(pattern.domain is None for pattern in row.sender_domains)
                restricts = row.restrict_to_addresses is True or row.restrict_to_certificate is True
                kind = ConflictKind.LOCKDOWN if every and restricts else ConflictKind.OVERLAP
                text = (
                    f"{row.name!r} covers {settings.sender_domains[0]} too; which of the two decides is undocumented, "
                    "so the history was held against every way"
                )
                self._conflict(kind, name, row.name, text)

    def _disabled_relative(self, name: str, row: InboundConnector, settings: ConnectorSettings) -> None:
        shared = set(as_is(row).addresses) & set(settings.addresses)
        if shared:
            text = f"{row.name!r} names {min(shared)} as well and is disabled; delete it if nobody needs it"
            self._conflict(ConflictKind.DISABLED_TWIN, name, row.name, text)

    def _taken_first(self, name: str, row: InboundConnector, settings: ConnectorSettings) -> None:
        limits = {str(domain) for domain in row.associated_accepted_domains}
        if limits and not limits & set(settings.sender_domains):
            return
        mine = [IPv4Network(text) for text in settings.addresses]
        if any(net.overlaps(other) for net in mine for other in row.sender_networks if isinstance(other, IPv4Network)):
            text = f"{row.name!r} is of type OnPremises and takes some of these addresses first"
            self._conflict(ConflictKind.ONPREMISES_FIRST, name, row.name, text)


def free_name(wanted: str, taken: Container[str]) -> str:
    """`wanted`, or with a number that makes it one nobody has. `taken`: names as `folded` gives them."""
    name, number = wanted, 1
    while folded(name) in taken:
        number += 1
        name = f"{wanted[: _MOST_NAME - 4]} {number}"
    return name


def folded(name: str) -> str:
    """A connector's name as names are compared."""
    return name.strip().casefold()


def _named(settings: ConnectorSettings) -> list[str]:
    return [name for name in settings.sender_domains if name != _EVERY]


def _covers(row: InboundConnector, name: str) -> bool:
    """Whether a connector's SenderDomains hold a domain (A-label, as choices have it)."""
    return any(pattern.covers(Domain(name)) for pattern in row.sender_domains)


def whole(row: InboundConnector) -> bool:
    """Whether the export holds its lists whole. Otherwise nothing is changed that could not be put back."""
    return not row.lost and not any("left out" in text for text in row.warnings)


def as_is(row: InboundConnector) -> ConnectorSettings:
    """An existing connector's settings in the form of a proposal; a flag is None where the export does not tell it."""
    return ConnectorSettings(
        enabled=_told(row.enabled),
        sender_domains=tuple(str(pattern) for pattern in row.sender_domains),
        addresses=tuple(
            written(network) if isinstance(network, IPv4Network) else str(network) for network in row.sender_networks
        ),
        certificate_name=row.tls_certificate_name,
        require_tls=_told(row.require_tls),
        restrict_to_addresses=_told(row.restrict_to_addresses),
        restrict_to_certificate=_told(row.restrict_to_certificate),
    )


def _told(flag: Fact[bool]) -> bool | None:
    return None if isinstance(flag, Unknown) else flag


def _same(one: ConnectorSettings, other: ConnectorSettings, kind: ConnectorKind) -> bool:
    """Whether two are alike but for being enabled. What only Partner connectors honour counts for these."""

    def key(settings: ConnectorSettings) -> tuple[object, ...]:
        flags = (settings.require_tls, settings.restrict_to_addresses, settings.restrict_to_certificate)
        scope = frozenset(settings.sender_domains), flags
        return frozenset(settings.addresses), settings.certificate_name, scope if kind is ConnectorKind.PARTNER else ()

    return key(one) == key(other)


def _united(before: ConnectorSettings, wanted: ConnectorSettings) -> ConnectorSettings:
    networks = ranges((), [IPv4Network(text) for text in (*before.addresses, *wanted.addresses) if _is_ipv4(text)])
    return replace(before, addresses=tuple(map(written, networks)))


def _is_ipv4(text: str) -> bool:
    return ":" not in text
