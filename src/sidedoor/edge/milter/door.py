"""The rule behind a milter session: the same settings, answers and log as the edge's own SMTP server.

Postfix tells the subject of a verified client certificate and no alternative names, so connectors match by subject CN.
It tells the header and not the body here (`SKIP_BODY`), so rules that look into bodies are undetermined and say so.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace

from sidedoor.edge.answer import answer_to, trailed
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
from sidedoor.edge.milter.rules import HeaderRules
from sidedoor.edge.milter.session import Asked
from sidedoor.edge.settings import Settings
from sidedoor.mail.address import NULL_REVERSE_PATH, Address, EnvelopeSender
from sidedoor.mail.fact import Unknown
from sidedoor.mail.network import parse_ip
from sidedoor.mail.reply import Reply
from sidedoor.policy.facts import Connection, Envelope, Tls

_NOBODY = parse_ip("::")


class MilterDoor:
    """Answers one milter connection, one message at a time. `rules` gives the transport rules in force, or None."""

    def __init__(self, policy: Policy, rules: Callable[[], HeaderRules | None]) -> None:
        self._policy, self._rules = policy, rules
        self._session: Session | None = None
        self._sender: EnvelopeSender = NULL_REVERSE_PATH
        self._settings: Settings = policy.current()
        self._taken: list[Recipient] = []

    def recipient(self, asked: Asked, envelope: Envelope) -> Reply | None:
        """See `session.Door`."""
        assert isinstance(envelope.recipient, Address)
        assert not isinstance(envelope.envelope_sender, Unknown)
        if self._session is None:
            # One message is decided by the settings it began with.
            self._session, self._settings = _session(asked), self._policy.current()
            self._sender = envelope.envelope_sender
        decision = self._settings.decide(asked.connection, self._sender, envelope.recipient)
        when = self._policy.now()
        said = answer_to(self._policy, self._settings, decision, envelope.recipient)
        said = trailed(said, self._policy.hostname, when, self._session.id)
        recipient = Recipient(envelope.recipient, decision, said, when)
        if said.positive:
            self._taken.append(recipient)
            return None
        self._write(recipient, Outcome.REFUSED, asked)
        return said

    def message(self, asked: Asked) -> Sequence[bytes]:
        """See `session.Door`."""
        taken, session = self._taken, self._session
        rules = self._rules()
        if rules is None or session is None:
            answers: Sequence[bytes] = (wire.ACCEPT,)
            handled = [Handled(Action.DELIVER) for _ in taken]
        else:
            answers, handled = rules.treat(session, self._sender, taken, asked, self._policy.now())
        refused = all(one.action is Action.REJECT for one in handled) and bool(handled)
        for recipient, one in zip(taken, handled, strict=True):
            outcome = Outcome.NOT_KEPT if refused else Outcome.KEPT
            self._write(recipient, outcome, asked, replace(one, id=asked.queue_id))
        self._session, self._taken = None, []
        return answers

    def abandoned(self) -> None:
        """See `session.Door`."""
        for recipient in self._taken:
            self._write(recipient, Outcome.ABANDONED, None)
        self._session, self._taken = None, []

    def _write(
        self, recipient: Recipient, outcome: Outcome, asked: Asked | None, handled: Handled | None = None
    ) -> None:
        session = self._session
        assert session is not None
        self._policy.log.write(
            DecisionRecord(
                session=session,
                transaction=f"{session.id}-1",
                envelope_sender=self._sender,
                recipient=recipient,
                outcome=outcome,
                audit_only=self._policy.audit_only,
                settings_at=self._settings.since,
                header_from=None if asked is None else asked.header_from,
                handled=handled,
            )
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
