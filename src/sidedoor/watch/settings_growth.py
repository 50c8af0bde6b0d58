"""Settings of a baseline after a run: what was unknown and is told, and what shuts the door more than it did."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, TypeVar

from sidedoor.mail.fact import Fact, Unknown, value_or
from sidedoor.tenant.snapshot import (
    AcceptedDomain,
    ConnectionFilter,
    InboundConnector,
    TenantSnapshot,
    TransportRule,
)
from sidedoor.watch.find.settings import beyond, protects

R = TypeVar("R", AcceptedDomain, InboundConnector)
# Off is better than on, whatever the connector does beside.
_BETTER_OFF = ("treat_messages_as_internal", "cloud_services_mail_enabled")


def grown_settings(before: TenantSnapshot, now: TenantSnapshot) -> TenantSnapshot:
    """`before` with what `now` tells for the first time or has better."""
    switch = now.reject_direct_send
    return replace(
        before,
        reject_direct_send=switch if switch is True or isinstance(before.reject_direct_send, Unknown) else (
            before.reject_direct_send
        ),
        accepted_domains=_domains(before.accepted_domains, now.accepted_domains),
        inbound_connectors=_connectors(before.inbound_connectors, now.inbound_connectors),
        connection_filter=_filter(before.connection_filter, now.connection_filter),
        transport_rules=_rules(before, now),
        name=now.name or before.name,
        tenant_id=now.tenant_id or before.tenant_id,
        mail_exchangers={**before.mail_exchangers, **now.mail_exchangers},
    )  # fmt: skip


def _domains(
    before: Fact[tuple[AcceptedDomain, ...]], now: Fact[tuple[AcceptedDomain, ...]]
) -> Fact[tuple[AcceptedDomain, ...]]:
    if isinstance(before, Unknown) or isinstance(now, Unknown):
        return now if isinstance(before, Unknown) else before
    rows = {row.domain: row for row in now}
    return tuple(_filled(row, rows.get(row.domain)) for row in before)


def _connectors(
    before: Fact[tuple[InboundConnector, ...]], now: Fact[tuple[InboundConnector, ...]]
) -> Fact[tuple[InboundConnector, ...]]:
    if isinstance(before, Unknown) or isinstance(now, Unknown):
        return now if isinstance(before, Unknown) else before
    rows = {row.name: row for row in now}
    return tuple(_improved(_filled(row, rows.get(row.name)), rows.get(row.name)) for row in before)


def _filled(row: R, now: R | None) -> R:
    """The row with what it did not tell and `now` does."""
    if now is None:
        return row
    told: dict[str, Any] = {
        field.name: getattr(now, field.name) for field in fields(row) if isinstance(getattr(row, field.name), Unknown)
    }
    return replace(row, **told) if told else row


def _improved(row: InboundConnector, now: InboundConnector | None) -> InboundConnector:
    better: dict[str, Any] = {
        name: False for name in _BETTER_OFF if getattr(row, name) is True and getattr(now, name, None) is False
    }
    return replace(row, **better) if better else row


def _filter(before: Fact[ConnectionFilter], now: Fact[ConnectionFilter]) -> Fact[ConnectionFilter]:
    """Addresses that were taken off the allow list are off the baseline: put back, they are news."""
    if isinstance(before, Unknown) or isinstance(now, Unknown):
        return now if isinstance(before, Unknown) else before
    strange, gone = set(beyond(now.allow, before.allow)), set(beyond(before.allow, now.allow))
    kept = [net for net in before.allow if net not in gone] + [net for net in now.allow if net not in strange]
    return ConnectionFilter(before.allow if set(kept) == set(before.allow) else tuple(dict.fromkeys(kept)), now.block)


def _rules(before: TenantSnapshot, now: TenantSnapshot) -> Fact[tuple[TransportRule, ...]]:
    """Rules that protect and did not: switched off again, they are missed."""
    old, new = before.transport_rules, now.transport_rules
    if isinstance(old, Unknown) or isinstance(new, Unknown):
        return new if isinstance(old, Unknown) else old
    ours = {str(row.domain) for row in value_or(now.accepted_domains, ())}
    rows = {rule.name: rule for rule in old}
    for rule in new:
        was = rows.get(rule.name)
        if rule.enabled is True and (was is None or was.enabled is not True or not protects(was, ours)):
            rows[rule.name] = rule
    return tuple(rows.values())
