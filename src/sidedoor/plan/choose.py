"""One choice for each sender: a person's word first, then the first method that fits."""

from __future__ import annotations

from sidedoor.audit.model import Verdict
from sidedoor.mail.domain import Domain
from sidedoor.plan.deadlines import for_methods
from sidedoor.plan.facts import SenderFacts
from sidedoor.plan.methods import FITS, Door, alternatives
from sidedoor.plan.model import CONNECTOR_METHODS, Alternative, Because, Choice, Method

_MOST_ADDRESSES = 200
_MOST_SENDERS = 20
_RETURN_LABELS = ("bounce", "mail", "em", "send")


def choose(facts: SenderFacts, door: Door) -> Choice:
    """The method for one sender with its reasons, and the other methods."""
    others = alternatives(facts, door)
    method, reasons = _method(facts, others)
    sender, word = facts.sender, facts.word
    return Choice(
        sender=sender.id,
        name=sender.name,
        assessment=facts.assessment,
        method=method,
        reasons=reasons,
        alternatives=tuple(other for other in others if other.method is not method),
        overridden=word.method is not None or word.assessment is not None,
        messages=sender.messages,
        recipients=sender.recipients,
        addresses=tuple(str(address) for address in facts.addresses[:_MOST_ADDRESSES]),
        envelope_domains=facts.domains,
        mail_from=sender.mail_from[:_MOST_SENDERS],
        service=sender.service,
        deadlines=tuple(deadline.id for deadline in for_methods([method])),
        certificate=facts.certificate if _by_certificate(method, facts) else None,
        return_path=_return_path(facts, door) if method is Method.RETURN_PATH else None,
        relay=word.relay if method is Method.LOCAL_RELAY else None,
        owner=word.owner,
        warnings=_warnings(facts, door, method),
    )


def _by_certificate(method: Method, facts: SenderFacts) -> bool:
    if method is Method.PARTNER_CERTIFICATE:
        return True
    return method is Method.ONPREMISES_RELAY and facts.certificate is not None and facts.external


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
        text = "it forwards other people's mail and keeps their envelope senders; only it can rewrite them (SRS)"
        return Method.UNSAVABLE, (Because("forwarder-without-srs", text),)
    for other in others:
        if other.fits:
            return other.method, other.reasons
    return Method.UNDECIDED, (Because("no-method", "no way of submitting fits what is known of it"),)


def _return_path(facts: SenderFacts, door: Door) -> str | None:
    """A subdomain that is no accepted domain: the one that was said, else the first that is free."""
    if facts.word.return_path is not None:
        return facts.word.return_path
    for domain in facts.domains:
        for label in _RETURN_LABELS:
            name = f"{label}.{domain}"
            if not door.snapshot.accepts(Domain(name)):
                return name
    return None


def _warnings(facts: SenderFacts, door: Door, method: Method) -> tuple[Because, ...]:
    found: list[Because] = []
    if facts.word.method is not None and method in FITS:
        found += FITS[method](facts, door).against
    if method in CONNECTOR_METHODS and method is not Method.ONPREMISES_RELAY and len(facts.addresses) > 1:
        found.append(
            Because("several-addresses", f"it came from {len(facts.addresses)} addresses; ask whether more are to come")
        )
    if method is Method.PARTNER_CERTIFICATE and facts.shared:
        text = "other customers of the service may show the same certificate: with it they could write in your name"
        found.append(Because("certificate-of-a-service", text))
    if method is Method.RETURN_PATH and facts.word.return_path is not None:
        name = Domain(facts.word.return_path)
        if door.snapshot.accepts(name):
            found.append(Because("return-path-accepted", f"{name} is in an accepted domain: it would stay Direct Send"))
    return tuple(found)
