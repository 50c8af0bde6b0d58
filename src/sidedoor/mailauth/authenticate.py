"""SPF, DKIM, ARC and DMARC of one message in one call, and their results as a header field prints them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sidedoor.mail.domain import Domain, DomainError, parse_domain
from sidedoor.mail.network import IPAddress, NetworkError
from sidedoor.mailauth.alignment import Discovery, DmarcEvaluation, Identifier, evaluate_dmarc
from sidedoor.mailauth.authres import AuthResults, MethodResult, Property
from sidedoor.mailauth.dkim import ArcResult, DkimResult, verify_arc, verify_dkim
from sidedoor.mailauth.dkim.message import MessageError, parse_message
from sidedoor.mailauth.dkim.signature import Word
from sidedoor.mailauth.resolver import Resolver
from sidedoor.mailauth.spf import SpfEvidence, SpfResult, check_mail_from


@dataclass(frozen=True, slots=True)
class MessageAuthentication:
    """What was found. `spf` is None where the client or its greeting is not known. `spf_domain`: whom SPF spoke of."""

    spf: SpfEvidence | None
    spf_domain: str
    dkim: tuple[DkimResult, ...]
    arc: ArcResult
    dmarc: DmarcEvaluation


@dataclass(frozen=True, slots=True)
class Client:
    """Who handed the message over: its address, its greeting, and the envelope sender ("" for the null one)."""

    ip: str | IPAddress
    helo: str
    envelope_sender: str


def authenticate(  # noqa: PLR0917  # what is checked, by whom and when
    message: bytes,
    header_from: Sequence[Domain],
    client: Client | None,
    resolver: Resolver,
    now: datetime,
    discovery: Discovery = Discovery.TREE_WALK,
) -> MessageAuthentication:
    """Check everything. Raises nothing: what cannot be checked says why. `client` None: nobody knows who sent it."""
    try:
        parsed = parse_message(message)
        dkim, arc = verify_dkim(parsed, resolver, now), verify_arc(parsed, resolver)
    except MessageError:
        dkim, arc = verify_dkim(message, resolver, now), verify_arc(message, resolver)
    spf, spf_domain = _spf(client, resolver)
    sender = _domain(spf_domain)
    dmarc = evaluate_dmarc(
        header_from,
        Identifier(sender, spf.result is SpfResult.PASS) if spf is not None and sender is not None else None,
        [Identifier(domain, each.word is Word.PASS) for each in dkim if (domain := _domain(each.domain))],
        resolver,
        discovery,
    )
    return MessageAuthentication(spf, spf_domain, dkim, arc, dmarc)


def _spf(client: Client | None, resolver: Resolver) -> tuple[SpfEvidence | None, str]:
    if client is None:
        return None, ""
    domain = client.envelope_sender.rpartition("@")[2] or client.helo
    try:
        return check_mail_from(client.ip, client.envelope_sender, client.helo, resolver), domain
    except NetworkError:
        return None, domain


def _domain(text: str) -> Domain | None:
    try:
        return parse_domain(text)
    except DomainError:
        return None


def results_field(found: MessageAuthentication, authserv_id: str, header_from: str) -> str:
    """The value of an Authentication-Results field (RFC 8601), as `authserv_id` would stamp it."""
    spf = found.spf.result.value if found.spf else "none"
    results = [MethodResult("spf", spf, properties=_property("smtp", "mailfrom", found.spf_domain))]
    results += [_signature(each) for each in found.dkim] or [MethodResult("dkim", "none")]
    results.append(MethodResult("arc", found.arc.chain.value))
    results.append(MethodResult("dmarc", found.dmarc.word.value, properties=_property("header", "from", header_from)))
    return str(AuthResults(tuple(results), authserv_id))


def _signature(found: DkimResult) -> MethodResult:
    properties = (*_property("header", "d", found.domain), *_property("header", "s", found.selector))
    return MethodResult("dkim", found.word.value, reason=found.reason or None, properties=properties)


def _property(ptype: str, name: str, value: str) -> tuple[Property, ...]:
    return (Property(ptype, name, value),) if value else ()
