"""Get, New, Set and Remove of the tenant's settings. Each takes parameters and gives rows, or raises CmdletError."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeAlias

from sidedoor.edge.admin import values
from sidedoor.edge.admin.errors import CmdletError, bad_parameter
from sidedoor.edge.admin.settings import Row, TenantFolder
from sidedoor.edge.admin.values import Check
from sidedoor.tenant.kinds import SettingKind

Parameters: TypeAlias = Mapping[str, object]
Cmdlet: TypeAlias = Callable[[TenantFolder, Parameters], Sequence[Row]]

_IDENTITY: Mapping[str, Check] = {"Identity": values.text}
_COMMON: Mapping[str, Check] = {"Confirm": values.truth, "WhatIf": values.truth, "ErrorAction": values.text}
_CONNECTOR: Mapping[str, Check] = {
    "Name": values.text, "Enabled": values.truth, "Comment": values.text,
    "ConnectorType": values.choice("Partner", "OnPremises"), "SenderIPAddresses": values.sender_networks,
    "SenderDomains": values.sender_domains, "TlsSenderCertificateName": values.text_or_none,
    "RequireTls": values.truth, "RestrictDomainsToIPAddresses": values.truth,
    "RestrictDomainsToCertificate": values.truth, "CloudServicesMailEnabled": values.truth,
    "TreatMessagesAsInternal": values.truth, "AssociatedAcceptedDomains": values.texts, "EFSkipLastIP": values.truth,
    "EFSkipIPs": values.texts, "EFUsers": values.texts,
}  # fmt: skip
_CONNECTOR_DEFAULTS: Row = {
    "Enabled": True, "ConnectorType": "Partner", "ConnectorSource": "Default", "Comment": "", "SenderIPAddresses": [],
    "SenderDomains": [], "TlsSenderCertificateName": None, "RequireTls": True, "RestrictDomainsToIPAddresses": False,
    "RestrictDomainsToCertificate": False, "CloudServicesMailEnabled": False, "TreatMessagesAsInternal": False,
    "AssociatedAcceptedDomains": [], "TrustedOrganizations": [], "ClientHostNames": [], "EFSkipLastIP": False,
    "EFSkipIPs": [], "EFUsers": [], "EFTestMode": False, "ScanAndDropRecipients": [], "IsValid": True,
}  # fmt: skip
_RULE: Mapping[str, Check] = {
    "Name": values.text, "Priority": values.whole, "Comments": values.text, "Enabled": values.truth,
    "Mode": values.choice("Audit", "AuditAndNotify", "Enforce"),
    "SenderAddressLocation": values.choice("Header", "Envelope", "HeaderOrEnvelope"),
    "FromScope": values.choice("InOrganization", "NotInOrganization"),
    "SentToScope": values.choice("InOrganization", "NotInOrganization", "ExternalPartner", "ExternalNonPartner"),
    "StopRuleProcessing": values.truth, "Quarantine": values.truth, "DeleteMessage": values.truth,
    "SetSCL": values.text, "SetHeaderName": values.text, "SetHeaderValue": values.text, "PrependSubject": values.text,
    "RemoveHeader": values.text, "RejectMessageReasonText": values.text, "SetAuditSeverity": values.text,
    "RejectMessageEnhancedStatusCode": values.text, "MessageTypeMatches": values.text,
    "HeaderContainsMessageHeader": values.text, "HeaderMatchesMessageHeader": values.text,
    **dict.fromkeys(
        ("From", "SentTo", "SenderDomainIs", "RecipientDomainIs", "SenderIpRanges", "SubjectContainsWords",
         "SubjectMatchesPatterns", "SubjectOrBodyContainsWords", "FromAddressContainsWords",
         "FromAddressMatchesPatterns", "RecipientAddressContainsWords", "RecipientAddressMatchesPatterns",
         "HeaderContainsWords", "HeaderMatchesPatterns", "RedirectMessageTo", "BlindCopyTo", "CopyTo",
         "AddToRecipients"),
        values.texts,
    ),
}  # fmt: skip
_EXCEPTIONS = {
    f"ExceptIf{name}": check
    for name, check in _RULE.items()
    if name in {"FromScope", "SentToScope", "MessageTypeMatches", "HeaderContainsMessageHeader",
                "HeaderMatchesMessageHeader"} or check is values.texts
}  # fmt: skip
_RULE_PARAMETERS: Mapping[str, Check] = {**_RULE, **_EXCEPTIONS}


def _getter(kind: SettingKind) -> Cmdlet:
    def get(folder: TenantFolder, given: Parameters) -> Sequence[Row]:
        found = values.checked(given, {**_IDENTITY, **_COMMON, "ResultSize": lambda _, value: value})
        return [folder.find(kind, str(found["Identity"]))] if "Identity" in found else folder.rows(kind)

    return get


def set_organization_config(folder: TenantFolder, given: Parameters) -> Sequence[Row]:
    """Of its many parameters the one that Sidedoor is about."""
    found = values.checked(given, {"RejectDirectSend": values.truth, **_COMMON})
    if "RejectDirectSend" not in found or found.get("WhatIf"):
        return []

    def change(rows: list[Row]) -> None:
        if not rows:
            raise CmdletError("There is no organization configuration in this export.")
        rows[0]["RejectDirectSend"] = found["RejectDirectSend"]

    folder.change(SettingKind.ORGANIZATION_CONFIG, change)
    return []


def new_inbound_connector(folder: TenantFolder, given: Parameters) -> Sequence[Row]:
    """Required: Name, SenderDomains. A name is given once."""
    found = values.checked(given, {**_CONNECTOR, **_COMMON})
    for name in ("Name", "SenderDomains"):
        if not found.get(name):
            raise bad_parameter(name, f"Cannot bind argument to parameter '{name}' because it is missing or empty.")
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
    row = {**_CONNECTOR_DEFAULTS, **_setting(found), "Identity": found["Name"], "Guid": str(uuid.uuid4()),
           "WhenCreatedUTC": now, "WhenChangedUTC": now}  # fmt: skip
    _check_connector(row)
    return _add(folder, SettingKind.INBOUND_CONNECTOR, row, found)


def set_inbound_connector(folder: TenantFolder, given: Parameters) -> Sequence[Row]:
    """Identity says which; what is not given stays."""
    return _set(folder, SettingKind.INBOUND_CONNECTOR, given, _CONNECTOR, _check_connector)


def new_transport_rule(folder: TenantFolder, given: Parameters) -> Sequence[Row]:
    """A rule gets the lowest rank unless told; the others move down."""
    found = values.checked(given, {**_RULE_PARAMETERS, **_COMMON})
    if not found.get("Name"):
        raise bad_parameter("Name", "Cannot bind argument to parameter 'Name' because it is missing or empty.")
    enabled = found.pop("Enabled", True)
    count = len(folder.rows(SettingKind.TRANSPORT_RULE))
    row = {"Mode": "Enforce", "Priority": count, **_setting(found), "Identity": found["Name"],
           "State": "Enabled" if enabled else "Disabled", "Guid": str(uuid.uuid4())}  # fmt: skip
    _check_rule(row)
    return _add(folder, SettingKind.TRANSPORT_RULE, row, found)


def set_transport_rule(folder: TenantFolder, given: Parameters) -> Sequence[Row]:
    """Identity says which; Enabled shows as State."""
    return _set(folder, SettingKind.TRANSPORT_RULE, given, _RULE_PARAMETERS, _check_rule)


def _remover(kind: SettingKind) -> Cmdlet:
    def remove(folder: TenantFolder, given: Parameters) -> Sequence[Row]:
        found = values.checked(given, {**_IDENTITY, **_COMMON})
        row = folder.find(kind, _identity(found))
        if not found.get("WhatIf"):
            folder.change(kind, lambda rows: _remove(rows, row))
        return []

    return remove


def _setting(found: Mapping[str, object]) -> Row:
    return {name: value for name, value in found.items() if name not in _COMMON and name != "Identity"}


def _identity(found: Mapping[str, object]) -> str:
    if not found.get("Identity"):
        raise bad_parameter("Identity", "Cannot bind argument to parameter 'Identity' because it is missing or empty.")
    return str(found["Identity"])


def _add(folder: TenantFolder, kind: SettingKind, row: Row, found: Mapping[str, object]) -> Sequence[Row]:
    name = str(row["Name"])
    if any(str(each.get("Name")).casefold() == name.casefold() for each in folder.rows(kind)):
        raise CmdletError(
            f"The name '{name}' is already in use by another {kind.value.removeprefix('Get-')}. Use another name.",
            "Microsoft.Exchange.Data.Directory.ADObjectAlreadyExistsException",
        )
    if not found.get("WhatIf"):
        folder.change(kind, lambda rows: _insert(rows, row))
    return [row]


def _insert(rows: list[Row], row: Row) -> None:
    """At its priority where it has one."""
    priority = row.get("Priority")
    at = min(priority, len(rows)) if isinstance(priority, int) else len(rows)
    rows.insert(at, row)
    _renumber(rows)


def _remove(rows: list[Row], row: Row) -> None:
    rows.remove(row)
    _renumber(rows)


def _renumber(rows: list[Row]) -> None:
    for number, row in enumerate(rows):
        if "Priority" in row:
            row["Priority"] = number


def _set(
    folder: TenantFolder, kind: SettingKind, given: Parameters, known: Mapping[str, Check], check: Callable[[Row], None]
) -> Sequence[Row]:
    found = values.checked(given, {**known, **_IDENTITY, **_COMMON})
    old = folder.find(kind, _identity(found))
    new = {**old, **_setting(found)}
    if kind is SettingKind.TRANSPORT_RULE and "Enabled" in found:
        new["State"] = "Enabled" if new.pop("Enabled") else "Disabled"
    check(new)

    def change(rows: list[Row]) -> None:
        at = rows.index(old)
        rows.pop(at)
        priority = found.get("Priority", at)
        rows.insert(min(priority, len(rows)) if isinstance(priority, int) else at, new)
        _renumber(rows)

    if not found.get("WhatIf"):
        folder.change(kind, change)
    return []


def _check_connector(row: Row) -> None:
    """What New- and Set-InboundConnector refuse in the whole."""
    if row["RestrictDomainsToIPAddresses"] and not row["SenderIPAddresses"]:
        raise CmdletError("RestrictDomainsToIPAddresses needs SenderIPAddresses.")
    if row["RestrictDomainsToCertificate"] and not row["TlsSenderCertificateName"]:
        raise CmdletError("RestrictDomainsToCertificate needs TlsSenderCertificateName.")
    if row["RestrictDomainsToIPAddresses"] and row["RestrictDomainsToCertificate"]:
        raise CmdletError("RestrictDomainsToIPAddresses and RestrictDomainsToCertificate exclude each other.")


def _check_rule(row: Row) -> None:
    pairs = (("SetHeaderName", "SetHeaderValue"), ("HeaderContainsMessageHeader", "HeaderContainsWords"))
    for one, other in pairs:
        if bool(row.get(one)) != bool(row.get(other)):
            raise CmdletError(f"The parameters {one} and {other} must be used together.")


CMDLETS: Mapping[str, Cmdlet] = {
    **{kind.value: _getter(kind) for kind in SettingKind},
    "Set-OrganizationConfig": set_organization_config,
    "New-InboundConnector": new_inbound_connector,
    "Set-InboundConnector": set_inbound_connector,
    "Remove-InboundConnector": _remover(SettingKind.INBOUND_CONNECTOR),
    "New-TransportRule": new_transport_rule,
    "Set-TransportRule": set_transport_rule,
    "Remove-TransportRule": _remover(SettingKind.TRANSPORT_RULE),
}
