"""What the parts of the edge hand each other: a session, a transaction, and who keeps messages and decisions.

The SMTP server makes sessions and transactions; a keeper (Maildir, the spool) takes responsibility for a transaction;
the decision log holds one record for each recipient that was decided on. Nothing here does I/O.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Protocol, TypeAlias

from sidedoor.mail.address import Address, EnvelopeSender
from sidedoor.mail.network import IPAddress
from sidedoor.mail.reply import Reply
from sidedoor.policy.decision import Decision
from sidedoor.policy.facts import ClientCertificate, Connection, Tls


class Listener(Enum):
    """Which door a client came to."""

    SMTP = "smtp"  # the front door, as port 25: anonymous, attributed by address or certificate
    MILTER = "milter"  # a mail server asked, for a client of its own
    SUBMISSION = "submission"  # as port 587: clients may log in once TLS is up


@dataclass(frozen=True, slots=True)
class ShownCertificate:
    """The certificate a client showed. One that does not verify attributes nothing; `problem` says why, "" if none."""

    names: ClientCertificate
    verified: bool
    problem: str = ""


@dataclass(frozen=True, slots=True)
class TlsSession:
    """The TLS of a connection: `version` as `TLS1.3`, OpenSSL's name of the cipher, the client's certificate if any."""

    version: str
    cipher: str
    certificate: ShownCertificate | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """A connection as far as it has come; a new value after EHLO, STARTTLS and AUTH.

    id: 16 hexadecimal digits, unique. client_ip and client_port: the client's, told by PROXY where `proxy` (the address
    that told it) is not None.
    """

    id: str
    listener: Listener
    client_ip: IPAddress
    client_port: int
    proxy: IPAddress | None = None
    helo: str | None = None
    extended: bool = False  # EHLO rather than HELO
    tls: TlsSession | None = None
    authenticated_as: str | None = None

    @property
    def connection(self) -> Connection:
        """The facts the rule asks for: a certificate that does not verify is none."""
        tls = None
        if self.tls is not None:
            shown = self.tls.certificate
            tls = Tls(self.tls.version, shown.names if shown is not None and shown.verified else None)
        return Connection(self.client_ip, self.helo, tls, self.authenticated_as)


@dataclass(frozen=True, slots=True)
class Recipient:
    """One RCPT TO: what the rule decided, and what the client was told (not the same with `--audit-only`).

    relayed: taken because the client is a device that may relay, whatever the rule says of its mail.
    """

    address: Address
    decision: Decision
    said: Reply
    decided_at: datetime
    relayed: bool = False

    @property
    def taken(self) -> bool:
        """Whether the client was told that mail to it is taken."""
        return self.said.positive


@dataclass(frozen=True, slots=True)
class Transaction:
    """A message with its envelope, for a keeper.

    id: unique, begins with the session's. recipients: those that were taken, at least one; refused: the others.
    content: the octets after the dots were unstuffed, otherwise as received; lines end in CRLF, no NUL, no bare CR or
    LF. It has no trace header of ours yet: see `trace.received`. header_from: the addr-spec of the first From field,
    None where there is none. received_at in UTC, when the last octet was there.
    """

    id: str
    session: Session
    envelope_sender: EnvelopeSender
    recipients: tuple[Recipient, ...]
    refused: tuple[Recipient, ...]
    content: bytes
    received_at: datetime
    header_from: str | None = None
    smtputf8: bool = False
    eight_bit: bool = False  # BODY=8BITMIME was said


class Action(Enum):
    """What was done with an accepted message for one recipient."""

    DELIVER = "deliver"  # goes on to the mailbox or the next hop
    RELAY = "relay"  # goes on for a device that may relay; the tenant's rules are the next hop's business
    QUARANTINE = "quarantine"  # held back by a transport rule
    REJECT = "reject"  # a transport rule refused it: the client was told, or its sender by a notice
    DELETE = "delete"  # a transport rule deleted it in silence


@dataclass(frozen=True, slots=True)
class Handled:
    """What became of one recipient's copy, why, and its id in the spool or the quarantine ("" if in neither)."""

    action: Action
    rules: tuple[str, ...] = ()  # names of the transport rules that fired, in order
    notes: tuple[str, ...] = ()  # reason ids: forwarded-without-srs
    id: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A reply to the end of DATA with what was found and done. authentication: method to result, None: not checked."""

    reply: Reply
    authentication: Mapping[str, str] | None = None
    handled: Mapping[Address, Handled] = field(default_factory=dict)


Answer: TypeAlias = Reply | Receipt


class Keeper(Protocol):
    """Takes responsibility for messages."""

    def keep(self, transaction: Transaction) -> Answer | Awaitable[Answer]:
        """The reply to the end of DATA, at once or (as an `async def`) when it is known.

        250 only once the message is kept for good; 4yz where that failed (full disk, dead store), 5yz to refuse. What
        it raises is answered 451, and the message counts as not kept.
        """


class Outcome(Enum):
    """What became of one recipient of one transaction."""

    REFUSED = "refused"  # RCPT TO was refused
    KEPT = "kept"  # the keeper took the message: 250 after the content
    NOT_KEPT = "not-kept"  # the content was refused, or the keeper could not take it
    ABANDONED = "abandoned"  # the client went away, or began anew, before the content was complete


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """One decided recipient, for the log; docs/edge.md has its JSON.

    size and header_from: of the content, None where no content was read (`size` None says so). final: the reply to the
    content, None where there was none. settings_at: since when the settings in force were in force. authentication and
    handled: see `Receipt`; None where the message came no further.
    """

    session: Session
    transaction: str
    envelope_sender: EnvelopeSender
    recipient: Recipient
    outcome: Outcome
    audit_only: bool
    settings_at: datetime
    size: int | None = None
    header_from: str | None = None
    final: Reply | None = None
    authentication: Mapping[str, str] | None = None
    handled: Handled | None = None


class DecisionLog(Protocol):
    """Keeps decisions. Never raises: a log that cannot be written must not stop mail, and says so elsewhere."""

    def write(self, record: DecisionRecord) -> None:
        """Take one record; on its way to the disk before the event loop rests."""

    def close(self) -> None:
        """Write what is left."""


class Door(Protocol):
    """What the protocol machine asks for each command; answers at once, does no I/O."""

    def hello(self, name: str, *, extended: bool) -> None:
        """The client said EHLO (`extended`) or HELO; a transaction in progress is over."""

    def sender(self, sender: EnvelopeSender, *, smtputf8: bool, eight_bit: bool) -> Reply:
        """The answer to a well-formed MAIL FROM."""

    def recipient(self, address: Address) -> Reply:
        """The answer to a well-formed RCPT TO."""

    def postmaster(self) -> Address | None:
        """Whom `RCPT TO:<postmaster>` without a domain means (RFC 5321 section 4.5.1); None for nobody."""

    def reset(self) -> None:
        """The transaction is over without a message: RSET, EHLO, STARTTLS, or the client went away."""

    def refused_content(self, reply: Reply, size: int) -> None:
        """The content was refused as it stands (too big, bare CR or LF): the transaction is over without a message."""
