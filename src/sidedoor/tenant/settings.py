"""Exported objects to snapshot values, one function a setting. Pure: the dictionaries come from `evidence`.

Field names and their meaning: Microsoft's pages of Get-AcceptedDomain, New-InboundConnector, Set-OrganizationConfig,
New-TransportRule and Set-HostedConnectionFilterPolicy.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import TypeVar

from sidedoor.mail.domain import Domain, DomainError, parse_domain
from sidedoor.mail.fact import Fact, Unknown
from sidedoor.mail.network import IPNetwork, NetworkError, parse_networks
from sidedoor.tenant.snapshot import (
    NOT_EXPORTED,
    AcceptedDomain,
    ConnectionFilter,
    ConnectorKind,
    DomainKind,
    InboundConnector,
    SenderDomainPattern,
    TransportRule,
)
from sidedoor.tenant.values import Fields, SettingError

T = TypeVar("T")
E = TypeVar("E", bound=Enum)
_ADDRESS_SPACE = re.compile(r"(?:smtp:)?(?P<name>[^;:]+)(?:;[0-9]+)?", re.IGNORECASE)
_CERTIFICATE_NAME = re.compile(r"(?:\*\.)?[^*]+")
_CHANGED = ("WhenChangedUTC", "WhenChanged")


@dataclass(frozen=True, slots=True)
class OrganizationConfig:
    """What of Get-OrganizationConfig matters here. `name` is the tenant's initial domain, as a rule."""

    name: str
    reject_direct_send: Fact[bool]
    changed_at: datetime | None = None


def organization_config(item: Mapping[str, object]) -> OrganizationConfig:
    """Convert one object. RejectDirectSend is Unknown where it is missing or null (ScubaGear leaves it out)."""
    fields = Fields(item)
    name = fields.text("Name") or fields.text("Identity")
    return OrganizationConfig(name.lower(), fields.flag("RejectDirectSend"), fields.moment(*_CHANGED))


def accepted_domain(item: Mapping[str, object]) -> AcceptedDomain:
    """Convert one row of Get-AcceptedDomain. Raises SettingError where DomainName is no domain."""
    fields = Fields(item)
    name = fields.text("DomainName") or fields.text("Name")
    try:
        domain = parse_domain(name)
    except DomainError as error:
        raise SettingError(f"an accepted domain whose DomainName is {name[:80]!r} ({error})") from error
    kind = _member(DomainKind, fields.text("DomainType"))
    return AcceptedDomain(
        domain,
        Unknown("the export does not tell DomainType") if kind is None else kind,
        fields.flag("MatchSubDomains"),
        is_default=fields.flag("Default") is True,
        is_initial=fields.flag("InitialDomain") is True,
    )


def _member(members: type[E], text: str) -> E | None:
    return next((member for member in members if str(member.value).lower() == text.lower()), None)


class _Connector:
    """One inbound connector being read: collects warnings, and names of lists that the export has lost."""

    def __init__(self, item: Mapping[str, object]) -> None:
        self.fields = Fields(item)
        self.warnings: list[str] = []
        self.lost: list[str] = []

    def entries(
        self, key: str, parse: Callable[[str], Iterable[T]], *, needed: bool = False, matters: bool = True
    ) -> tuple[T, ...]:
        """The list of a key. A bad entry is left out with a warning; a list of bad entries only is lost.

        `needed`: a missing key is a lost list, as a destroyed one is; not `matters`: neither is worth a word.
        """
        texts = self.fields.entries(key)
        if not isinstance(texts, Unknown):
            found = tuple(value for text in texts for value in self._entry(key, text, parse))
            self.lost += [key] if matters and texts and not found else []  # a list, but nothing of it is understood
            return found
        if matters:
            self.warnings.append(texts.reason)
            self.lost += [key] if needed or key in self.fields else []
        return ()

    def _entry(self, key: str, text: str, parse: Callable[[str], Iterable[T]]) -> tuple[T, ...]:
        try:
            return tuple(parse(text))
        except (NetworkError, DomainError, SettingError) as error:
            self.warnings.append(f"{key}: left out {text[:80]!r} ({error})")
            return ()

    def networks(self) -> tuple[IPNetwork, ...]:
        """SenderIPAddresses: IPv4, single or /24 to /32 (New-InboundConnector); others are kept and warned about."""
        identified = self.fields.text("TlsSenderCertificateName") != ""
        found = self.entries("SenderIPAddresses", parse_networks, needed=not identified)
        for network in found:
            if network.version != 4:
                self.warnings.append(f"SenderIPAddresses: {network} is IPv6, which a connector cannot match")
            elif network.prefixlen < 24:
                self.warnings.append(f"SenderIPAddresses: {network} is wider than /24, which Exchange does not take")
        return found

    def certificate(self, networks: tuple[IPNetwork, ...]) -> str | None:
        """TlsSenderCertificateName in lower case; lost where the key is missing and nothing else identifies."""
        key = "TlsSenderCertificateName"
        if key not in self.fields:
            self.warnings.append(f"the export has no {key}; taken as none")
            if not networks and "SenderIPAddresses" not in self.lost:
                self.lost.append(key)
            return None
        name = self.fields.text(key).lower()
        if name and not _CERTIFICATE_NAME.fullmatch(name):
            self.warnings.append(f"{key}: {name[:80]!r} has a wildcard that is not leftmost")
        return name or None


