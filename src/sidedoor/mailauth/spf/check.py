"""check_host as RFC 7208 section 4 defines it, for one message, without compiling anything."""

from __future__ import annotations

from dataclasses import replace

from sidedoor.mail.network import IPAddress
from sidedoor.mailauth.resolver import Resolver
from sidedoor.mailauth.spf.addresses import address_of
from sidedoor.mailauth.spf.compiled import CHECK_SECONDS
from sidedoor.mailauth.spf.evidence import SpfEvidence, foreign_owner
from sidedoor.mailauth.spf.explain import explanation
from sidedoor.mailauth.spf.limited import Timed
from sidedoor.mailauth.spf.message import SpfMessage, domain_text
from sidedoor.mailauth.spf.message_walk import MessageWalk
from sidedoor.mailauth.spf.records import RecordSource
from sidedoor.mailauth.spf.terms import SpfResult


def check_host(
    ip: str | IPAddress,
    domain: str,
    sender: str,
    helo: str,
    resolver: Resolver,
    *,
    receiver: str = "unknown",
    at: int | None = None,
    seconds: float = CHECK_SECONDS,
) -> SpfEvidence:
    """The result for a client at `ip` that uses `domain`: every term is asked in turn, as the standard has it.

    `sender` is the envelope sender, "" for the null reverse-path; `helo` the name in EHLO. `receiver` and `at` (seconds
    since 1970; now) stand in explanations. Asks no more than the limits of section 4.6.4 allow, for `seconds`
    at most. Trouble is a result with its cause. Raises mail.network.NetworkError where `ip` is no address.
    """
    message = SpfMessage(sender, helo, receiver, at)
    name = domain_text(domain)
    identity = message.identity
    asking = Timed(resolver, seconds)
    source = RecordSource(asking)
    walk = MessageWalk(asking, source, identity[1] if identity and identity[1] else name, address_of(ip), message)
    evidence = walk.verdict(name)
    said = explanation(evidence, walk, asking, source) if evidence.result is SpfResult.FAIL else ""
    return replace(evidence, owner=foreign_owner(evidence.path), explanation=said)


def check_mail_from(ip: str | IPAddress, sender: str, helo: str, resolver: Resolver) -> SpfEvidence:
    """`check_host` for the "MAIL FROM" identity (section 2.4): a null sender is postmaster at the HELO name."""
    identity = SpfMessage(sender, helo).identity
    return check_host(ip, identity[1] if identity else "", sender, helo, resolver)


def check_helo(ip: str | IPAddress, helo: str, resolver: Resolver) -> SpfEvidence:
    """`check_host` for the "HELO" identity (section 2.3): a name that is no domain name has no record."""
    return check_host(ip, helo, "", helo, resolver)
