"""What a rule does, as values. Texts for headers and replies hold no control characters, so no line ends either."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from sidedoor.mail.address import Address
from sidedoor.mail.reply import Reply


class Field(Enum):
    """How AddToRecipients, CopyTo and BlindCopyTo show the new recipient."""

    TO = "To"  # in To
    CC = "Cc"  # in Cc
    BCC = "Bcc"  # nowhere


@dataclass(frozen=True, slots=True)
class SetHeader:
    """SetHeaderName, SetHeaderValue: the field has this value and no other."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class RemoveHeader:
    """RemoveHeader: all fields of the name are taken away."""

    name: str


@dataclass(frozen=True, slots=True)
class PrependSubject:
    """PrependSubject: a text before the subject, as it stands."""

    text: str


@dataclass(frozen=True, slots=True)
class SetScl:
    """SetSCL: -1 to 9, what the spam filter starts from."""

    level: int


@dataclass(frozen=True, slots=True)
class AddRecipients:
    """AddToRecipients, CopyTo, BlindCopyTo: others get the message too."""

    field: Field
    addresses: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class Redirect:
    """RedirectMessageTo: others get the message in place of the recipient."""

    addresses: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class Disclaimer:
    """ApplyHtmlDisclaimerText. `location` Append or Prepend; `fallback` Wrap, Ignore or Reject. Bodies are not touched
    here."""

    html: str
    location: str
    fallback: str


@dataclass(frozen=True, slots=True)
class IncidentReport:
    """GenerateIncidentReport: a report to somebody; taken in Audit modes too. Nothing is sent here."""

    to: str
    content: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Notify:
    """GenerateNotification: a text to the recipient; taken in AuditAndNotify too. Nothing is sent here."""

    html: str


@dataclass(frozen=True, slots=True)
class AuditSeverity:
    """SetAuditSeverity: a mark in the log, no effect on the message."""

    severity: str


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Quarantine: held; later rules do not run, and do not run after release."""


@dataclass(frozen=True, slots=True)
class Reject:
    """RejectMessageReasonText, RejectMessageEnhancedStatusCode: returned to its sender with the reply."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Delete:
    """DeleteMessage: dropped without a word to anybody."""


@dataclass(frozen=True, slots=True)
class StopRules:
    """StopRuleProcessing: later rules do not run."""


HeaderChange: TypeAlias = SetHeader | RemoveHeader | PrependSubject
Final: TypeAlias = Quarantine | Reject | Delete
Action: TypeAlias = (
    HeaderChange
    | SetScl
    | AddRecipients
    | Redirect
    | Disclaimer
    | IncidentReport
    | Notify
    | AuditSeverity
    | Final
    | StopRules
)
