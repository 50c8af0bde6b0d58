"""New-, Set- and Remove-TransportRule, with the conditions, exceptions and actions of docs/transport-rules.md."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from sidedoor.edge.admin import values
from sidedoor.edge.admin.errors import CmdletError, bad_parameter
from sidedoor.edge.admin.export_file import Row
from sidedoor.edge.admin.named import Named, Parameters
from sidedoor.edge.admin.settings import TenantFolder
from sidedoor.edge.admin.values import Check
from sidedoor.tenant.kinds import SettingKind

_LISTS = (
    "From", "SentTo", "SenderDomainIs", "RecipientDomainIs", "SenderIpRanges", "SubjectContainsWords",
    "SubjectMatchesPatterns", "SubjectOrBodyContainsWords", "FromAddressContainsWords", "FromAddressMatchesPatterns",
    "RecipientAddressContainsWords", "RecipientAddressMatchesPatterns", "HeaderContainsWords", "HeaderMatchesPatterns",
)  # fmt: skip
_CONDITIONS: Mapping[str, Check] = {
    "FromScope": values.choice("InOrganization", "NotInOrganization"),
    "SentToScope": values.choice("InOrganization", "NotInOrganization", "ExternalPartner", "ExternalNonPartner"),
    "MessageTypeMatches": values.text, "HeaderContainsMessageHeader": values.text,
    "HeaderMatchesMessageHeader": values.text, **dict.fromkeys(_LISTS, values.texts),
}  # fmt: skip
_STATUS = re.compile(r"5\.7\.(?:1|9\d\d)")  # New-TransportRule -RejectMessageEnhancedStatusCode


def _status(name: str, value: object) -> str:
    found = values.text(name, value)
    if not _STATUS.fullmatch(found):
        raise bad_parameter(name, "Use 5.7.1, or a value from 5.7.900 to 5.7.999.")
    return found


_KNOWN: Mapping[str, Check] = {
    "Name": values.name, "Priority": values.whole, "Comments": values.text, "Enabled": values.truth,
    "Mode": values.choice("Audit", "AuditAndNotify", "Enforce"),
    "SenderAddressLocation": values.choice("Header", "Envelope", "HeaderOrEnvelope"),
    "StopRuleProcessing": values.truth, "Quarantine": values.truth, "DeleteMessage": values.truth,
    "SetSCL": values.text, "SetHeaderName": values.text, "SetHeaderValue": values.text, "PrependSubject": values.text,
    "RemoveHeader": values.text, "RejectMessageReasonText": values.text, "SetAuditSeverity": values.text,
    "RejectMessageEnhancedStatusCode": _status, "RedirectMessageTo": values.texts, "BlindCopyTo": values.texts,
    "CopyTo": values.texts, "AddToRecipients": values.texts,
    **_CONDITIONS, **{f"ExceptIf{name}": check for name, check in _CONDITIONS.items()},
}  # fmt: skip
_PAIRS = (
    ("SetHeaderName", "SetHeaderValue"),
    ("HeaderContainsMessageHeader", "HeaderContainsWords"),
    ("HeaderMatchesMessageHeader", "HeaderMatchesPatterns"),
    ("ExceptIfHeaderContainsMessageHeader", "ExceptIfHeaderContainsWords"),
    ("ExceptIfHeaderMatchesMessageHeader", "ExceptIfHeaderMatchesPatterns"),
)


def _finish(row: Row) -> Row:
    """Enabled is a parameter, State is what is shown."""
    if "Enabled" in row:
        row = {**row, "State": "Enabled" if row["Enabled"] else "Disabled"}
        del row["Enabled"]
    for one, other in _PAIRS:
        if bool(row.get(one)) != bool(row.get(other)):
            raise CmdletError(f"The parameters {one} and {other} must be used together.")
    priority = row.get("Priority")
    if isinstance(priority, int) and priority < 0:
        raise bad_parameter("Priority", "The priority must not be less than 0.")
    return row


RULES = Named(SettingKind.TRANSPORT_RULE, _KNOWN, _finish)


def new_transport_rule(folder: TenantFolder, given: Parameters) -> Sequence[Row]:
    """A rule gets the lowest rank unless told; the others move down."""
    defaults: Row = {"Enabled": True, "Mode": "Enforce", "Priority": len(folder.rows(RULES.kind))}
    return RULES.new(folder, given, defaults, ("Name",))
