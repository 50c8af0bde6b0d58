"""A message's authentication checked again: what SPF, DKIM, ARC and DMARC say today, beside what was stamped then."""

from __future__ import annotations

from datetime import datetime

from sidedoor.evidence.message import MessageEvidence
from sidedoor.mail.address import Address
from sidedoor.mail.domain import Domain
from sidedoor.mail.fact import Unknown
from sidedoor.mailauth.authenticate import Client, MessageAuthentication, authenticate
from sidedoor.mailauth.resolver import Resolver


def verify_again(message: MessageEvidence, data: bytes, resolver: Resolver, now: datetime) -> MessageAuthentication:
    """Check `data`, the message as it lies there; records and keys may have changed since it was sent."""
    return authenticate(data, _authors(message), _client(message), resolver, now)


def _authors(message: MessageEvidence) -> list[Domain]:
    mailboxes = message.header_from.value
    return [] if isinstance(mailboxes, Unknown) else [box.domain for box in mailboxes if box.domain]


def _client(message: MessageEvidence) -> Client | None:
    """Who connected, as the service saw it; None where that is not known, for then SPF has nothing to look at."""
    ip, sender, helo = message.client_ip.value, message.envelope_sender.value, message.helo.value
    if isinstance(ip, Unknown) or ip is None or isinstance(sender, Unknown):
        return None
    said = "" if isinstance(helo, Unknown) or helo is None else helo
    return Client(ip, said, str(sender) if isinstance(sender, Address) else "")
