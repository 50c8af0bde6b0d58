"""The settings an audit rests on, as the report shows them."""

from __future__ import annotations

from collections.abc import Mapping

from sidedoor.audit.model import TenantSummary
from sidedoor.mail.fact import Fact, Unknown
from sidedoor.policy.switches import Switches
from sidedoor.tenant.snapshot import InboundConnector, TenantSnapshot


def tenant_summary(snapshot: TenantSnapshot) -> TenantSummary:
    """Accepted domains, the switch, the connectors; None for what no export told."""
    domains, connectors = snapshot.accepted_domains, snapshot.inbound_connectors
    reject = snapshot.reject_direct_send
    return TenantSummary(
        name=snapshot.name,
        accepted_domains=None if isinstance(domains, Unknown) else tuple(str(row.domain) for row in domains),
        reject_direct_send=None if isinstance(reject, Unknown) else reject,
        inbound_connectors=None if isinstance(connectors, Unknown) else tuple(map(_connector, connectors)),
    )


def _connector(connector: InboundConnector) -> Mapping[str, object]:
    matches = [str(network) for network in connector.sender_networks]
    if connector.tls_certificate_name:
        matches.append(f"certificate {connector.tls_certificate_name}")
    restricts = [
        name
        for name, setting in (
            ("RestrictDomainsToIPAddresses", connector.restrict_to_addresses),
            ("RestrictDomainsToCertificate", connector.restrict_to_certificate),
        )
        if setting is True
    ]
    return {
        "name": connector.name,
        "kind": connector.kind.value,
        "enabled": _known(connector.enabled),
        "matches_by": matches,
        "sender_domains": [str(pattern) for pattern in connector.sender_domains],
        "restricts": restricts,
        "warnings": list(connector.warnings),
    }


def _known(setting: Fact[bool]) -> bool | None:
    return None if isinstance(setting, Unknown) else setting


def switch_rows(switches: Switches) -> tuple[Mapping[str, str], ...]:
    """Each open question with the value it was given."""
    return tuple(switches.table())
