"""What the rule is told: the connection, the envelope to one recipient, and what is known of the message."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from sidedoor.mail.address import Address, EnvelopeSender
from sidedoor.mail.domain import Domain
from sidedoor.mail.fact import Fact, Unknown
from sidedoor.mail.network import IPAddress

NOT_RECORDED = Unknown("the source does not record it")


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """Names on the certificate the client showed: subject CN and subject alternative DNS names, as written."""

    subject_cn: str | None = None
    dns_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tls:
    """A connection under TLS. `version` is `TLS1.2`, `TLS1.3`, or "" where only its use is known."""

    version: str = ""
    client_certificate: Fact[ClientCertificate | None] = NOT_RECORDED


@dataclass(frozen=True, slots=True)
class Connection:
    """The SMTP connection. None means known to be absent: no TLS, nobody logged in, no client address."""

    client_ip: Fact[IPAddress | None] = NOT_RECORDED
    helo: Fact[str | None] = NOT_RECORDED
    tls: Fact[Tls | None] = NOT_RECORDED
    authenticated_as: Fact[str | None] = NOT_RECORDED


@dataclass(frozen=True, slots=True)
class Envelope:
    """One transaction to one recipient: attribution is per recipient, because the recipient names the tenant."""

    envelope_sender: Fact[EnvelopeSender] = NOT_RECORDED
    recipient: Fact[Address] = NOT_RECORDED


class Direction(Enum):
    """What Exchange says of a message's course (directionality, EmailDirection)."""

    INCOMING = "incoming"  # came in from outside, attributed to nobody of ours or to a Partner connector
    ORIGINATING = "originating"  # the tenant's own: logged in, or through an OnPremises connector
    INTRA_ORG = "intra-org"  # from inside to inside; some say Direct Send may show as this too
    OUTBOUND = "outbound"  # leaves the organisation


class Entry(Enum):
    """How a message came in, as its own header fields (or another server's log) tell it afterwards."""

    DIRECT_SEND = "direct-send"  # Exchange Online's label: X-MS-Exchange-Organization-IsAnonymousDirectSend: True
    CONNECTOR = "onpremises"  # a connector attributed it: FromEntityHeader HybridOnPrem, and an attributed address
    AUTHENTICATED = "authenticated"  # AuthAs Internal: logged in, or begun in a mailbox
    ANONYMOUS = "anonymous"  # AuthAs Anonymous, from the internet: no login, no OnPremises connector
    REFUSED = "refused"  # a door that keeps a log refused it before RejectDirectSend was asked (5.7.51, say)
    RELAYED = "relayed"  # the client spoke to a server of the organisation, which handed the message on


@dataclass(frozen=True, slots=True)
class MessageFacts:
    """What the message and its history tell.

    `connector` is the inbound connector that the service's own record names: None where the record says "none",
    unknown where the record has no such column (or, live, where nobody has recorded anything yet).
    `entry` is what the message itself shows of its way in; the record's connector, where known, outranks it.
    `accepted` is whether the service is known to have taken the message: a message trace lists only such mail.
    """

    header_from: Fact[Domain | None] = NOT_RECORDED
    connector: Fact[str | None] = NOT_RECORDED
    direction: Fact[Direction] = NOT_RECORDED
    accepted: bool = False
    recipient_exists: Fact[bool] = NOT_RECORDED
    entry: Fact[Entry] = NOT_RECORDED
