"""A tenant's settings at one instant, as immutable values.

A setting that an export does not hold is `Unknown`, never False: ScubaGear's own export lacks `RejectDirectSend`.
Source of the fields: Microsoft's pages of New-InboundConnector, Set-AcceptedDomain, Set-OrganizationConfig,
New-TransportRule and Set-HostedConnectionFilterPolicy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from sidedoor.mail.domain import Domain
from sidedoor.mail.fact import Fact, Unknown
from sidedoor.mail.network import IPNetwork


class DomainKind(Enum):
    """What Exchange does with a recipient it does not know in an accepted domain."""

    AUTHORITATIVE = "Authoritative"  # refuses it: 550 5.4.1 (DBEB)
    INTERNAL_RELAY = "InternalRelay"  # passes it on to another server of the organisation
    EXTERNAL_RELAY = "ExternalRelay"  # on-premises only; Exchange Online does not have it


class ConnectorKind(Enum):
    """The ConnectorType of an inbound connector."""

    ON_PREMISES = "OnPremises"  # the organisation's own servers: may relay, may be promoted to internal
    PARTNER = "Partner"  # another organisation or service: restrictions are honoured on this kind only


@dataclass(frozen=True, slots=True)
class AcceptedDomain:
    """One row of Get-AcceptedDomain."""

    domain: Domain
    kind: Fact[DomainKind]
    match_subdomains: Fact[bool]
    is_default: bool = False
    is_initial: bool = False

    def covers(self, domain: Domain) -> bool:
        """Whether `domain` is this accepted domain, subdomains only where MatchSubDomains is known to be on."""
        return domain == self.domain or (self.match_subdomains is True and domain.is_under(self.domain))


@dataclass(frozen=True, slots=True)
class SenderDomainPattern:
    """One entry of SenderDomains: `smtp:*;1` (any), `smtp:*.contoso.com;1` (domain and subdomains), or one domain."""

    domain: Domain | None  # None: `*`, every domain
    with_subdomains: bool = False

    def covers(self, domain: Domain) -> bool:
        """Whether an envelope sender in `domain` is within the pattern."""
        if self.domain is None:
            return True
        return domain.is_at_or_under(self.domain) if self.with_subdomains else domain == self.domain

    def __str__(self) -> str:
        if self.domain is None:
            return "*"
        return f"*.{self.domain}" if self.with_subdomains else str(self.domain)


@dataclass(frozen=True, slots=True)
class InboundConnector:
    """One row of Get-InboundConnector; `sender_networks` is SenderIPAddresses."""

    name: str
    kind: ConnectorKind
    enabled: Fact[bool]
    sender_domains: tuple[SenderDomainPattern, ...] = ()
    sender_networks: tuple[IPNetwork, ...] = ()
    tls_certificate_name: str | None = None  # lower case; a leading `*.` matches one or more labels
    require_tls: Fact[bool] = False
    restrict_to_addresses: Fact[bool] = False  # RestrictDomainsToIPAddresses
    restrict_to_certificate: Fact[bool] = False  # RestrictDomainsToCertificate
    associated_accepted_domains: tuple[Domain, ...] = ()
    cloud_services_mail_enabled: Fact[bool] = False
    treat_messages_as_internal: Fact[bool] = False
    trusted_organizations: tuple[str, ...] = ()
    ef_skip_last_ip: Fact[bool] = False
    ef_skip_networks: tuple[IPNetwork, ...] = ()
    source: str = ""  # ConnectorSource: AdminUI, HybridWizard, Default, Migrated
    changed_at: datetime | None = None
    warnings: tuple[str, ...] = ()  # what the export holds and Exchange could not have: an IPv6 entry, a /16
    lost: tuple[str, ...] = ()  # lists whose content the export has destroyed: empty here, unknown in truth

    @property
    def identifies_by_address_or_certificate(self) -> bool:
        """Whether it can attribute at all: a connector that names only domains does not (Set-OrganizationConfig)."""
        return bool(self.sender_networks) or self.tls_certificate_name is not None


@dataclass(frozen=True, slots=True)
class ConnectionFilter:
    """The hosted connection filter policy: addresses always allowed past filtering, and always refused."""

    allow: tuple[IPNetwork, ...] = ()
    block: tuple[IPNetwork, ...] = ()


@dataclass(frozen=True, slots=True)
class TransportRule:
    """One row of Get-TransportRule; `settings` keeps conditions, exceptions and actions by parameter name.

    `told` has all keys of the export in lower case, empty ones too: a condition without a key may have been left out,
    one whose value is null is none. None where the settings are complete as they stand.
    """

    name: str
    priority: int
    enabled: Fact[bool]
    mode: str
    settings: Mapping[str, object] = field(default_factory=dict)
    told: frozenset[str] | None = None


class MailExchanger(Enum):
    """Where a domain's published MX leads."""

    EXCHANGE_ONLINE = "exchange-online"  # straight to the tenant
    ELSEWHERE = "elsewhere"  # a filter, a gateway or the organisation's own servers stand in front
    MIXED = "mixed"  # some records here, some there
    NONE = "none"  # no MX is published, or a null MX (RFC 7505)


NOT_EXPORTED = Unknown("the tenant export does not hold it")


@dataclass(frozen=True, slots=True)
class TenantSnapshot:
    """Everything the rule may ask about a tenant. Each part is unknown until an export (or DNS) tells it."""

    accepted_domains: Fact[tuple[AcceptedDomain, ...]] = NOT_EXPORTED
    inbound_connectors: Fact[tuple[InboundConnector, ...]] = NOT_EXPORTED
    reject_direct_send: Fact[bool] = NOT_EXPORTED
    connection_filter: Fact[ConnectionFilter] = NOT_EXPORTED
    transport_rules: Fact[tuple[TransportRule, ...]] = NOT_EXPORTED
    name: str = ""  # OrganizationConfig's Name: contoso.onmicrosoft.com
    tenant_id: str = ""  # GUID in lower case where an export shows it
    mail_exchangers: Mapping[Domain, Fact[MailExchanger]] = field(default_factory=dict)

    @property
    def known_connectors(self) -> tuple[InboundConnector, ...]:
        """The inbound connectors; none where they are unknown, which whoever draws conclusions from it must ask too."""
        return () if isinstance(self.inbound_connectors, Unknown) else self.inbound_connectors

    def accepts(self, domain: Domain) -> bool:
        """Whether `domain` is known to be in an accepted domain; False where that is unknown too."""
        return isinstance(self.accepted_domain_of(domain), AcceptedDomain)

    def accepted_domain_of(self, domain: Domain) -> Fact[AcceptedDomain | None]:
        """The accepted domain that covers `domain` (MatchSubDomains honoured), None, or unknown."""
        if isinstance(self.accepted_domains, Unknown):
            return self.accepted_domains
        return next((accepted for accepted in self.accepted_domains if accepted.covers(domain)), None)
