"""One session at the door: facts gather, the rule is asked for each recipient, and what it said is written down.

The rule alone decides what Exchange Online would do. The door adds what an edge must never do, whatever the settings
say: take mail for strangers (`answer.relays`), and the operator's choices (audit only, what to do where facts are
unknown).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sidedoor.edge.answer import RECIPIENT_OK, answer_to, trailed
from sidedoor.edge.content import look
from sidedoor.edge.interface import (
    Answer,
    DecisionLog,
    DecisionRecord,
    Listener,
    Outcome,
    Receipt,
    Recipient,
    Session,
    TlsSession,
    Transaction,
)
from sidedoor.edge.relay import NOBODY, RelayClients
from sidedoor.edge.settings import Remembered, Settings
from sidedoor.edge.smtp.replies import SENDER_OK
from sidedoor.mail.address import Address, EnvelopeSender
from sidedoor.mail.reply import Reply
from sidedoor.policy.decision import Decision
from sidedoor.policy.facts import Connection

_MOST_REMEMBERED = 1_024


@dataclass(frozen=True, slots=True)
class Policy:
    """The operator's choices. `current` gives the settings in force; `now` the time, with zone UTC."""

    hostname: str
    current: Callable[[], Settings]
    log: DecisionLog
    audit_only: bool = False
    tempfail_undetermined: bool = False
    relay: RelayClients = NOBODY
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


@dataclass(slots=True)
class _Open:
    """A transaction in progress."""

    id: str
    sender: EnvelopeSender
    smtputf8: bool
    eight_bit: bool
    taken: list[Recipient]
    refused: list[Recipient]


class SessionDoor:
    """Answers the protocol machine (`interface.Door`) for one connection."""

    def __init__(self, policy: Policy, session: Session) -> None:
        self.session = session
        self._policy = policy
        self._count = 0
        self._open: _Open | None = None
        self._connection: Connection = session.connection
        self._settings: Settings = policy.current()
        self._known: Remembered = self._settings.remembered(self._connection)
        self._device = policy.relay.hold(session.client_ip)

    def hello(self, name: str, *, extended: bool) -> None:
        """See `Door`."""
        self.reset()
        self._become(replace(self.session, helo=name, extended=extended))

    def tls_started(self, tls: TlsSession) -> None:
        """TLS is up: what was said before does not count (RFC 3207 section 4.2)."""
        self._become(replace(self.session, tls=tls, helo=None, extended=False))

    def logged_in(self, user: str) -> None:
        """The client has shown who it is."""
        self._become(replace(self.session, authenticated_as=user))

    def _become(self, session: Session) -> None:
        self.session, self._connection = session, session.connection
        self._known = self._settings.remembered(self._connection)

    def sender(self, sender: EnvelopeSender, *, smtputf8: bool, eight_bit: bool) -> Reply:
        """See `Door`. Settings that came into force meanwhile count from here on."""
        settings = self._policy.current()
        if settings is not self._settings:
            self._settings = settings
            self._known = settings.remembered(self._connection)
        self._count += 1
        self._open = _Open(f"{self.session.id}-{self._count}", sender, smtputf8, eight_bit, [], [])
        return SENDER_OK

    def recipient(self, address: Address) -> Reply:
        """See `Door`."""
        assert self._open is not None
        decision = self._decide(self._open.sender, address)
        when = self._policy.now()
        relayed = self._may_relay(self._open.sender)
        said = RECIPIENT_OK if relayed else answer_to(self._policy, self._settings, decision, address)
        said = trailed(said, self._policy.hostname, when, self.session.id)
        recipient = Recipient(address, decision, said, when, relayed)
        if said.positive:
            self._open.taken.append(recipient)
        else:
            self._open.refused.append(recipient)
            self._write(self._open, recipient, Outcome.REFUSED)
        return said

    def postmaster(self) -> Address | None:
        """See `Door`."""
        domain = self._settings.default_domain
        return None if domain is None else Address("postmaster", domain)

    def reset(self) -> None:
        """See `Door`."""
        abandoned, self._open = self._open, None
        if abandoned is not None:
            for recipient in abandoned.taken:
                self._write(abandoned, recipient, Outcome.ABANDONED)

    def refused_content(self, reply: Reply, size: int) -> None:
        """See `Door`."""
        refused, self._open = self._open, None
        assert refused is not None
        for recipient in refused.taken:
            self._write(refused, recipient, Outcome.NOT_KEPT, size=size, final=reply)

    def message(self, content: bytes) -> Transaction | Reply:
        """The transaction for the keeper, or the refusal of its content. Say `kept` when the keeper has answered."""
        looked = look(content)
        if looked.refusal is not None:
            self.refused_content(looked.refusal, len(content))
            return looked.refusal
        done, self._open = self._open, None
        assert done is not None
        return Transaction(
            done.id, self.session, done.sender, tuple(done.taken), tuple(done.refused), content, self._policy.now(),
            looked.header_from, done.smtputf8, done.eight_bit,
        )  # fmt: skip

    def kept(self, transaction: Transaction, answer: Answer) -> None:
        """Write down what the keeper answered."""
        receipt = answer if isinstance(answer, Receipt) else Receipt(answer)
        reply = receipt.reply
        outcome = Outcome.KEPT if reply.positive else Outcome.NOT_KEPT
        for recipient in transaction.recipients:
            self._policy.log.write(
                DecisionRecord(
                    session=transaction.session,
                    transaction=transaction.id,
                    envelope_sender=transaction.envelope_sender,
                    recipient=recipient,
                    outcome=outcome,
                    audit_only=self._policy.audit_only,
                    settings_at=self._settings.since,
                    size=len(transaction.content),
                    header_from=transaction.header_from,
                    final=reply,
                    authentication=receipt.authentication,
                    handled=receipt.handled.get(recipient.address),
                )
            )

    def _decide(self, sender: EnvelopeSender, address: Address) -> Decision:
        recipients = self._settings.recipients
        exists = None if recipients is None else address.folded in recipients
        key = (sender.domain.ascii if isinstance(sender, Address) else None, address.domain.ascii, exists)
        decision = self._known.get(key)
        if decision is None:
            decision = self._settings.decide(self._connection, sender, address)
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            self._known[key] = decision
        return decision

    def _may_relay(self, sender: EnvelopeSender) -> bool:
        """A device in a network that the operator named, with an envelope sender of the tenant's.

        A foreign one would be refused behind us (connectors attribute by it) and make us a relay for whatever runs on
        the device; the null reverse-path belongs to no device.
        """
        return (
            self._device
            and self.session.listener is Listener.SMTP
            and isinstance(sender, Address)
            and self._settings.hosts(sender.domain)
        )

    def _write(
        self, of: _Open, recipient: Recipient, outcome: Outcome, *, size: int | None = None, final: Reply | None = None
    ) -> None:
        self._policy.log.write(
            DecisionRecord(
                session=self.session,
                transaction=of.id,
                envelope_sender=of.sender,
                recipient=recipient,
                outcome=outcome,
                audit_only=self._policy.audit_only,
                settings_at=self._settings.since,
                size=size,
                final=final,
            )
        )
