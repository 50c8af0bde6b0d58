"""The header fields the edge takes off and puts on: header firewall, authentication results, the twin's marks. Pure.

Exchange Online takes X-MS-Exchange-Organization-* off what comes from outside ("header firewall"), and RFC 8601
section 5 asks whoever adds Authentication-Results to take off those that claim to be its own.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from sidedoor.edge.interface import Recipient, Session, Transaction
from sidedoor.edge.trace import stamp
from sidedoor.mail.address import Address
from sidedoor.mailauth.authenticate import MessageAuthentication, results_field
from sidedoor.policy.decision import Submission

_OURS = (
    b"x-ms-exchange-organization-", b"x-ms-exchange-crosstenant-", b"x-forefront-antispam-report:", b"x-sidedoor-",
)  # fmt: skip
_RESULTS = b"authentication-results:"
_FIELD = re.compile(rb"[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*")
_UNSAFE = re.compile(r"[^!-~]")
_MOST_HELO = 255
_MESSAGES = uuid.UUID("5d0d2a8e-6f0c-4f0e-9d3c-5e1de0000001")
_INTERNAL = frozenset({Submission.AUTHENTICATED, Submission.ONPREMISES_CONNECTOR})


class Marks(Enum):
    """Which fields the edge adds besides Received and Authentication-Results."""

    TWIN = "twin"  # those that Exchange Online would show, for whoever reads the message in the Maildir
    NONE = "none"  # none: a server comes after us, and it makes its own


def firewall(content: bytes, hostname: str) -> bytes:
    """The message without the fields that only we may write. Where no empty line ends the header all is header."""
    if content.startswith(b"\r\n"):
        return content  # no header at all
    end = content.find(b"\r\n\r\n")
    end = end if end >= 0 else len(content) - 2
    header = content[: end + 2]
    lower = header.lower()
    if not any(name in lower for name in (*_OURS, _RESULTS)):
        return content
    kept = b"".join(field for field in _FIELD.findall(header) if not _forged(field, hostname))
    return kept + content[end + 2 :]


def _forged(field: bytes, hostname: str) -> bool:
    name = field[:64].lower()
    if name.startswith(_OURS):
        return True
    if not name.startswith(_RESULTS):
        return False
    claimed = field[len(_RESULTS) :].strip().partition(b";")[0].split()
    return bool(claimed) and claimed[0].decode("ascii", "replace").lower() == hostname.lower()


@dataclass(frozen=True, slots=True)
class Stamped:
    """What goes on top of a message to `recipient`. `authentication` None: not checked."""

    transaction: Transaction
    recipient: Recipient
    hostname: str
    authentication: MessageAuthentication | None = None
    marks: Marks = Marks.TWIN

    def fields(self) -> bytes:
        """The fields with their CRLF, without Received."""
        lines = []
        if self.authentication is not None:
            header_from = (self.transaction.header_from or "").rpartition("@")[2]
            value = results_field(self.authentication, self.hostname, header_from)
            lines.append(f"Authentication-Results: {value}")
        head = "".join(f"{line}\r\n" for line in lines).encode()
        return head + self.twin() if self.marks is Marks.TWIN else head

    def twin(self) -> bytes:
        """The fields that Exchange Online would show besides."""
        # One for the message, whoever its recipients are: made of the transaction's id, which is random.
        name = uuid.uuid5(_MESSAGES, self.transaction.id)
        named = f"X-MS-Exchange-Organization-Network-Message-Id: {name}\r\n"
        named += f"X-MS-Exchange-CrossTenant-Network-Message-Id: {name}\r\n"
        transaction = self.transaction
        marks = marks_of(self.recipient, transaction.session, self.hostname, transaction.received_at)
        return named.encode() + marks


def marks_of(recipient: Recipient, session: Session, hostname: str, when: datetime) -> bytes:
    """What Exchange Online would note of the connection and of its thoughts about it."""
    return "".join(f"{name}: {value}\r\n" for name, value in _marks(recipient, session, hostname, when)).encode()


def _marks(recipient: Recipient, session: Session, hostname: str, when: datetime) -> Iterator[tuple[str, str]]:
    decision = recipient.decision
    inside = decision.submission in _INTERNAL
    who = "Internal" if inside else "Anonymous"
    helo = _UNSAFE.sub("?", session.helo or "")[:_MOST_HELO]
    yield "X-MS-Exchange-Organization-AuthAs", who
    yield "X-MS-Exchange-Organization-AuthSource", hostname
    yield "X-MS-Exchange-Organization-MessageDirectionality", "Originating" if inside else "Incoming"
    if decision.submission is Submission.DIRECT_SEND:
        yield "X-MS-Exchange-Organization-IsAnonymousDirectSend", "True"
    yield "X-MS-Exchange-CrossTenant-AuthAs", who
    yield "X-MS-Exchange-CrossTenant-AuthSource", hostname
    yield "X-MS-Exchange-CrossTenant-FromEntityHeader", _entity(decision.submission)
    yield "X-MS-Exchange-CrossTenant-OriginalArrivalTime", stamp(when)
    connecting = f"Ip=[{session.client_ip}];Helo=[{helo}]"
    yield "X-MS-Exchange-CrossTenant-OriginalAttributedTenantConnectingIp", connecting
    yield "X-Forefront-Antispam-Report", f"CIP:{session.client_ip};H:{helo};DIR:{'INT' if inside else 'INB'};"
    yield "X-Sidedoor-Decision", _decision(recipient)


def _entity(submission: Submission) -> str:
    if submission is Submission.AUTHENTICATED:
        return "Hosted"
    return "HybridOnPrem" if submission is Submission.ONPREMISES_CONNECTOR else "Internet"


def _decision(recipient: Recipient) -> str:
    decision = recipient.decision
    would = {True: "true", False: "false", None: "unknown"}[decision.would_reject]
    return (
        f"submission={decision.submission.value}; verdict={decision.verdict.value}; would-reject={would}; "
        f"certainty={decision.certainty.word}"
    )


def sender_of(transaction: Transaction) -> str:
    """The envelope sender as text, "" for the null reverse-path."""
    sender = transaction.envelope_sender
    return str(sender) if isinstance(sender, Address) else ""
