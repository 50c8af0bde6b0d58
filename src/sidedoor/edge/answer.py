"""What a client is told: the rule's reply, unless the door knows better. For the SMTP server and the milter."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from sidedoor.edge.settings import Settings
from sidedoor.edge.trace import stamp
from sidedoor.mail.address import Address
from sidedoor.mail.reply import Reply
from sidedoor.policy.decision import Decision, Submission, Verdict
from sidedoor.policy.replies import REPLIES

RECIPIENT_OK = REPLIES["accepted"].reply
_RELAY_DENIED = REPLIES["relay-denied"].reply
_BUSY = REPLIES["attribution-busy"].reply
_MAY_RELAY = frozenset({Submission.ONPREMISES_CONNECTOR, Submission.AUTHENTICATED})


class Choices(Protocol):
    """What the operator chose: refusals only written down, and 451 where a verdict hangs on an unknown fact."""

    @property
    def hostname(self) -> str: ...

    @property
    def audit_only(self) -> bool: ...

    @property
    def tempfail_undetermined(self) -> bool: ...


def answer_to(choices: Choices, settings: Settings, decision: Decision, address: Address) -> Reply:
    """The reply to RCPT TO; a refusal still without its trailer."""
    if not settings.hosts(address.domain) and not relays(decision):
        return _RELAY_DENIED
    if "verdict-depends-on-unknown" in decision.reasons and choices.tempfail_undetermined:
        return _BUSY
    if decision.verdict is Verdict.REJECT and not choices.audit_only:
        return decision.reply
    return decision.reply if decision.reply.positive else RECIPIENT_OK


def trailed(reply: Reply, hostname: str, when: datetime, session: str) -> Reply:
    """A refusal with `[host date id]`, as the service ends its own; anything else as it is."""
    if reply.positive:
        return reply
    return Reply(reply.code, reply.enhanced, f"{reply.text} [{hostname} {stamp(when)} {session.upper()}]")


def relays(decision: Decision) -> bool:
    """Whether a decision surely lets the client send to the world: a login or an OnPremises connector.

    A decision that some unknown fact may change does not, and neither does a connector whose export holds what Exchange
    could not have (an address list of /8, say): that would be an open relay by somebody's mistake.
    """
    if decision.verdict is Verdict.REJECT or decision.submission not in _MAY_RELAY:
        return False
    return "verdict-depends-on-unknown" not in decision.reasons and "connector-warnings" not in decision.reasons
