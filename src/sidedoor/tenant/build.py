"""A snapshot out of exported objects by kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sidedoor.mail.fact import Fact, Unknown
from sidedoor.tenant.kinds import SettingKind
from sidedoor.tenant.settings import (
    accepted_domain,
    connection_filter,
    inbound_connector,
    organization_config,
    transport_rule,
)
from sidedoor.tenant.snapshot import NOT_EXPORTED, AcceptedDomain, ConnectionFilter, InboundConnector, TenantSnapshot
from sidedoor.tenant.values import SettingError

Exported = Mapping[str, object]
Settings = Mapping[SettingKind, Sequence[Exported]]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Built:
    """A snapshot, and sentences about what in the export could not be taken as it stands."""

    snapshot: TenantSnapshot
    warnings: tuple[str, ...] = ()


def build_snapshot(settings: Settings, tenant_id: str = "") -> TenantSnapshot:
    """The snapshot of exported objects. A kind that is not in `settings` is unknown; one with no objects is empty.

    Raises SettingError for an object that lacks what makes it one, and for two organisation configs.
    """
    return build(settings, tenant_id).snapshot


def build(settings: Settings, tenant_id: str = "") -> Built:
    """As `build_snapshot`, with the warnings."""
    domains = _all(settings, SettingKind.ACCEPTED_DOMAIN, accepted_domain)
    connectors = _all(settings, SettingKind.INBOUND_CONNECTOR, inbound_connector)
    rules = _all(settings, SettingKind.TRANSPORT_RULE, transport_rule)
    lists, list_warnings = _filter(settings)
    name, reject = _organization(settings, domains)
    snapshot = TenantSnapshot(
        domains,
        _without_lost(connectors),
        reject,
        lists,
        rules if isinstance(rules, Unknown) else tuple(sorted(rules, key=lambda rule: rule.priority)),
        name,
        tenant_id.lower(),
    )
    return Built(snapshot, (*_connector_warnings(connectors), *list_warnings))


def _all(settings: Settings, kind: SettingKind, convert: Callable[[Exported], T]) -> Fact[tuple[T, ...]]:
    if kind not in settings:
        return Unknown(f"the tenant export has no {kind.value}")
    return tuple(convert(item) for item in settings[kind])


def _without_lost(connectors: Fact[tuple[InboundConnector, ...]]) -> Fact[tuple[InboundConnector, ...]]:
    """Unknown where a connector that may be enabled has lost by what it matches: it could match anything."""
    if isinstance(connectors, Unknown):
        return connectors
    for row in connectors:
        if row.lost and row.enabled is not False:
            lists = ", ".join(row.lost)
            how = "Export-Clixml, or ConvertTo-Json -Depth 5, would keep it"
            return Unknown(f"the export has lost {lists} of the inbound connector {row.name!r}; {how}")
    return connectors


def _connector_warnings(connectors: Fact[tuple[InboundConnector, ...]]) -> list[str]:
    if isinstance(connectors, Unknown):
        return []
    return [f"inbound connector {row.name!r}: {warning}" for row in connectors for warning in row.warnings]


def _filter(settings: Settings) -> tuple[Fact[ConnectionFilter], tuple[str, ...]]:
    if SettingKind.CONNECTION_FILTER not in settings:
        return NOT_EXPORTED, ()
    return connection_filter(settings[SettingKind.CONNECTION_FILTER])


def _organization(settings: Settings, domains: Fact[tuple[AcceptedDomain, ...]]) -> tuple[str, Fact[bool]]:
    """The tenant's name (its initial domain where no organisation config tells it) and RejectDirectSend."""
    items = settings.get(SettingKind.ORGANIZATION_CONFIG, ())
    if len(items) > 1:
        raise SettingError(f"{len(items)} organisation configs where a tenant has one")
    initial = "" if isinstance(domains, Unknown) else next((str(row.domain) for row in domains if row.is_initial), "")
    if not items:
        return initial, Unknown("the tenant export has no Get-OrganizationConfig")
    config = organization_config(items[0])
    return config.name or initial, config.reject_direct_send
