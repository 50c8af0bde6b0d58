"""A tenant's settings as they are after a plan, and what tells one state of a tenant from another. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from ipaddress import ip_network

from sidedoor.mail.fact import Fact, Unknown
from sidedoor.mail.network import IPNetwork
from sidedoor.plan.model import ConnectorProposal
from sidedoor.tenant.codec import encode
from sidedoor.tenant.settings import sender_pattern
from sidedoor.tenant.snapshot import ConnectorKind, InboundConnector, TenantSnapshot


def applied(snapshot: TenantSnapshot, proposals: Iterable[ConnectorProposal]) -> TenantSnapshot:
    """The snapshot with the connectors made or changed; the switch as it was."""
    rows = {row.name: row for row in snapshot.known_connectors}
    for proposal in proposals:
        rows[proposal.name] = connector(proposal, rows.get(proposal.name))
    return replace(snapshot, inbound_connectors=tuple(rows.values()))


def connector(proposal: ConnectorProposal, before: InboundConnector | None) -> InboundConnector:
    """A proposal as the connector it makes, or makes of `before`."""
    settings = proposal.settings
    base = before or InboundConnector(proposal.name, proposal.kind, enabled=True)
    partner = proposal.kind is ConnectorKind.PARTNER
    return replace(
        base,
        enabled=base.enabled if settings.enabled is None else settings.enabled,
        sender_domains=tuple(each for text in settings.sender_domains for each in sender_pattern(text)),
        sender_networks=tuple(map(_network, settings.addresses)),
        tls_certificate_name=settings.certificate_name,
        require_tls=_flag(settings.require_tls, base.require_tls, partner=partner),
        restrict_to_addresses=_flag(settings.restrict_to_addresses, base.restrict_to_addresses, partner=partner),
        restrict_to_certificate=_flag(settings.restrict_to_certificate, base.restrict_to_certificate, partner=partner),
    )


@lru_cache(maxsize=1 << 16)
def _network(text: str) -> IPNetwork:
    return ip_network(text)


def _flag(wanted: bool | None, before: Fact[bool], *, partner: bool) -> Fact[bool]:
    """What only Partner connectors honour; as it was where the plan does not touch it."""
    if not partner:
        return False
    return before if wanted is None else wanted


def _parts(snapshot: TenantSnapshot) -> dict[str, object]:
    """What a plan rests on, without order and without what changes by itself (dates, warnings)."""
    connectors = snapshot.inbound_connectors
    domains = snapshot.accepted_domains
    return {
        "accepted domains": encode(domains) if isinstance(domains, Unknown) else {
            str(row.domain): encode((row.kind, row.match_subdomains)) for row in domains
        },
        "inbound connectors": encode(connectors) if isinstance(connectors, Unknown) else {
            row.name: encode(_lasting(row)) for row in connectors
        },
        "connection filter": encode(snapshot.connection_filter),
        "RejectDirectSend": encode(snapshot.reject_direct_send),
    }  # fmt: skip


def _lasting(row: InboundConnector) -> tuple[object, ...]:
    """The settings that the rule looks at. Exports of different kinds tell the others more or less fully."""
    flags = (row.require_tls, row.restrict_to_addresses, row.restrict_to_certificate)
    return (
        row.kind, row.enabled, frozenset(map(str, row.sender_domains)), frozenset(map(str, row.sender_networks)),
        row.tls_certificate_name, *(flags if row.kind is ConnectorKind.PARTNER else ()),
        frozenset(map(str, row.associated_accepted_domains)),
    )  # fmt: skip


def fingerprint(snapshot: TenantSnapshot) -> str:
    """SHA-256 of what a plan rests on, in hexadecimal."""
    text = json.dumps(_parts(snapshot), sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def differences(planned: TenantSnapshot, now: TenantSnapshot) -> list[str]:
    """How a tenant has changed since it was planned for, a sentence each; empty where a plan still holds."""
    before, after = _parts(planned), _parts(now)
    return [line for name in before for line in _difference(name, before[name], after[name])]


def _difference(name: str, before: object, after: object) -> Iterator[str]:
    if before == after or (isinstance(before, dict) and "unknown" in before):
        return  # a plan that did not know it rests on nothing that can have changed
    if not isinstance(before, dict) or not isinstance(after, dict) or "unknown" in after:
        yield f"{name} was {json.dumps(before)[:200]} and is {json.dumps(after)[:200]}"
        return
    for key in sorted(before.keys() | after.keys()):
        if key not in after:
            yield f"{name}: {key!r} is gone"
        elif key not in before:
            yield f"{name}: {key!r} is new"
        elif not _alike(before[key], after[key]):
            yield f"{name}: {key!r} was {json.dumps(before[key])[:200]} and is {json.dumps(after[key])[:200]}"


def _alike(one: object, other: object) -> bool:
    """Equal as far as both tell: exports of different kinds leave different settings out."""
    if one == other or any(isinstance(each, dict) and "unknown" in each for each in (one, other)):
        return True
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return all(map(_alike, one, other))
    return False
