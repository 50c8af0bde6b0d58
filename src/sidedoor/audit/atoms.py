"""Atoms: the flows of one client address that certainly belong together, with what is needed to join atoms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sidedoor.audit.disjoint import DisjointSets
from sidedoor.audit.flow import Flow
from sidedoor.audit.generated import address_shape, generated
from sidedoor.audit.hostname import HostKind, fold_host, host_kind, specific_host
from sidedoor.audit.seen import Seen, sending_domain
from sidedoor.mail.network import IPAddress
from sidedoor.policy.decision import Submission

# From this many self-addressed messages or borrowed names within two days on, a host is in a wave.
WAVE = 8
_TWO_DAYS = timedelta(days=2)
_NOT_A_RESULT = frozenset({"temperror", "permerror", ""})


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
