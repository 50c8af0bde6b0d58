"""Get, New, Set and Remove of the tenant's settings. Each takes parameters and gives rows, or raises CmdletError."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sidedoor.edge.admin import values
from sidedoor.edge.admin.connectors import INBOUND, new_inbound_connector
from sidedoor.edge.admin.errors import CmdletError
from sidedoor.edge.admin.export_file import Row
from sidedoor.edge.admin.named import COMMON, Cmdlet, Parameters, getter, iso
from sidedoor.edge.admin.rules import RULES, new_transport_rule
from sidedoor.edge.admin.settings import TenantFolder
from sidedoor.tenant.kinds import SettingKind


def set_organization_config(folder: TenantFolder, given: Parameters) -> Sequence[Row]:
    """Of its many parameters the one that Sidedoor is about."""
    found = values.checked(given, {"RejectDirectSend": values.truth, **COMMON})
    if "RejectDirectSend" not in found or found.get("WhatIf"):
        return []

    def change(rows: list[Row]) -> None:
        if not rows:
            raise CmdletError("There is no organization configuration in this export.")
        rows[0]["RejectDirectSend"] = found["RejectDirectSend"]
        if "WhenChangedUTC" in rows[0]:
            rows[0]["WhenChangedUTC"] = iso(folder.now())

    folder.change(SettingKind.ORGANIZATION_CONFIG, change)
    return []


CMDLETS: Mapping[str, Cmdlet] = {
    **{kind.value: getter(kind) for kind in SettingKind},
    "Set-OrganizationConfig": set_organization_config,
    "New-InboundConnector": new_inbound_connector,
    "Set-InboundConnector": INBOUND.set,
    "Remove-InboundConnector": INBOUND.remove,
    "New-TransportRule": new_transport_rule,
    "Set-TransportRule": RULES.set,
    "Remove-TransportRule": RULES.remove,
}
