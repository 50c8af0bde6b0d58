"""What a server's answer means for the question that was asked. Pure."""

from __future__ import annotations

import re
from enum import StrEnum

from sidedoor.mail.reply import Reply


class Outcome(StrEnum):
    """How one attempt ended."""

    ACCEPTED = "accepted"  # RCPT TO was taken (or DATA, where one message was sent)
    DIRECT_SEND_REFUSED = "direct-send-refused"  # 5.7.68: RejectDirectSend
    PARTNER_RESTRICTION = "partner-restriction"  # 5.7.51: a Partner connector's restriction
    RELAY_DENIED = "relay-denied"  # 5.7.64: no tenant for the recipient, or no connector
    UNKNOWN_RECIPIENT = "unknown-recipient"  # 5.4.1: directory-based edge blocking
    REPUTATION = "reputation"  # the address we ask from is blocked: says nothing of the door
    GREYLISTED = "greylisted"  # come again later
    WRONG_REGION = "wrong-region"  # 4.4.62: another region's front door
    TEMPORARY = "temporary"  # another 4xx
    OTHER_REFUSAL = "other-refusal"  # another 5xx
    TLS_NOT_OFFERED = "tls-not-offered"  # the server announces no STARTTLS
    TLS_FAILED = "tls-failed"  # the handshake broke
    PORT_BLOCKED = "port-blocked"  # no answer to a connection: port 25 is blocked, often by one's own network
    UNREACHABLE = "unreachable"  # refused, no route, no such name
    BROKEN = "broken"  # no SMTP, too much, too slow, or cut off


SHUT = frozenset({Outcome.DIRECT_SEND_REFUSED, Outcome.PARTNER_RESTRICTION})

# Exchange Online's list of NDR codes: filtering of the client's address, not attribution.
_REPUTATION = re.compile(
    r"5\.7\.(?:511|508|510|513|6(?:0[6-9]|[1-4]\d))\b|banned sending ip|customer block list|client host.{0,40}blocked"
    r"|spamhaus|blocklist|blacklist|\bPBL\b|\bS3150\b|\bS3140\b",
    re.IGNORECASE,
)
_GREY = re.compile(r"greylist|graylist|try again later|4\.7\.(?:0|1|5\d\d|6\d\d|7\d\d)\b|AS\d{3,4}\b", re.IGNORECASE)
_BY_CODE = {
    "5.7.68": Outcome.DIRECT_SEND_REFUSED,
    "5.7.51": Outcome.PARTNER_RESTRICTION,
    "5.7.64": Outcome.RELAY_DENIED,
    "5.4.1": Outcome.UNKNOWN_RECIPIENT,
    "4.4.62": Outcome.WRONG_REGION,
}


def outcome_of(reply: Reply) -> Outcome:
    """The outcome that a reply to MAIL, RCPT or DATA (or a refusal at the banner) stands for."""
    if reply.positive:
        return Outcome.ACCEPTED
    if reply.enhanced in _BY_CODE:
        return _BY_CODE[reply.enhanced]
    text = f"{reply.enhanced} {reply.text}"
    if _REPUTATION.search(text):
        return Outcome.REPUTATION
    if reply.code < 500:  # RFC 5321 section 4.2.1
        return Outcome.GREYLISTED if _GREY.search(text) else Outcome.TEMPORARY
    return Outcome.OTHER_REFUSAL
