"""Actions of a rule by parameter name, in the order in which they are taken: what ends a message comes last."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from sidedoor.mail.address import Address, AddressError, parse_address
from sidedoor.mail.fact import Unknown
from sidedoor.mail.reply import Reply
from sidedoor.policy.mailflow.actions import (
    Action,
    AddRecipients,
    AuditSeverity,
    Delete,
    Disclaimer,
    Field,
    IncidentReport,
    Notify,
    PrependSubject,
    Quarantine,
    Redirect,
    Reject,
    RemoveHeader,
    SetHeader,
    SetScl,
    StopRules,
)
from sidedoor.policy.mailflow.build import NotEvaluatedError
from sidedoor.policy.mailflow.header import has_controls, without_controls
from sidedoor.tenant.values import Fields

_MAX_TEXT = 8_192  # characters; a whole rule has 8 KB
_MAX_REASON = 1_024  # RejectMessageReasonText in the service
_NAME = re.compile(r"[!-9;-~]{1,64}")  # RFC 5322 section 2.2; 64 is Exchange's own limit
_CODE = re.compile(r"5\.7\.(?:1|9[0-9]{2})")  # "5.7.1 or between 5.7.900 and 5.7.999" (New-TransportRule)
_DEFAULT_CODE, _DEFAULT_REASON = "5.7.1", "Delivery not authorized, message refused"


def _text(fields: Fields, key: str) -> str:
    """One text without control characters. Raises NotEvaluatedError where there is none, or it has some."""
    text = fields.verbatim(key)
    if not text.strip():
        raise NotEvaluatedError(f"the export does not tell {key}")
    if len(text) > _MAX_TEXT or has_controls(text):
        raise NotEvaluatedError(f"{key} has control characters, or is longer than {_MAX_TEXT:,} characters")
    return text


def _header_name(fields: Fields, key: str) -> str:
    name = fields.text(key)
    if not _NAME.fullmatch(name):
        raise NotEvaluatedError(f"{name[:80]!r} is no name of a header field")
    return name


def _set_header(fields: Fields) -> Action:
    return SetHeader(_header_name(fields, "SetHeaderName"), _text(fields, "SetHeaderValue").strip())


def _set_scl(fields: Fields) -> Action:
    text = fields.text("SetSCL")
    if text not in {str(level) for level in range(-1, 10)}:
        raise NotEvaluatedError(f"{text[:40]!r} is no SCL")
    return SetScl(int(text))


def _addresses(fields: Fields, key: str) -> tuple[Address, ...]:
    """All of the addresses: a message for some of them only would be half an action."""
    entries = fields.entries(key)
    if isinstance(entries, Unknown):
        raise NotEvaluatedError(entries.reason)
    try:
        found = tuple(parse_address(entry.removeprefix("smtp:").removeprefix("SMTP:")) for entry in entries)
    except AddressError as error:
        raise NotEvaluatedError(f"there is no directory to look a recipient up in: {error}") from error
    if not found:
        raise NotEvaluatedError(f"{key} is empty")
    return found


def _add(key: str, field: Field) -> Callable[[Fields], Action]:
    return lambda fields: AddRecipients(field, _addresses(fields, key))


def _disclaimer(fields: Fields) -> Action:
    html = fields.verbatim("ApplyHtmlDisclaimerText")[:_MAX_TEXT]
    location = fields.text("ApplyHtmlDisclaimerLocation") or "Append"
    return Disclaimer(html, location, fields.text("ApplyHtmlDisclaimerFallbackAction") or "Wrap")


def _report(fields: Fields) -> Action:
    content = fields.entries("IncidentReportContent")
    return IncidentReport(fields.text("GenerateIncidentReport"), () if isinstance(content, Unknown) else content)


def reject_code(fields: Fields) -> str:
    """The enhanced status code that the export asks for, "" for none; it may be one that a rule cannot give."""
    return fields.text("RejectMessageEnhancedStatusCode")


def allowed_code(code: str) -> bool:
    """Whether a rule may give this code: none can imitate 5.7.68."""
    return _CODE.fullmatch(code) is not None


def _reject(fields: Fields) -> Action:
    """A code that no rule may give becomes 5.7.1: refused is refused."""
    reason = without_controls(fields.text("RejectMessageReasonText"))
    code = reject_code(fields)
    code = code if allowed_code(code) else _DEFAULT_CODE
    return Reject(Reply(550, code, " ".join(reason.split())[:_MAX_REASON] or _DEFAULT_REASON))


def _switch(key: str, action: Action) -> Callable[[Fields], Action]:
    def build(fields: Fields) -> Action:
        if fields.flag(key) is not True:
            raise NotEvaluatedError(f"{fields.text(key)[:40]!r} is neither true nor false")
        return action

    return build


BUILDERS: Mapping[str, Callable[[Fields], Action]] = {
    "SetAuditSeverity": lambda fields: AuditSeverity(fields.text("SetAuditSeverity")),
    "RemoveHeader": lambda fields: RemoveHeader(_header_name(fields, "RemoveHeader")),
    "SetHeaderName": _set_header,
    "PrependSubject": lambda fields: PrependSubject(_text(fields, "PrependSubject")),
    "SetSCL": _set_scl,
    "ApplyHtmlDisclaimerText": _disclaimer,
    "AddToRecipients": _add("AddToRecipients", Field.TO),
    "CopyTo": _add("CopyTo", Field.CC),
    "BlindCopyTo": _add("BlindCopyTo", Field.BCC),
    "GenerateIncidentReport": _report,
    "GenerateNotification": lambda fields: Notify(fields.verbatim("GenerateNotification")[:_MAX_TEXT]),
    "RedirectMessageTo": lambda fields: Redirect(_addresses(fields, "RedirectMessageTo")),
    "Quarantine": _switch("Quarantine", Quarantine()),
    "RejectMessageReasonText": _reject,
    "DeleteMessage": _switch("DeleteMessage", Delete()),
    "StopRuleProcessing": _switch("StopRuleProcessing", StopRules()),
}
"""Parameter name of an action -> its builder, in the order of doing. Of the three that end a message, a rule that has
several takes the first in this order: what is held can be given back."""

COMPANIONS: Mapping[str, str] = {
    "SetHeaderValue": "SetHeaderName",
    "ApplyHtmlDisclaimerLocation": "ApplyHtmlDisclaimerText",
    "ApplyHtmlDisclaimerFallbackAction": "ApplyHtmlDisclaimerText",
    "IncidentReportContent": "GenerateIncidentReport",
    "IncidentReportOriginalMail": "GenerateIncidentReport",
    "RejectMessageEnhancedStatusCode": "RejectMessageReasonText",
}
"""Parameters that tell more of an action -> the action."""

_ENCRYPTION = "Sidedoor neither encrypts nor decrypts"
_MODERATION = "there is nobody to ask for approval"
_ROUTING = "Sidedoor does not route by rule"
_ON_PREMISES = "works in Exchange on-premises only"
NOT_TAKEN: Mapping[str, str] = {
    **dict.fromkeys(
        (
            *("ApplyRightsProtectionTemplate", "ApplyRightsProtectionCustomizationTemplate", "ApplyOME"),
            *("RemoveOME", "RemoveOMEv2", "RemoveRMSAttachmentEncryption"),
        ),
        _ENCRYPTION,
    ),
    **dict.fromkeys(("ModerateMessageByUser", "ModerateMessageByManager"), _MODERATION),
    **dict.fromkeys(("RouteMessageOutboundConnector", "RouteMessageOutboundRequireTls"), _ROUTING),
    "AddManagerAsRecipientType": "there is no directory to look the manager up in",
    "ApplyClassification": "classifications of messages are not written",
    **dict.fromkeys(
        (
            *("Disconnect", "SmtpRejectMessageRejectText", "SmtpRejectMessageRejectStatusCode", "LogEventText"),
            *("SenderNotificationType", "NotifySender"),
        ),
        _ON_PREMISES,
    ),
}
"""Actions that Exchange has and Sidedoor does not take, with the reason."""
