"""Atoms: the flows of one client address that certainly belong together, with what is needed to join atoms."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from sidedoor.audit.context import SpfEvidence, SpfLookup
from sidedoor.audit.disjoint import DisjointSets
from sidedoor.audit.flow import Flow
from sidedoor.audit.hostname import HostKind, fold_host, host_kind, specific_host
from sidedoor.mail.domain import Domain
from sidedoor.mail.network import IPAddress, NetworkError, parse_ip
from sidedoor.policy.decision import Submission

# A determinate submission that an undetermined flow of the same address and sender joins, the likeliest first.
_DETERMINATE = (Submission.DIRECT_SEND, Submission.SENT_DIRECTLY, Submission.INTERNET)
# From this many self-addressed messages or borrowed names within two days on, a host is in a wave.
WAVE = 8
_TWO_DAYS = timedelta(days=2)
_LEAVES = re.compile(r"[+?~-]?(?:include:|redirect=)(?P<target>.+?)\.?", re.IGNORECASE)
# What varies in generated addresses: numbers, and hexadecimal or base-32 words with a digit in them.
_MADE = re.compile(r"[=+]|[0-9][^0-9]*[0-9][^0-9]*[0-9]")
_VARIES = re.compile(r"[a-z0-9]*[0-9][a-z0-9]*|(?<![a-z])[a-f]{6,}(?![a-z])")
_NOT_A_RESULT = frozenset({"temperror", "permerror", ""})


@dataclass(frozen=True, slots=True)
class Service:
    """A network of somebody else that the envelope domain's SPF record lets send: `include:spf.fabrikam.com`."""

    term: str
    owner: str | None


@dataclass(frozen=True, slots=True)
class Seen:
    """A flow with what DNS and the other flows of its address say of it."""

    flow: Flow
    submission: Submission  # the flow's own, or that of the sender it joins
    address: IPAddress | None
    client: str  # the address as text, "" for none
    spf: SpfEvidence | None
    service: Service | None
    claims: tuple[tuple[str, int], ...]  # (address, messages) it sends as


@dataclass(frozen=True, slots=True)
class Trait:
    """What must not contradict within a sender; None is unknown and contradicts nothing."""

    spf: bool | None
    dkim: bool | None
    wave: bool

    def meet(self, other: Trait) -> Trait | None:
        """Both together, or None where one authenticates and the other does not, or only one is in a wave."""
        if self.wave is not other.wave or {self.spf, other.spf} >= {True, False}:
            return None
        if {self.dkim, other.dkim} >= {True, False}:
            return None
        spf = other.spf if self.spf is None else self.spf
        return Trait(spf, other.dkim if self.dkim is None else self.dkim, self.wave)


@dataclass(frozen=True, slots=True)
class Atom:
    """Flows of one client address and one device behind it, as far as can be told."""

    submission: Submission
    address: IPAddress | None
    seen: tuple[Seen, ...]
    hosts: frozenset[str]  # specific HELO names
    nameless: frozenset[str]  # HELO names that identify nobody
    senders: frozenset[str]  # claimed addresses
    shapes: frozenset[str]  # what generated ones have in common; empty where people or devices have them
    domains: frozenset[str]
    days: frozenset[date]
    self_share: float  # of messages whose sender is the recipient
    trait: Trait


def see(flows: Sequence[Flow], spf: SpfLookup) -> list[Seen]:
    """Look up SPF once per domain and address, and let undetermined flows join a determinate sender."""
    addresses = {text: _address(text) for text in {flow.client_ip for flow in flows}}
    clients = {text: str(address or "") for text, address in addresses.items()}
    determined = _determined(flows)
    lookups: dict[tuple[str, str], tuple[SpfEvidence | None, Service | None]] = {}
    seen = []
    for flow in flows:
        domain, address = sending_domain(flow), addresses[flow.client_ip]
        evidence: SpfEvidence | None = None
        service = None
        if address is not None and domain:
            key = (domain, clients[flow.client_ip])
            if key not in lookups:
                answer = spf(*key)
                lookups[key] = (answer, _service(domain, answer))
            evidence, service = lookups[key]
        submission = flow.decision.submission
        if submission is Submission.UNDETERMINED:
            submission = _joined(flow, determined)
        seen.append(Seen(flow, submission, address, clients[flow.client_ip], evidence, service, claimed(flow)))
    return seen