def inbound_connector(item: Mapping[str, object]) -> InboundConnector:
    """Convert one row of Get-InboundConnector. Raises SettingError without a Name or a known ConnectorType.

    A list entry that cannot be read is a warning on the connector. Lists that the export has lost are named in
    `lost`: their fields are then empty, and must not be read as "matches nothing".
    """
    reading = _Connector(item)
    fields = reading.fields
    name, kind = _name_and_kind(fields)
    networks = reading.networks()
    return InboundConnector(
        name,
        kind,
        fields.flag("Enabled"),
        sender_domains=reading.entries("SenderDomains", sender_pattern, needed=kind is ConnectorKind.PARTNER),
        sender_networks=networks,
        tls_certificate_name=reading.certificate(networks),
        require_tls=fields.flag("RequireTls"),
        restrict_to_addresses=fields.flag("RestrictDomainsToIPAddresses"),
        restrict_to_certificate=fields.flag("RestrictDomainsToCertificate"),
        associated_accepted_domains=reading.entries("AssociatedAcceptedDomains", _domain),
        cloud_services_mail_enabled=fields.flag("CloudServicesMailEnabled"),
        treat_messages_as_internal=fields.flag("TreatMessagesAsInternal"),
        trusted_organizations=reading.entries("TrustedOrganizations", lambda text: (text,), matters=False),
        ef_skip_last_ip=fields.flag("EFSkipLastIP"),
        ef_skip_networks=reading.entries("EFSkipIPs", parse_networks, matters=False),
        source=fields.text("ConnectorSource"),
        changed_at=fields.moment(*_CHANGED),
        warnings=tuple(reading.warnings),
        lost=tuple(reading.lost),
    )


def _name_and_kind(fields: Fields) -> tuple[str, ConnectorKind]:
    name = fields.text("Name") or fields.text("Identity")
    if not name:
        raise SettingError("an inbound connector without a Name")
    kind = _member(ConnectorKind, fields.text("ConnectorType"))
    if kind is None:
        found = fields.text("ConnectorType")
        what = f"the ConnectorType {found[:40]!r}" if found else "no ConnectorType"
        raise SettingError(f"an inbound connector {name[:80]!r} with {what}")
    return name, kind


def _domain(text: str) -> tuple[Domain, ...]:
    return (parse_domain(text),)


def sender_pattern(text: str) -> tuple[SenderDomainPattern, ...]:
    """One entry of SenderDomains: `smtp:*;1`, `smtp:*.contoso.com;1`, `contoso.com`. Raises SettingError, DomainError.

    An address space is written type:address;cost (New-InboundConnector -SenderDomains).
    """
    match = _ADDRESS_SPACE.fullmatch(text.strip())
    if match is None:
        raise SettingError("no SMTP address space")
    name = match["name"].strip()
    if name == "*":
        return (SenderDomainPattern(None),)
    return (SenderDomainPattern(parse_domain(name.removeprefix("*.")), with_subdomains=name.startswith("*.")),)


# Keys of a rule that say nothing about what it matches or does.
_RULE_META = frozenset(
    {
        *("name", "priority", "state", "mode", "identity", "id", "guid", "immutableid", "exchangeobjectid"),
        *("exchangeversion", "distinguishedname", "objectcategory", "objectclass", "objectstate", "organizationid"),
        *("organizationalunitroot", "originatingserver", "isvalid", "whenchanged", "whencreated", "whenchangedutc"),
        *("whencreatedutc", "description", "comments", "createdby", "lastmodifiedby", "manuallymodified"),
        *("ruleversion", "size", "regexsize", "isruleconfigurationsupported", "ruleconfigurationunsupportedreason"),
        *("runspaceid", "pscomputername", "psshowcomputername", "admindisplayname", "dlppolicyid"),
    }
)


def transport_rule(item: Mapping[str, object]) -> TransportRule:
    """Convert one row of Get-TransportRule; `settings` has what is neither empty nor bookkeeping.

    Raises SettingError without a Name or a numeric Priority.
    """
    fields = Fields(item)
    name = fields.text("Name") or fields.text("Identity")
    priority = fields.text("Priority")
    if not name or not re.fullmatch(r"[0-9]{1,6}", priority):
        raise SettingError(f"a transport rule {name[:80]!r} with the Priority {priority[:40]!r}")
    state = {"enabled": True, "disabled": False}.get(fields.text("State").lower())
    enabled: Fact[bool] = Unknown("the export does not tell State") if state is None else state
    return TransportRule(name, int(priority), enabled, fields.text("Mode"), fields.filled(_RULE_META), fields.keys)


def connection_filter(items: Iterable[Mapping[str, object]]) -> tuple[Fact[ConnectionFilter], tuple[str, ...]]:
    """The lists of the default policy (Exchange Online has no other), and warnings about entries left out.

    Unknown where the export has lost a list: an address on it is refused, so an empty one must not be assumed.
    """
    rows = [Fields(item) for item in items]
    rows = [row for row in rows if row.flag("IsDefault") is True] or rows
    warnings: list[str] = []
    lists: dict[str, list[IPNetwork]] = {"IPAllowList": [], "IPBlockList": []}
    for row in rows:
        for key, networks in lists.items():
            texts = row.entries(key)
            if isinstance(texts, Unknown):
                return texts, (texts.reason,)
            for text in texts:
                try:
                    networks.extend(parse_networks(text))
                except NetworkError as error:
                    warnings.append(f"connection filter, {key}: left out {text[:80]!r} ({error})")
    if not rows:
        return NOT_EXPORTED, ()
    return ConnectionFilter(tuple(lists["IPAllowList"]), tuple(lists["IPBlockList"])), tuple(warnings)
