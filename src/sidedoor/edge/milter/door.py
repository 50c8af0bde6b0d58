"""The rule behind a milter session: the same settings, answers and log as the edge's own SMTP server.

Postfix tells the subject of a verified client certificate and no alternative names. A connector that the subject fits
is sure; where it fits none, the other names might, and that is neither a yes nor a refusal for good (see `_decide`).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from sidedoor.edge.answer import answer_to, trailed
from sidedoor.edge.content import Looked, look
from sidedoor.edge.door import Policy
from sidedoor.edge.interface import (
    Action,
    DecisionRecord,
    Handled,
    Listener,
    Outcome,
    Recipient,
    Session,
    ShownCertificate,
    TlsSession,
)
from sidedoor.edge.milter import wire
from sidedoor.edge.milter.rules import MessageRules, Treated, Whole
from sidedoor.edge.milter.session import Asked
from sidedoor.edge.settings import Settings
from sidedoor.mail.address import NULL_REVERSE_PATH, Address, EnvelopeSender
from sidedoor.mail.fact import Unknown
from sidedoor.mail.network import parse_ip
from sidedoor.mail.reply import Reply
from sidedoor.policy.decision import Decision, Verdict
from sidedoor.policy.facts import Connection, Envelope, Tls

_NOBODY = parse_ip("::")
_OTHER_NAMES = Unknown("Postfix tells no alternative names of a certificate")


class MilterDoor:
    """Answers one milter connection, one message at a time. `rules` gives the transport rules in force, or None."""

    def __init__(self, policy: Policy, rules: Callable[[], MessageRules | None]) -> None:
        self._policy, self._rules = policy, rules
        self._session: Session | None = None
        self._sender: EnvelopeSender = NULL_REVERSE_PATH
        self._settings: Settings = policy.current()
        self._taken: list[Recipient] = []

    def reads_bodies(self) -> bool:
        """See `session.Door`."""
        return self._rules() is not None

    def postmaster(self) -> Address | None:
        """See `session.Door`."""
        domain = self._policy.current().default_domain
        return None if domain is None else Address("postmaster", domain)

    def recipient(self, asked: Asked, envelope: Envelope) -> Reply | None:
        """See `session.Door`."""
        assert isinstance(envelope.recipient, Address)
        assert not isinstance(envelope.envelope_sender, Unknown)
        if self._session is None:
            # One message is decided by the settings it began with.
            self._session, self._settings = _session(asked), self._policy.current()
            self._sender = envelope.envelope_sender
        decision, unsure = self._decide(asked.connection, envelope.recipient)
        when = self._policy.now()
        choices = replace(self._policy, tempfail_undetermined=True) if unsure else self._policy
        said = answer_to(choices, self._settings, decision, envelope.recipient)
        said = trailed(said, self._policy.hostname, when, self._session.id)
        recipient = Recipient(envelope.recipient, decision, said, when)
        if said.positive:
            self._taken.append(recipient)
            return None
        self._policy.log.write(self._record(recipient, Outcome.REFUSED))
        return said

    def _decide(self, connection: Connection, recipient: Address) -> tuple[Decision, bool]:
        """The decision, and whether it is to be put off because the names of the client's certificate are not known.

        Put off whatever `--on-undetermined` says, which is about settings: a certificate is the client's own, and a
        stranger with any verified one would pass. `--audit-only` lets everything pass.
        """
        decision = self._settings.decide(connection, self._sender, recipient)
        tls = connection.tls
        if decision.verdict is not Verdict.REJECT or not isinstance(tls, Tls) or tls.client_certificate is None:
            return decision, False
        others = replace(connection, tls=replace(tls, client_certificate=_OTHER_NAMES))
        wider = self._settings.decide(others, self._sender, recipient)
        if "verdict-depends-on-unknown" not in wider.reasons:
            return decision, False
        return wider, not self._policy.audit_only

    def message(self, asked: Asked) -> Sequence[bytes] | Awaitable[Sequence[bytes]]:
        """See `session.Door`."""
        looked, rules, session = look(bytes(asked.header) + b"\r\n"), self._rules(), self._session
        if looked.refusal is not None and not self._policy.audit_only:
            handled = [Handled(Action.REJECT)] * len(self._taken)
            return self._done(asked, looked, Treated((wire.reply(looked.refusal),), handled, looked.refusal))
        if rules is None or session is None:
            return self._done(asked, looked, Treated.untouched(len(self._taken)))
        whole = Whole(session, self._sender, tuple(self._taken), asked, self._policy.now())
        return self._treated(rules, whole, looked)

    async def _treated(self, rules: MessageRules, whole: Whole, looked: Looked) -> Sequence[bytes]:
        try:
            # Patterns over hostile text may take their time; the other connections do not wait for it.
            treated = await asyncio.to_thread(rules.treat, whole)
        except BaseException:
            self.abandoned()
            raise
        return self._done(whole.asked, looked, treated.only_noted() if self._policy.audit_only else treated)

    def _done(self, asked: Asked, looked: Looked, treated: Treated) -> Sequence[bytes]:
        """Write down what becomes of the message, and forget it."""
        outcome = Outcome.KEPT if treated.refusal is None else Outcome.NOT_KEPT
        size = None if isinstance(asked.body, Unknown) else len(asked.header) + 2 + len(asked.body)
        for recipient, one in zip(self._taken, treated.handled, strict=True):
            record = self._record(recipient, outcome)
            handled = replace(one, id=asked.queue_id)
            record = replace(record, size=size, header_from=looked.header_from, final=treated.refusal, handled=handled)
            self._policy.log.write(record)
        self._session, self._taken = None, []
        return treated.answers

    def abandoned(self) -> None:
        """See `session.Door`."""
        for recipient in self._taken:
            self._policy.log.write(self._record(recipient, Outcome.ABANDONED))
        self._session, self._taken = None, []

    def _record(self, recipient: Recipient, outcome: Outcome) -> DecisionRecord:
        session = self._session
        assert session is not None
        return DecisionRecord(
            session=session,
            transaction=f"{session.id}-1",
            envelope_sender=self._sender,
            recipient=recipient,
            outcome=outcome,
            audit_only=self._policy.audit_only,
            settings_at=self._settings.since,
        )


def _session(asked: Asked) -> Session:
    connection: Connection = asked.connection
    ip = connection.client_ip
    return Session(
        id=secrets.token_hex(8),
        listener=Listener.MILTER,
        client_ip=_NOBODY if ip is None or isinstance(ip, Unknown) else ip,
        client_port=asked.client_port,
        helo=None if isinstance(connection.helo, Unknown) else connection.helo,
        extended=True,
        tls=_tls(asked),
        authenticated_as=None if isinstance(connection.authenticated_as, Unknown) else connection.authenticated_as,
    )


def _tls(asked: Asked) -> TlsSession | None:
    """For the log; what Postfix did not tell is left out."""
    tls = asked.connection.tls
    if not isinstance(tls, Tls):
        return None
    names = tls.client_certificate
    shown = None if names is None or isinstance(names, Unknown) else ShownCertificate(names, verified=True)
    return TlsSession(tls.version, asked.cipher, shown)
