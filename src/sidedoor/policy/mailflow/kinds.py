"""Types of message as MessageTypeMatches knows them, read from header fields and, where known, the types of MIME parts.

The service knows the message class; over SMTP there are only fields, which their sender writes. So an exception by
type is an exception for whoever forges the type.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from enum import Enum

from sidedoor.mail.fact import Fact, Unknown
from sidedoor.policy.mailflow.header import HeaderField


class MessageType(Enum):
    """The values of MessageTypeMatches (New-TransportRule)."""

    OOF = "OOF"  # automatic replies
    AUTO_FORWARD = "AutoForward"  # forwarded by an inbox rule, not by mailbox forwarding
    ENCRYPTED = "Encrypted"  # S/MIME
    CALENDARING = "Calendaring"  # meeting requests and responses
    PERMISSION_CONTROLLED = "PermissionControlled"  # Office message encryption, rights management
    VOICEMAIL = "Voicemail"  # sent on by unified messaging
    SIGNED = "Signed"  # digitally signed
    APPROVAL_REQUEST = "ApprovalRequest"  # to a moderator
    READ_RECEIPT = "ReadReceipt"  # a message disposition notification


class Header:
    """The fields of a message by name."""

    def __init__(self, fields: Sequence[HeaderField], part_types: Fact[frozenset[str]]) -> None:
        self._values: dict[str, str] = {}
        for field in fields:
            self._values.setdefault(field.name.lower(), field.value.lower())
        self.part_types = part_types

    def value(self, name: str) -> str:
        """The first field of a name (lower case) in lower case; "" where there is none."""
        return self._values.get(name, "")

    @property
    def media_type(self) -> str:
        """The type of the whole message, `text/plain` where it does not say (RFC 2045 section 5.2)."""
        return self.value("content-type").partition(";")[0].strip() or "text/plain"

    def parameter(self, name: str) -> str:
        """A parameter of Content-Type: `report-type`."""
        match = re.search(rf';\s*{name}\s*=\s*"?([^";\s]*)', self.value("content-type")[:2_000])
        return match[1] if match else ""

    def has_part(self, *types: str) -> Fact[bool]:
        """Whether the message is, or has a part, of one of the types; unknown for several parts that nobody read."""
        if self.media_type in types:
            return True
        if not self.media_type.startswith("multipart/"):
            return False
        if isinstance(self.part_types, Unknown):
            return Unknown(f"the parts of the message were not read: {self.part_types.reason}")
        return any(each in self.part_types for each in types)


def _is_oof(header: Header) -> Fact[bool]:
    # RFC 3834 section 5; Exchange writes it on automatic replies to the outside.
    return header.value("auto-submitted").startswith("auto-replied")


def _is_auto_forward(header: Header) -> Fact[bool]:
    # RFC 2156 section 5.3.6 names the field; Exchange's inbox rules stamp X-MS-Exchange-Inbox-Rules-Loop.
    return header.value("autoforwarded") == "true" or header.value("x-ms-exchange-inbox-rules-loop") != ""


def _is_encrypted(header: Header) -> Fact[bool]:
    # RFC 8551 section 3.2: enveloped-data where no smime-type says otherwise.
    return header.media_type in {"application/pkcs7-mime", "application/x-pkcs7-mime"} and header.parameter(
        "smime-type"
    ) in {"", "enveloped-data", "authenveloped-data"}


def _is_signed(header: Header) -> Fact[bool]:
    if header.media_type == "multipart/signed":
        return True
    opaque = header.media_type in {"application/pkcs7-mime", "application/x-pkcs7-mime"}
    return opaque and header.parameter("smime-type") == "signed-data"


def _is_calendaring(header: Header) -> Fact[bool]:
    if header.value("content-class") == "urn:content-classes:calendarmessage":
        return True
    return header.has_part("text/calendar")


def _is_permission_controlled(header: Header) -> Fact[bool]:
    if header.value("content-class").startswith("rpmsg.message"):
        return True
    return header.has_part("application/x-microsoft-rpmsg-message")


def _is_voicemail(header: Header) -> Fact[bool]:
    # Content-Class Voice, Voice-CA, Voice-UC of unified messaging; multipart/voice-message of VPIM (RFC 3801).
    voice = header.value("content-class").startswith(("voice", "urn:content-class:custom:voice"))
    return voice or header.media_type == "multipart/voice-message"


def _is_approval_request(header: Header) -> Fact[bool]:
    return header.value("x-ms-exchange-organization-approval-initiator") != ""


def _is_read_receipt(header: Header) -> Fact[bool]:
    # RFC 8098 section 3.
    return header.media_type == "multipart/report" and header.parameter("report-type") == "disposition-notification"


_TESTS: Mapping[MessageType, Callable[[Header], Fact[bool]]] = {
    MessageType.OOF: _is_oof,
    MessageType.AUTO_FORWARD: _is_auto_forward,
    MessageType.ENCRYPTED: _is_encrypted,
    MessageType.CALENDARING: _is_calendaring,
    MessageType.PERMISSION_CONTROLLED: _is_permission_controlled,
    MessageType.VOICEMAIL: _is_voicemail,
    MessageType.SIGNED: _is_signed,
    MessageType.APPROVAL_REQUEST: _is_approval_request,
    MessageType.READ_RECEIPT: _is_read_receipt,
}
NOT_READ = Unknown("only the header is known")


def is_of_type(
    kind: MessageType, fields: Sequence[HeaderField], part_types: Fact[frozenset[str]] = NOT_READ
) -> Fact[bool]:
    """Whether a message is of a type. `part_types`: media types of its MIME parts in lower case."""
    return _TESTS[kind](Header(fields, part_types))


def message_types(
    fields: Sequence[HeaderField], part_types: Fact[frozenset[str]] = NOT_READ
) -> Mapping[MessageType, Fact[bool]]:
    """Each type with whether the message is of it."""
    header = Header(fields, part_types)
    return {kind: test(header) for kind, test in _TESTS.items()}
