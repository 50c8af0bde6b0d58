"""One choice for each sender: a person's word first, then the first method that fits."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from sidedoor.audit.hostname import service_suffix
from sidedoor.audit.model import Verdict
from sidedoor.catalogue.entry import Answer
from sidedoor.mail.domain import Domain, DomainError, parse_domain
from sidedoor.plan.deadlines import for_methods
from sidedoor.plan.facts import SenderFacts
from sidedoor.plan.methods import FITS, Door, alternatives, relays_by_certificate
from sidedoor.plan.model import CONNECTOR_METHODS, Alternative, Because, Choice, Method

_MOST_ADDRESSES = 200
_MOST_SENDERS = 20
_UNNEEDED = frozenset({Method.NOTHING, Method.REFUSE, Method.UNSAVABLE})
_NEW_PATH = frozenset({Method.RETURN_PATH, Method.COMMUNICATION_SERVICES})
# What a person's word, or an export, would settle.
_SETTLED_BY_A_WORD = frozenset({"certificate-name-unknown", "sharing-unknown", "address-changes", "no-address-known"})
_LABEL = re.compile(r"[^a-z0-9]+")


def choose_all(facts: Sequence[SenderFacts], door: Door) -> tuple[Choice, ...]:
    """A choice for each sender, in their order; no two services get the same return path."""
    taken = {place.domain.lower() for fact in facts for place in fact.places if place.domain}
    taken |= {name.lower() for fact in facts for name in fact.sender.envelope_domains}
    made = []
    for fact in facts:
        choice = choose(fact, door)
        if choice.method in _NEW_PATH:
            choice = replace(choice, return_path=_return_path(fact, door, taken))
            taken.add(choice.return_path or "")
        made.append(choice)
    return tuple(made)


def choose(facts: SenderFacts, door: Door) -> Choice:
    """The method for one sender with its reasons, and the other methods."""
    others = alternatives(facts, door)
    method, reasons = _method(facts, others)
    sender, word = facts.sender, facts.word
    wanted = () if method in _UNNEEDED else others
    return Choice(
        sender=sender.id,
        name=sender.name,
        assessment=facts.assessment,
        method=method,
        reasons=reasons,
        alternatives=tuple(other for other in wanted if other.method is not method),
        overridden=word.method is not None or word.assessment is not None,
        messages=sender.messages,
        recipients=sender.recipients,
        addresses=tuple(str(address) for address in facts.addresses[:_MOST_ADDRESSES]),
        envelope_domains=facts.domains,
        mail_from=sender.mail_from[:_MOST_SENDERS],
        service=sender.service,
        deadlines=tuple(deadline.id for deadline in for_methods([method])),
        certificate=facts.certificate if _by_certificate(method, facts, door) else None,
        relay=word.relay if method is Method.LOCAL_RELAY else None,
        owner=word.owner,
        warnings=tuple(_warnings(facts, door, method)),
    )


def _by_certificate(method: Method, facts: SenderFacts, door: Door) -> bool:
    if method is Method.PARTNER_CERTIFICATE:
        return True
    return method is Method.ONPREMISES_RELAY and relays_by_certificate(facts, door)


def _method(  # noqa: PLR0911  # one return for each state of a sender
    facts: SenderFacts, others: tuple[Alternative, ...]
) -> tuple[Method, tuple[Because, ...]]:
    word = facts.word.method
    if word is not None:
        return word, (Because("said-in-plan", f"plan.toml says {word.value}"),)
    if facts.assessment is Verdict.SPOOFING:
        return Method.REFUSE, (Because("spoofing", "nobody honest sends this: the closed door refuses it"),)
    if not facts.refusable:
        return Method.NOTHING, (Because("not-affected", "RejectDirectSend does not affect it"),)
    if facts.assessment is Verdict.UNCLEAR:
        text = "the evidence does not decide whose it is; say assessment = legitimate or spoofing in plan.toml"
        return Method.UNDECIDED, (Because("unclear", text),)
    if facts.forwarder:
        text = (
            "it forwards other people's mail and keeps their envelope senders; only it can rewrite them (SRS); say "
            "method = refuse in plan.toml where that mail may be lost"
        )
        return Method.UNSAVABLE, (Because("forwarder-without-srs", text),)
    for other in others:
        if other.fits:
            return other.method, other.reasons
    return Method.UNDECIDED, tuple(_no_method(facts, others))


def _no_method(facts: SenderFacts, others: Iterable[Alternative]) -> Iterator[Because]:
    """That nothing fits, and what a person could say or do about it."""
    hints = [because.text for other in others for because in other.reasons if because.id in _SETTLED_BY_A_WORD]
    advice = facts.entry.advice.rstrip(".") if facts.entry else ""
    found = list(dict.fromkeys([*hints, *([advice] if advice else [])]))[:3]
    text = "no way of submitting fits what is known of it"
    yield Because("no-method", f"{text}: {'; '.join(found)}" if found else text)


def _return_path(facts: SenderFacts, door: Door, taken: set[str]) -> str | None:
    """A subdomain that is no accepted domain and that nobody uses: the one that was said, else one with its name."""
    if facts.word.return_path is not None:
        return facts.word.return_path
    for domain in facts.domains:
        for label in _labels(facts):
            try:
                name = parse_domain(f"{label}.{domain}")
            except DomainError:
                continue
            if not door.snapshot.accepts(name) and name.ascii not in taken:
                return name.ascii
    return None


def _labels(facts: SenderFacts) -> Iterator[str]:
    """`bounce-sendgrid`, `bounce-sendgrid-2` ...: each service publishes records of its own under its name."""
    name = facts.sender.service or (facts.sender.helo[0] if facts.sender.helo else "")
    host = name.rpartition(":")[2].lower()  # `include:_spf.tickets.example`
    known = facts.entry.id if facts.entry else service_suffix(host).partition(".")[0]
    word = _LABEL.sub("-", known.lower()).strip("-")[:40].strip("-")
    label = f"bounce-{word}" if word else "bounce"
    yield label
    yield from (f"{label}-{number}" for number in range(2, 1000))


def _warnings(facts: SenderFacts, door: Door, method: Method) -> Iterator[Because]:
    if facts.word.method is not None and method in FITS:
        yield from FITS[method](facts, door).against
    if method in CONNECTOR_METHODS and method is not Method.ONPREMISES_RELAY and len(facts.addresses) > 1:
        text = f"it came from {len(facts.addresses)} addresses; ask whether more are to come"
        yield Because("several-addresses", text)
    if method is Method.PARTNER_CERTIFICATE and facts.shared != "":
        text = "other customers of the service may show the same certificate: with it they could write in your name"
        yield Because("certificate-of-a-service", text)
    if method is Method.RETURN_PATH and facts.own_return_path is Answer.UNKNOWN and facts.word.return_path is None:
        text = "nobody knows whether it lets you choose its return path: ask before you count on it"
        yield Because("return-path-unknown", text)
    if method is Method.RETURN_PATH and facts.word.return_path is not None:
        name = Domain(facts.word.return_path)
        if door.snapshot.accepts(name):
            yield Because("return-path-accepted", f"{name} is in an accepted domain: it would stay Direct Send")
    if method in _NEW_PATH and door.lockdown:
        text = "a lock-down stands in front: it has to deliver by the published MX, through the filter"
        yield Because("through-the-filter", text)
    if method is Method.COMMUNICATION_SERVICES:
        text = "with an accepted domain as envelope sender it is taken to be refused: verify a subdomain there"
        yield Because("own-domain-refused", text)
    if facts.entry is not None and facts.entry.advice and method not in _UNNEEDED:
        yield Because("catalogue-advice", f"{facts.entry.name}: {facts.entry.advice}")
