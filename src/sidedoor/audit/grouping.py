"""Flows to groups: one device, application, service or attacker each.

An address claimed in an envelope is what a spoofer borrows, so it never joins two networks by itself: it takes a
neighbouring address (or the same SPF include, or a verified signature) and evidence that does not contradict.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sidedoor.audit.atoms import Atom, Trait, atoms_of_address
from sidedoor.audit.context import SpfLookup
from sidedoor.audit.disjoint import DisjointSets
from sidedoor.audit.flow import Flow
from sidedoor.audit.hostname import service_suffix
from sidedoor.audit.seen import Seen, Service, see
from sidedoor.mail.domain import Domain
from sidedoor.mail.network import IPAddress
from sidedoor.policy.decision import Submission

# What a provider hands to one customer or moves a customer within: a /24, or a /64 (RFC 7421 section 1).
_NEAR = {4: 24, 6: 64}
# What an access provider's dynamic pool covers.
_POOL = {4: 16, 6: 48}
_POOL_SENDERS = 4  # enough to know a host by: keys are a product of names and senders
_ALIKE = 0.5  # what two hosts must at least share of their habits
# Days on which two hosts were both active, from which on they are two hosts and not one that moved.
_BOTH_ACTIVE = 2
# A bucket compares each atom with at most this many sets in it, so that no bucket costs n squared.
_MOST_SETS = 16


@dataclass(frozen=True, slots=True)
class SenderGroup:
    """The flows of one sender. `service` where an SPF include of somebody else authorises them.

    rival: a claimed address that a better-known sender on another network uses, "" for none.
    vouched: the client address, where a device of long record sends from the very same one, "" for none.
    """

    submission: Submission
    seen: tuple[Seen, ...]
    service: Service | None = None
    rival: str = ""
    vouched: str = ""

    @property
    def flows(self) -> tuple[Flow, ...]:
        """The flows alone."""
        return tuple(item.flow for item in self.seen)


def group_senders(flows: Sequence[Flow], spf: SpfLookup) -> list[SenderGroup]:
    """Tell the senders apart, in O(n log n); the answer does not depend on the order of `flows`."""
    services: dict[tuple[str, str, str], list[Seen]] = {}
    hosts: dict[tuple[str, str], list[Seen]] = {}
    for item in see(sorted(flows, key=_flow_order), spf):
        if item.service is not None:
            key = (item.submission.value, _domain(item.flow), item.service.term)
            services.setdefault(key, []).append(item)
        else:
            hosts.setdefault((item.submission.value, item.client), []).append(item)
    groups = [SenderGroup(seen[0].submission, tuple(seen), seen[0].service) for seen in services.values()]
    atoms = [atom for seen in hosts.values() for atom in atoms_of_address(seen)]
    groups.extend(_joined(members) for members in _join_atoms(atoms))
    return groups


def _domain(flow: Flow) -> str:
    return flow.envelope_domain or flow.listed_domain or ""


def _flow_order(flow: Flow) -> tuple[str, str, str, str, str, str, str, str, int, str]:
    """An order by content: ids differ from run to run."""
    names = (flow.client_ip, flow.envelope_domain, flow.listed_domain, flow.header_from_domain)
    rest = (flow.helo, flow.tls, flow.direction)
    texts = tuple("" if text is None else f"={text}" for text in (*names, *rest))
    ip, envelope, listed, header, helo, tls, direction = texts
    when = flow.first_seen.isoformat()
    first = flow.envelope_senders[0][0] if flow.envelope_senders else ""
    return ip, envelope, listed, header, helo, tls, direction, when, flow.messages, first


def _joined(atoms: Sequence[Atom]) -> SenderGroup:
    return SenderGroup(atoms[0].submission, tuple(item for atom in atoms for item in atom.seen))


def _join_atoms(atoms: Sequence[Atom]) -> list[list[Atom]]:
    buckets: dict[tuple[str, ...], list[int]] = {}
    for index, atom in enumerate(atoms):
        for key in _keys(atom):
            buckets.setdefault(key, []).append(index)
    sets = DisjointSets[Trait]([atom.trait for atom in atoms])
    # Decided evidence first: an atom of unknown authentication then joins what is there rather than bridging it.
    for key in sorted(key for key, members in buckets.items() if len(members) > 1):
        members = sorted(buckets[key], key=lambda index: (_unknowns(atoms[index].trait), index))
        _join_bucket(atoms, sets, members, key[1])
    return [[atoms[index] for index in members] for members in sets.sets()]


def _unknowns(trait: Trait) -> int:
    return (trait.spf is None) + (trait.dkim is None)


def _join_bucket(atoms: Sequence[Atom], sets: DisjointSets[Trait], members: Iterable[int], kind: str) -> None:
    latest: list[int] = []
    for index in members:
        for place, other in enumerate(latest):
            if _may_be_one(atoms[other], atoms[index], kind) and sets.join(other, index):
                latest[place] = index
                break
        else:
            if len(latest) < _MOST_SETS:
                latest.append(index)


def _may_be_one(one: Atom, other: Atom, kind: str) -> bool:
    """False where what two hosts do speaks against their being one, whatever they have in common."""
    if abs(one.self_share - other.self_share) > _ALIKE:
        return False
    if kind == "near-sender":
        # People's addresses are used by scanners and forwarders alike: one in common is not enough.
        common = len(one.senders & other.senders)
        if common < _ALIKE * min(len(one.senders), len(other.senders)):
            return False
    if kind == "pool" or _different_names(one.hosts, other.hosts):
        # A host that moved is never in two places, and two hosts of different names at work together are two.
        return len(one.days & other.days) < _BOTH_ACTIVE
    return True


def _different_names(one: frozenset[str], other: frozenset[str]) -> bool:
    if not one or not other or one & other:
        return False
    return not ({service_suffix(name) for name in one} & {service_suffix(name) for name in other} - {""})


def _keys(atom: Atom) -> Iterator[tuple[str, ...]]:
    """What atoms of other addresses must have in common with this one to be joined, as keys of buckets."""
    scope = atom.submission.value
    if atom.address is not None:
        near, pool = _network(atom.address, _NEAR), _network(atom.address, _POOL)
        for host in atom.hosts:
            yield scope, "near-host", near, host
            yield from ((scope, "pool", pool, host, sender) for sender in sorted(atom.senders)[:_POOL_SENDERS])
        yield from ((scope, "near-shape", near, shape) for shape in atom.shapes)
        if not atom.shapes:
            yield from ((scope, "near-sender", near, sender) for sender in atom.senders)
        if atom.trait.wave:
            yield from ((scope, "near-wave", near, name) for name in atom.nameless)
    if atom.trait.spf or atom.trait.dkim:
        for host in atom.hosts:
            suffix = service_suffix(host)
            if suffix and not _own_name(suffix, atom.domains):
                yield from ((scope, "service", suffix, domain) for domain in atom.domains)


def _network(address: IPAddress, lengths: dict[int, int]) -> str:
    length = lengths[address.version]
    if isinstance(address, ipaddress.IPv4Address):
        return f"{int(address) >> (32 - length):x}/{length}"
    return f"{int(address) >> (128 - length):x}/{length}"


def _own_name(suffix: str, domains: frozenset[str]) -> bool:
    """A name in the envelope domain is that of a host of ours, and we have many hosts."""
    name = Domain(suffix)
    return any(name.is_at_or_under(Domain(domain)) or Domain(domain).is_under(name) for domain in domains)
