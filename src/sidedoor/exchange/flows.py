"""Which messages' details are worth one of the few requests there are: those of undetermined flows, the heaviest first.

A flow here is what a list can tell apart: client address, listed sender, recipient's domain. The same rule as the
audit's decides each once, as far as a list's facts go; where it cannot, one message's details tell most about the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from sidedoor.mail.address import NULL_REVERSE_PATH, Address
from sidedoor.mail.domain import Domain, DomainError, parse_domain
from sidedoor.mail.fact import Fact, Unknown
from sidedoor.mail.network import IPAddress, NetworkError, parse_ip
from sidedoor.policy.decision import Submission
from sidedoor.policy.facts import Connection, Envelope, MessageFacts
from sidedoor.policy.rule import Rule
from sidedoor.tenant.snapshot import TenantSnapshot

_MOST_SAMPLES = 12
_ADDRESSES = 50_000
_LISTED = Unknown("a message trace lists one sender and not which of the two it is")


class Trace(NamedTuple):
    """One row of a message trace list. `time`: as the service wrote it."""

    key: str
    time: str
    sender: str
    recipient: str
    address: str


class Target(NamedTuple):
    """A message whose details are wanted, for one of its recipients; `weight` rows are of its flow."""

    key: str
    recipient: str
    time: str
    weight: int


@dataclass(slots=True)
class _Flow:
    """How many rows, and of some of them enough to ask: the first, second, fourth, eighth ... message."""

    rows: int = 0
    messages: int = 0
    last: str = ""
    samples: list[tuple[str, str, str]] = field(default_factory=list)

    def add(self, trace: Trace) -> None:
        self.rows += 1
        if trace.key == self.last:
            return
        self.last, self.messages = trace.key, self.messages + 1
        if self.messages.bit_count() == 1 and len(self.samples) < _MOST_SAMPLES:
            self.samples.append((trace.key, trace.recipient, trace.time))


@dataclass(frozen=True, slots=True)
class Choice:
    """Targets in the order to ask, and how many flows and rows of them are undetermined."""

    targets: list[Target]
    flows: int
    rows: int


def choose(traces: Iterable[Trace], snapshot: TenantSnapshot, known: AbstractSet[str], most: int) -> Choice:
    """At most `most` targets. `known`: keys (lower case) of messages that a better source has told already."""
    asks = _Question(snapshot)
    flows: dict[tuple[str, str, str], _Flow] = {}
    for trace in traces:
        if trace.key.lower() in known:
            continue
        key = (trace.address, trace.sender.lower(), trace.recipient.lower().rpartition("@")[2])
        if asks.undetermined(*key):
            flows.setdefault(key, _Flow()).add(trace)
    ordered = sorted(flows.items(), key=lambda item: (-item[1].rows, item[0]))
    heaviest = [flow for _, flow in ordered]
    return Choice(list(_in_rounds(heaviest, most)), len(heaviest), sum(flow.rows for flow in heaviest))


def _in_rounds(flows: list[_Flow], most: int) -> Iterator[Target]:
    """One message of each flow, the heaviest first, then a second of each, and so on; no message twice."""
    asked: set[str] = set()
    for place in range(_MOST_SAMPLES):
        for flow in flows:
            if len(asked) >= most:
                return
            if place < len(flow.samples) and flow.samples[place][0] not in asked:
                asked.add(flow.samples[place][0])
                yield Target(*flow.samples[place], flow.rows)


class _Question:
    """Whether the rule can decide what a list tells, each distinct case once."""

    def __init__(self, snapshot: TenantSnapshot) -> None:
        self._snapshot, self._rule = snapshot, Rule(snapshot)
        self._by_domain = lru_cache(maxsize=_ADDRESSES)(self._decide)

    def undetermined(self, address: str, sender: str, recipient_domain: str) -> bool:
        """A foreign listed sender is taken at its word, as the audit does (decision 0004); so is a mailbox's mail."""
        if not address.strip():
            return False
        return self._by_domain(address, sender.rpartition("@")[2], recipient_domain)

    def _decide(self, address: str, sender_domain: str, recipient_domain: str) -> bool:
        domain, recipient = _domain(sender_domain), _domain(recipient_domain)
        if recipient is None or not self._may_be_own(domain):
            return False
        decision = self._rule.decide(
            Connection(client_ip=_address(address)),
            Envelope(NULL_REVERSE_PATH if domain is None else _LISTED, Address("recipient", recipient)),
            MessageFacts(accepted=True),
        )
        return decision.submission is Submission.UNDETERMINED or decision.would_reject is None

    def _may_be_own(self, sender: Domain | None) -> bool:
        if sender is None:
            return False
        found = self._snapshot.accepted_domain_of(sender)
        return isinstance(found, Unknown) or found is not None


def _domain(text: str) -> Domain | None:
    try:
        return parse_domain(text)
    except DomainError:
        return None


def _address(text: str) -> Fact[IPAddress | None]:
    try:
        return parse_ip(text)
    except NetworkError:
        return Unknown("the trace's address cannot be read")
