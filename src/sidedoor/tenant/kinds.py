"""Which setting an exported object is, by its keys and never by the file's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum

from sidedoor.tenant.values import Fields


class SettingKind(Enum):
    """The settings a snapshot is made of; the value is the cmdlet that shows them."""

    ACCEPTED_DOMAIN = "Get-AcceptedDomain"  # the domains the organisation receives mail for
    INBOUND_CONNECTOR = "Get-InboundConnector"  # whose mail may come in as whose
    ORGANIZATION_CONFIG = "Get-OrganizationConfig"  # one object; RejectDirectSend is here
    TRANSPORT_RULE = "Get-TransportRule"  # mail flow rules
    CONNECTION_FILTER = "Get-HostedConnectionFilterPolicy"  # IP allow and block lists

    @property
    def noun(self) -> str:
        """The setting's name: `AcceptedDomain`."""
        return self.value.removeprefix("Get-")


_CONNECTOR = {
    "senderipaddresses",
    "senderdomains",
    "restrictdomainstoipaddresses",
    "restrictdomainstocertificate",
    "tlssendercertificatename",
    "treatmessagesasinternal",
}
_OUTBOUND = {"recipientdomains", "smarthosts", "usemxrecord"}  # Get-OutboundConnector
_ORGANIZATION = {
    "hybridconfigurationstatus",
    "ismixedmode",
    "publicfoldersenabled",
    "sendfromaliasenabled",
    "oauth2clientprofileenabled",
    "auditdisabled",
    "defaultauthenticationpolicy",
    "activitybasedauthenticationtimeoutinterval",
    "customerlockboxenabled",
}


def _is_accepted_domain(keys: frozenset[str]) -> bool:
    # A remote domain has DomainName too, but none of these.
    return "domainname" in keys and bool(keys & {"domaintype", "initialdomain", "matchsubdomains", "outboundonly"})


def _is_inbound_connector(keys: frozenset[str]) -> bool:
    return not keys & _OUTBOUND and len(keys & _CONNECTOR) + ("connectortype" in keys) >= 2


def _is_transport_rule(keys: frozenset[str]) -> bool:
    return {"priority", "state"} <= keys and bool(keys & {"mode", "conditions", "actions", "ruleerroraction"})


def _is_connection_filter(keys: frozenset[str]) -> bool:
    return bool(keys & {"ipallowlist", "ipblocklist"})


def _is_organization_config(keys: frozenset[str]) -> bool:
    return "rejectdirectsend" in keys or ("name" in keys and len(keys & _ORGANIZATION) >= 2)


_TESTS: Mapping[SettingKind, Callable[[frozenset[str]], bool]] = {
    SettingKind.ACCEPTED_DOMAIN: _is_accepted_domain,
    SettingKind.INBOUND_CONNECTOR: _is_inbound_connector,
    SettingKind.TRANSPORT_RULE: _is_transport_rule,
    SettingKind.CONNECTION_FILTER: _is_connection_filter,
    SettingKind.ORGANIZATION_CONFIG: _is_organization_config,
}


def recognise_setting(item: Mapping[str, object]) -> SettingKind | None:
    """The kind of one exported object; None for anything that is no setting of ours."""
    keys = Fields(item).keys
    return next((kind for kind, test in _TESTS.items() if test(keys)), None)
