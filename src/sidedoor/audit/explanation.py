"""One raw message explained: was it Direct Send, how sure is that, what would RejectDirectSend have done with it. Pure.

The rule decides, from the facts that the service's own fields tell. What they leave open stays open, unless the only
open question is whether a connector attributed the message: then the answer without one is given as likely.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TypeVar

from sidedoor.catalogue.catalogue import Catalogue
from sidedoor.catalogue.match import Match, Traits
from sidedoor.evidence import values
from sidedoor.evidence.message import MessageEvidence, Told
from sidedoor.mail.address import Address, EnvelopeSender
from sidedoor.mail.domain import Domain
from sidedoor.mail.fact import Fact, Unknown
from sidedoor.mailauth.authres import MethodResult
from sidedoor.policy.decision import Decision, Submission
from sidedoor.policy.facts import NOT_RECORDED, Connection, Direction, Entry, Envelope, MessageFacts, Tls
from sidedoor.policy.rule import compile_rule
from sidedoor.policy.switches import DEFAULT_SWITCHES, Switches
from sidedoor.tenant.snapshot import AcceptedDomain, MailExchanger, TenantSnapshot

T = TypeVar("T")
_NO_TENANT = Unknown("no tenant export was given")
NO_TENANT = TenantSnapshot(_NO_TENANT, _NO_TENANT, _NO_TENANT, _NO_TENANT, _NO_TENANT)
"""A tenant of which nothing is known."""


class Answer(Enum):
    """Whether the message was Direct Send."""

    DIRECT_SEND = "direct-send"  # anonymous, by no connector, with an envelope sender in an accepted domain
    OTHER = "other"  # it came in another way; `submission` says which
    CANNOT_TELL = "cannot-tell"  # the header does not say enough


class Sure(Enum):
    """How sure the answer is."""

    CERTAIN = "certain"  # Exchange Online's own label, or a definition that known facts fulfil
    LIKELY = "likely"  # from fields whose meaning others have reported; the label is missing
    CLAIMED = "claimed"  # only if the header is genuine: no line of it is vouched for
    OPEN = "open"  # there is no answer


@dataclass(frozen=True, slots=True)
class Explanation:
    """One message with its answer. `decision` is the rule's; `without_connector` says that it rests on there being
    none. `results`: SPF, DKIM, DMARC and composite authentication as the service wrote them. `matches`: who it may be
    by the catalogue. `inferred`: accepted domains that the header itself shows to be such.
    """

    message: MessageEvidence
    answer: Answer
    sure: Sure
    decision: Decision
    without_connector: bool
    results: tuple[MethodResult, ...]
    matches: tuple[Match, ...]
    inferred: tuple[Domain, ...]

    @property
    def submission(self) -> Submission:
        """How it came in."""
        return self.decision.submission


def explain(
    message: MessageEvidence,
    snapshot: TenantSnapshot,
    catalogue: Catalogue,
    switches: Switches = DEFAULT_SWITCHES,
) -> Explanation:
    """Explain one message by the tenant's settings, or by what the header shows of them."""
    facts = _Facts(message, trusting=isinstance(message.boundary, Unknown))
    inferred = _inferred(facts)
    snapshot = _with_exchangers(_with_inferred(snapshot, facts, inferred), facts)
    decision = _decide(facts, snapshot, switches)
    assumed = False
    if decision.submission is Submission.UNDETERMINED and isinstance(snapshot.inbound_connectors, Unknown):
        other = _decide(facts, replace(snapshot, inbound_connectors=()), switches)
        if other.submission is Submission.DIRECT_SEND:
            decision, assumed = other, True
    answer = _answer(decision)
    return Explanation(
        message, answer, _sure(answer, decision, facts, assumed=assumed), decision, assumed, facts.results,
        catalogue.match(_traits(facts)), inferred,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Facts:
    """A message's facts. `trusting`: no line is vouched for, so the header is taken at its word and said to be."""

    message: MessageEvidence
    trusting: bool

    def known(self, told: Told[T]) -> Fact[T]:
        """The value where it may be used."""
        if told.believed or self.trusting or isinstance(told.value, Unknown):
            return told.value
        return Unknown("only the sender's word for it")

    def text(self, told: Told[str]) -> str:
        """The same for a text, "" for none."""
        value = self.known(told)
        return "" if isinstance(value, Unknown) or value is None else value

    @property
    def results(self) -> tuple[MethodResult, ...]:
        """Authentication results that may be used."""
        found = self.known(self.message.authentication)
        return () if isinstance(found, Unknown) else found.results

    @property
    def compauth_reason(self) -> str:
        """The three digits, "" where there are none."""
        return next((result.reason or "" for result in self.results if result.method == "compauth"), "")

    @property
    def header_domain(self) -> Domain | None:
        """The domain of the first header From."""
        mailboxes = self.message.header_from.value
        if isinstance(mailboxes, Unknown):
            return None
        return next((mailbox.domain for mailbox in mailboxes if mailbox.domain), None)

    @property
    def envelope_domain(self) -> Domain | None:
        """The envelope sender's domain."""
        domain = self.known(self.message.envelope_domain)
        return None if isinstance(domain, Unknown) else domain

    @property
    def envelope_sender(self) -> Fact[EnvelopeSender]:
        """The envelope sender; where only its domain is told, somebody in that domain."""
        sender = self.known(self.message.envelope_sender)
        if not isinstance(sender, Unknown):
            return sender
        return Address("somebody", self.envelope_domain) if self.envelope_domain else sender

    @property
    def connection(self) -> Connection:
        """What the service saw of the client."""
        tls = self.known(self.message.tls)
        session: Fact[Tls | None] = tls if isinstance(tls, Unknown) or tls is None else Tls(tls)
        return Connection(self.known(self.message.client_ip), self.known(self.message.helo), session)

    @property
    def entry(self) -> Fact[Entry]:
        """How it came in by the service's fields."""
        entry = self.known(self.message.entry)
        return NOT_RECORDED if isinstance(entry, Unknown) or entry is None else Entry(entry)

    @property
    def direction(self) -> Fact[Direction]:
        """MessageDirectionality."""
        word = values.direction(self.text(self.message.directionality))
        return Direction(word) if word else NOT_RECORDED


def _decide(facts: _Facts, snapshot: TenantSnapshot, switches: Switches) -> Decision:
    told = MessageFacts(facts.header_domain, direction=facts.direction, accepted=True, entry=facts.entry)
    return compile_rule(snapshot, switches).decide(facts.connection, Envelope(facts.envelope_sender), told)


def _inferred(facts: _Facts) -> tuple[Domain, ...]:
    """Accepted domains that the header shows.

    compauth reasons 010 and 6xx say that header From is in an accepted domain (Microsoft, "Anti-spam message headers");
    the label for Direct Send says it of the envelope sender.
    """
    found: list[Domain] = []
    if facts.header_domain and (facts.compauth_reason == "010" or facts.compauth_reason.startswith("6")):
        found.append(facts.header_domain)
    if facts.entry is Entry.DIRECT_SEND and facts.envelope_domain:
        found.append(facts.envelope_domain)
    return tuple(dict.fromkeys(found))


def _with_inferred(snapshot: TenantSnapshot, facts: _Facts, inferred: tuple[Domain, ...]) -> TenantSnapshot:
    """What the header shows stands in for a missing export only where it settles the envelope sender's domain.

    A domain that the header does not show to be accepted may be so all the same.
    """
    if not isinstance(snapshot.accepted_domains, Unknown) or facts.envelope_domain not in inferred:
        return snapshot
    kind = Unknown("inferred from the header")
    return replace(snapshot, accepted_domains=tuple(AcceptedDomain(domain, kind, False) for domain in inferred))


def _with_exchangers(snapshot: TenantSnapshot, facts: _Facts) -> TenantSnapshot:
    """MxPointsToUs is the service's own word on the MX at the time; it goes before what DNS says today."""
    here = facts.known(facts.message.mx_points_to_us)
    if isinstance(here, Unknown) or isinstance(snapshot.accepted_domains, Unknown):
        return snapshot
    exchanger = MailExchanger.EXCHANGE_ONLINE if here else MailExchanger.ELSEWHERE
    return replace(snapshot, mail_exchangers={row.domain: exchanger for row in snapshot.accepted_domains})


def _answer(decision: Decision) -> Answer:
    match decision.submission:
        case Submission.DIRECT_SEND:
            return Answer.DIRECT_SEND
        case Submission.UNDETERMINED if decision.would_reject is False:
            return Answer.OTHER
        case Submission.UNDETERMINED:
            return Answer.CANNOT_TELL
        case _:
            return Answer.OTHER


def _sure(answer: Answer, decision: Decision, facts: _Facts, *, assumed: bool) -> Sure:
    if answer is Answer.CANNOT_TELL:
        return Sure.OPEN
    if facts.trusting:
        return Sure.CLAIMED
    if facts.entry is Entry.DIRECT_SEND and answer is Answer.DIRECT_SEND:
        return Sure.CERTAIN
    foreign = "foreign-envelope-sender" in decision.reasons
    return Sure.CERTAIN if foreign and not assumed else Sure.LIKELY


def _traits(facts: _Facts) -> Traits:
    """Proof is what the service vouches for and has verified."""
    message = facts.message
    passed = [result for result in facts.results if result.word == "pass"] if not facts.trusting else []
    signers = [result.value("header", "d") or "" for result in passed if result.method == "dkim"]
    spf = any(result.method == "spf" for result in passed)
    bounce = (facts.envelope_domain.ascii,) if facts.envelope_domain else ()
    own = facts.envelope_domain == facts.header_domain
    message_id = facts.message.message_id.value
    return Traits(
        dkim_domains=tuple(filter(None, signers)),
        bounce_passed=bounce if spf and not own else (),
        bounce_domains=bounce if not spf and not own else (),
        dkim_claims=tuple(signature.domain for signature in message.signatures),
        mailers=() if isinstance(message.mailer.value, Unknown) else (message.mailer.value,),
        message_id_hosts=() if isinstance(message_id, Unknown) else (message_id.rpartition("@")[2].strip("> "),),
        helo_names=tuple(filter(None, [facts.text(_some(message.helo))])),
        ptr_names=tuple(filter(None, [facts.text(_some(message.ptr))])),
    )


def _some(told: Told[str | None]) -> Told[str]:
    """The same with "" for a known absence."""
    value: Fact[str] = "" if told.value is None else told.value
    return Told(value, told.sureness, told.source, told.line)