@lru_cache(maxsize=65536)
def _address(text: str | None) -> IPAddress | None:
    try:
        return parse_ip(text) if text else None
    except NetworkError:
        return None


def sending_domain(flow: Flow) -> str:
    """The envelope domain, or the listed one where only that is known; "" for the null sender or none."""
    domain = flow.listed_domain if flow.envelope_domain is None else flow.envelope_domain
    return "" if domain in {None, "<>"} else str(domain)


def claimed(flow: Flow) -> tuple[tuple[str, int], ...]:
    """(address, messages) the flow sends as: envelope senders, or header From where they say nothing."""
    named = [(text.lower(), count) for text, count in flow.envelope_senders if text != "<>"]
    return tuple(named or [(text.lower(), count) for text, count in flow.header_froms])


def _determined(flows: Iterable[Flow]) -> Mapping[tuple[str, str], Submission]:
    found: dict[tuple[str, str], Submission] = {}
    for flow in flows:
        submission = flow.decision.submission
        if submission not in _DETERMINATE or not flow.client_ip:
            continue
        for text, _ in claimed(flow):
            key = (flow.client_ip, text)
            found[key] = min(found.get(key, submission), submission, key=_DETERMINATE.index)
    return found


def _joined(flow: Flow, determined: Mapping[tuple[str, str], Submission]) -> Submission:
    joins: Counter[Submission] = Counter()
    for text, count in claimed(flow):
        submission = determined.get((flow.client_ip or "", text))
        if submission is not None:
            joins[submission] += count
    return min(joins, key=lambda found: (-joins[found], found.value), default=Submission.UNDETERMINED)


def _service(domain: str, evidence: SpfEvidence | None) -> Service | None:
    """The first include or redirect on the path that leaves the organisation's own names (RFC 7208 section 5.2)."""
    if evidence is None or evidence.result != "pass":
        return None
    own = Domain(domain)
    for _, term in evidence.path:
        match = _LEAVES.fullmatch(term)
        if match is None:
            continue
        target = Domain(match["target"].lower())
        if not (target.is_at_or_under(own) or own.is_under(target)):
            return Service(term.lower().lstrip("+-?~"), evidence.owner)
    return None


def atoms_of_address(seen: Sequence[Seen]) -> list[Atom]:
    """Split what one client address sent (a NAT may hide several devices) by HELO name and claimed addresses.

    Flows with one HELO name are one device, and so are flows with a claimed address in common; a flow whose HELO
    is unknown goes where most of its addresses are, or to the only device there is.
    """
    named = [item for item in seen if item.flow.helo is not None]
    silent = [item for item in seen if item.flow.helo is None]
    parts = _named_parts(named)
    loose: list[Seen] = []
    if len(parts) == 1 and seen[0].address is not None:
        parts[0].extend(silent)
    elif parts:
        loose = _attach(parts, silent)
    else:
        loose = silent
    parts.extend(_by_claim(loose))
    return [_atom(part) for part in parts]


def _named_parts(named: Sequence[Seen]) -> list[list[Seen]]:
    traits = [_Authentic(_dkim_outcome([item.flow])) for item in named]
    sets = DisjointSets(traits)
    firsts: dict[tuple[str, str], list[int]] = {}
    for index, item in enumerate(named):
        # Names that identify nobody are one device's behind one address, and nobody's where the address is unknown.
        host = specific_host(item.flow.helo)
        keys = [("helo", host)] if host or item.address is not None else []
        keys.extend(("claim", text) for text, _ in item.claims)
        for key in keys:
            _join_known(sets, firsts.setdefault(key, []), index)
    return [[named[index] for index in members] for members in sets.sets()]


@dataclass(frozen=True, slots=True)
class _Authentic:
    """Whether a flow's DKIM signatures hold: two customers of one unlisted service differ in this."""

    dkim: bool | None

    def meet(self, other: _Authentic) -> _Authentic | None:
        if {self.dkim, other.dkim} >= {True, False}:
            return None
        return other if self.dkim is None else self


def _join_known(sets: DisjointSets[_Authentic], firsts: list[int], index: int) -> None:
    """Join `index` with the first set of those that share a key and do not contradict it; else it opens its own."""
    if not any(sets.join(first, index) for first in firsts):
        firsts.append(index)


