"""New-, Set- and Remove-InboundConnector: what the service takes and what it refuses.

Source: New-InboundConnector and Set-InboundConnector (learn.microsoft.com/powershell/module/exchangepowershell).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sidedoor.edge.admin import values
from sidedoor.edge.admin.errors import CmdletError
from sidedoor.edge.admin.export_file import Row
from sidedoor.edge.admin.named import Named, Parameters
from sidedoor.edge.admin.settings import TenantFolder
from sidedoor.edge.admin.values import Check
from sidedoor.tenant.kinds import SettingKind

_KNOWN: Mapping[str, Check] = {
    "Name": values.name, "Enabled": values.truth, "Comment": values.text,
    "ConnectorType": values.choice("Partner", "OnPremises"), "ConnectorSource": values.text,
    "SenderIPAddresses": values.sender_networks, "SenderDomains": values.sender_domains,
    "TlsSenderCertificateName": values.certificate_name,
    "RequireTls": values.truth, "RestrictDomainsToIPAddresses": values.truth,
    "RestrictDomainsToCertificate": values.truth, "CloudServicesMailEnabled": values.truth,
    "TreatMessagesAsInternal": values.truth, "AssociatedAcceptedDomains": values.texts, "EFSkipLastIP": values.truth,
    "EFSkipIPs": values.texts, "EFUsers": values.texts,
}  # fmt: skip
_DEFAULTS: Row = {
    "Enabled": True, "ConnectorType": "Partner", "ConnectorSource": "Default", "Comment": "", "SenderIPAddresses": [],
    "SenderDomains": [], "TlsSenderCertificateName": None, "RequireTls": True, "RestrictDomainsToIPAddresses": False,
    "RestrictDomainsToCertificate": False, "CloudServicesMailEnabled": False, "TreatMessagesAsInternal": False,
    "AssociatedAcceptedDomains": [], "TrustedOrganizations": [], "ClientHostNames": [], "EFSkipLastIP": False,
    "EFSkipIPs": [], "EFUsers": [], "EFTestMode": False, "ScanAndDropRecipients": [], "IsValid": True,
}  # fmt: skip


def _finish(row: Row) -> Row:
    """What is refused in the whole. An exported connector may lack keys; those are not judged."""
    by_address, by_certificate = row.get("RestrictDomainsToIPAddresses"), row.get("RestrictDomainsToCertificate")
    if by_address and not row.get("SenderIPAddresses"):
        raise CmdletError("RestrictDomainsToIPAddresses needs SenderIPAddresses.")
    if by_certificate and not row.get("TlsSenderCertificateName"):
        raise CmdletError("RestrictDomainsToCertificate needs TlsSenderCertificateName.")
    if by_address and by_certificate:
        raise CmdletError("RestrictDomainsToIPAddresses and RestrictDomainsToCertificate exclude each other.")
    if row.get("TreatMessagesAsInternal") and row.get("ConnectorType") != "OnPremises":
        raise CmdletError("TreatMessagesAsInternal is for connectors of the type OnPremises only.")
    if row.get("TreatMessagesAsInternal") and row.get("CloudServicesMailEnabled"):
        raise CmdletError("TreatMessagesAsInternal and CloudServicesMailEnabled exclude each other.")
    return row


INBOUND = Named(SettingKind.INBOUND_CONNECTOR, _KNOWN, _finish)


def new_inbound_connector(folder: TenantFolder, given: Parameters) -> Sequence[Row]:
    """Required: Name, SenderDomains. A name is given once."""
    return INBOUND.new(folder, given, dict(_DEFAULTS), ("Name", "SenderDomains"))
