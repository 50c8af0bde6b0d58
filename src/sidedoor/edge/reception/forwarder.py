"""Mail of the tenant's own that comes back: a forwarder outside kept its envelope sender (no SRS). Pure.

RejectDirectSend refuses it, for to the service it looks like Direct Send (domain and switch alike), and no connector of
the tenant's helps but one for the forwarder. A DKIM signature of the tenant's own domain tells it from a spoof.
"""

from __future__ import annotations

from sidedoor.edge.interface import Recipient
from sidedoor.mail.domain import DomainError, parse_domain
from sidedoor.mailauth.authenticate import MessageAuthentication
from sidedoor.mailauth.dkim.signature import Word
from sidedoor.mailauth.spf import SpfResult
from sidedoor.policy.decision import Submission

NOTE = "forwarded-without-srs"


def forwarded_without_srs(recipient: Recipient, found: MessageAuthentication | None) -> tuple[str, ...]:
    """The note, where the client is not the domain's by SPF and the signature is; nothing where that is not known."""
    if found is None or found.spf is None or recipient.decision.submission is not Submission.DIRECT_SEND:
        return ()
    if found.spf.result is SpfResult.PASS:
        return ()
    signed = any(each.word is Word.PASS and _covers(each.domain, found.spf_domain) for each in found.dkim)
    return (NOTE,) if signed else ()


def _covers(signer: str, domain: str) -> bool:
    """Whether the signer is the domain or stands above it."""
    try:
        above, below = parse_domain(signer), parse_domain(domain)
    except DomainError:
        return False
    return below.ascii == above.ascii or below.ascii.endswith(f".{above.ascii}")