def _by_claim(silent: Sequence[Seen]) -> list[list[Seen]]:
    """Flows without HELO: one address is one sender unless nothing ties them; without an address, by claim alone."""
    if not silent:
        return []
    if silent[0].address is not None:
        return [list(silent)]
    return _named_parts(silent)


def _attach(parts: list[list[Seen]], silent: Sequence[Seen]) -> list[Seen]:
    """Add each flow to the part it shares most messages' addresses with; returns those that share none."""
    holders: dict[str, int] = {}
    for number, part in enumerate(parts):
        for item in part:
            for text, _ in item.claims:
                holders.setdefault(text, number)
    loose = []
    for item in silent:
        shared: Counter[int] = Counter()
        for text, count in item.claims:
            if text in holders:
                shared[holders[text]] += count
        if shared:
            parts[min(shared, key=lambda number: (-shared[number], number))].append(item)
        else:
            loose.append(item)
    return loose


def _atom(part: Sequence[Seen]) -> Atom:
    flows = [item.flow for item in part]
    helos = {flow.helo for flow in flows if flow.helo}
    senders = frozenset([text for item in part for text, _ in item.claims])
    shapes = frozenset(map(address_shape, senders)) - {""} if generated(senders) else frozenset()
    return Atom(
        part[0].submission,
        part[0].address,
        tuple(part),
        frozenset(filter(None, map(specific_host, helos))),
        frozenset(fold_host(name) for name in helos if host_kind(name) is HostKind.NAMELESS),
        senders,
        shapes,
        frozenset(filter(None, map(sending_domain, flows))),
        frozenset(day for flow in flows for day in flow.days),
        sum(flow.self_addressed for flow in flows) / (sum(flow.messages for flow in flows) or 1),
        _trait(part, flows, made=bool(shapes)),
    )


def _trait(part: Sequence[Seen], flows: Sequence[Flow], *, made: bool) -> Trait:
    """Mail that authenticates is in no wave: a service may well write to many at once."""
    spf, dkim = _spf_outcome(part), _dkim_outcome(flows)
    return Trait(spf, dkim, wave=not (spf or dkim) and _in_wave(flows, made=made))


def _spf_outcome(part: Sequence[Seen]) -> bool | None:
    """Whether SPF passes now, by weight of messages; the exports' word where it could not be asked."""
    votes: Counter[bool] = Counter()
    for item in part:
        if item.spf is not None:
            if item.spf.result not in _NOT_A_RESULT:
                votes[item.spf.result == "pass"] += item.flow.messages
        else:
            for word, count in item.flow.spf.items():
                if word not in _NOT_A_RESULT:
                    votes[word == "pass"] += count
    return votes[True] >= votes[False] if votes else None


def _dkim_outcome(flows: Iterable[Flow]) -> bool | None:
    """Whether most signatures verify; a signature of a domain that DMARC does not take for the author's counts not."""
    votes: Counter[bool] = Counter()
    for flow in flows:
        unaligned = flow.dmarc.get("fail", 0) * 2 > flow.messages
        for word, count in flow.dkim.items():
            if word not in _NOT_A_RESULT:
                votes[word == "pass" and not unaligned] += count
    return votes[True] >= votes[False] if votes else None


def _in_wave(flows: Sequence[Flow], *, made: bool) -> bool:
    """Many self-addressed messages, borrowed names or recipients within two days."""
    if max(flow.last_seen for flow in flows) - min(flow.first_seen for flow in flows) > _TWO_DAYS or made:
        return False
    lures = sum(flow.self_addressed for flow in flows)
    messages = sum(flow.messages for flow in flows)
    names = max(flow.distinct_senders for flow in flows)
    recipients = sum(flow.distinct_recipients for flow in flows)
    lured = lures >= WAVE and lures * 10 >= messages * 8
    return lured or any(count >= WAVE and count * 2 >= messages for count in (names, recipients))


def generated(addresses: Collection[str]) -> bool:
    """Whether most addresses are made by a machine for one message each (VERP, BATV, SRS)."""
    made = sum([_token(text.rpartition("@")[0]) for text in addresses])
    return made * 2 > len(addresses)


def _token(local: str) -> bool:
    return _MADE.search(local) is not None


def address_shape(text: str) -> str:
    """What generated addresses have in common: `b-1f3a=7@contoso.com` gives `b-#=#@contoso.com`; "" for others."""
    local, _, domain = text.rpartition("@")
    return f"{_VARIES.sub('#', local)}@{domain}" if _token(local) else ""
