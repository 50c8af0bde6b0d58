"""From a decision key back to the facts that the rule is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sidedoor.audit.classes import FIRST_OWN_CLASS
from sidedoor.mail.address import NULL_REVERSE_PATH, Address, EnvelopeSender
from sidedoor.mail.domain import Domain
from sidedoor.mail.fact import Fact, Unknown
from sidedoor.mail.network import IPAddress
from sidedoor.policy.decision import Certainty, Decision, Submission
from sidedoor.policy.facts import Connection, Direction, Entry, Envelope, MessageFacts, Tls
from sidedoor.policy.rule import Rule

UNKNOWN, ABSENT = -1, -2

_NO_SENDER = Unknown("the exports show no envelope sender for it")
_NO_ADDRESS = Unknown("the exports show no client address for it")
_NO_RECIPIENT = Unknown("the exports show no recipient for it")
_NO_TLS = Unknown("the exports do not say whether TLS was used")
_NO_CERTIFICATE = Unknown("no export shows the client's certificate")
_NO_LOGIN = Unknown("no export says whether the client had logged in")
_NO_CONNECTOR = Unknown("the exports have no connector column for it")
_NO_ENTRY = Unknown("neither the message itself nor a server's log was given")
_NO_DIRECTION = Unknown("the exports have no direction column for it")


@dataclass(frozen=True, slots=True)
class DecisionKey:
    """Everything the rule may look at, as classes (see `audit.engine.columns`)."""

    env: int
    assumed: bool
    ip: int
    rcpt: int
    tls: int
    connector: str | None
    direction: str | None
    own: bool
    entry: str | None = None


@dataclass(frozen=True, slots=True)
class Representatives:
    """Class -> a domain, or an address, of that class."""

    domains: Mapping[int, Domain]
    addresses: Mapping[int, IPAddress]


def decide_key(rule: Rule, key: DecisionKey, of: Representatives) -> Decision:
    """The rule's decision for every event with this key."""
    decision = rule.decide(*facts_of(key, of))
    assumed = key.assumed or (key.env == UNKNOWN and key.ip == ABSENT)
    return replace(decision, certainty=Certainty.ASSUMED) if assumed else decision


def facts_of(key: DecisionKey, of: Representatives) -> tuple[Connection, Envelope, MessageFacts]:
    """The facts that a key stands for, of a message that the service took."""
    recipient: Fact[Address] = _NO_RECIPIENT if key.rcpt == UNKNOWN else Address("recipient", of.domains[key.rcpt])
    return (
        Connection(client_ip=_client_ip(key.ip, of), tls=_tls(key.tls), authenticated_as=_NO_LOGIN),
        Envelope(_envelope_sender(key, of.domains), recipient),
        MessageFacts(
            connector=_NO_CONNECTOR if key.connector is None else (key.connector or None),
            direction=_NO_DIRECTION if key.direction is None else Direction(key.direction),
            accepted=True,
            entry=_NO_ENTRY if key.entry is None else Entry(key.entry),
        ),
    )


def _envelope_sender(key: DecisionKey, representatives: Mapping[int, Domain]) -> Fact[EnvelopeSender]:
    if key.env == ABSENT:
        return NULL_REVERSE_PATH
    if key.env != UNKNOWN:
        return Address("sender", representatives[key.env])
    if key.ip == ABSENT and key.own:
        # Nobody connected and the author is ours: it began in a mailbox here, and so did its envelope sender.
        return Address("sender", representatives[FIRST_OWN_CLASS])
    return _NO_SENDER


def _client_ip(ip: int, of: Representatives) -> Fact[IPAddress | None]:
    if ip == UNKNOWN:
        return _NO_ADDRESS
    return None if ip == ABSENT else of.addresses[ip]


def _tls(state: int) -> Fact[Tls | None]:
    if state == UNKNOWN:
        return _NO_TLS
    return None if state == 0 else Tls("", _NO_CERTIFICATE)


def wants_sender(decision: Decision, *, own: bool) -> bool:
    """Whether messages decided so belong to a sender of the report (design section 4).

    Every sender of direct-send and sent-directly, of internet mail in the organisation's name, and of mail that may
    turn out to be Direct Send.
    """
    match decision.submission:
        case Submission.DIRECT_SEND | Submission.SENT_DIRECTLY:
            return True
        case Submission.INTERNET:
            return own
        case Submission.UNDETERMINED:
            return own or decision.would_reject is not False
        case _:
            return False
