"""What a server's answer means for the question that was asked. Pure."""

from __future__ import annotations

import re
from enum import StrEnum

from sidedoor.mail.reply import Reply


class Stage(StrEnum):
    """How far a conversation came: what its outcome is the answer to. In order."""

    CONNECT = "connect"  # the TCP connection
    GREETING = "greeting"  # the server's first line: it knows our address and nothing else
    HELLO = "hello"  # EHLO, or HELO where that is not known
    STARTTLS = "starttls"  # the command and the handshake
    MAIL = "mail"  # MAIL FROM
    RCPT = "rcpt"  # RCPT TO: the last of an attempt that sends nothing
    DATA = "data"  # the DATA command
    CONTENT = "content"  # the message and its final dot


class Outcome(StrEnum):
    """How one attempt ended."""

    ACCEPTED = "accepted"  # RCPT TO was taken (or the message, where one was sent)
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
    TLS_FAILED = "tls-failed"  # STARTTLS was refused, or the handshake broke or hung
    PORT_BLOCKED = "port-blocked"  # no answer to a connection: port 25 is blocked, often by one's own network
    UNREACHABLE = "unreachable"  # refused, no route, no such name
    BROKEN = "broken"  # no SMTP, too much, too slow, or cut off
    NOT_ASKED = "not-asked"  # left out, because the server had not answered the questions before


SHUT = frozenset({Outcome.DIRECT_SEND_REFUSED, Outcome.PARTNER_RESTRICTION})
NOWHERE = frozenset({Outcome.PORT_BLOCKED, Outcome.UNREACHABLE})
"""No connection came about."""

# Exchange Online's list of NDR codes: filtering of the client's address, not attribution. 5.7.25 is RFC 7372's: no
# reverse name of the client's address.
_REPUTATION = re.compile(
    r"\b5\.7\.(?:25|511|508|510|513|708|6(?:0[6-9]|[1-4]\d))\b|banned sending ip|customer block list"
    r"|client host.{0,60}(?:blocked|rejected)|not accepted from this ip|reputation|spamhaus|dns[bw]l"
    r"|\b(?:block|black|deny)[ -]?list|\bPBL\b|\bS31[45]0\b",
    re.IGNORECASE,
)
_GREY = re.compile(r"gr[ae]y-?list|\b4\.7\.(?:[01]|[5-7]\d\d)\b|\(AS\d{3,}\)", re.IGNORECASE)
# Said of everything that passes; a sign of greylisting only where no code says that something else is the matter.
_LATER = re.compile(r"(?:try|come|retry).{0,20}\b(?:again|back|later)\b", re.IGNORECASE)
_SOMETHING_ELSE = re.compile(r"4\.(?![27]\.)\d+\.\d+")
_BY_CODE = {
    "5.7.68": Outcome.DIRECT_SEND_REFUSED,
    "5.7.51": Outcome.PARTNER_RESTRICTION,
    "5.7.64": Outcome.RELAY_DENIED,
    "5.4.1": Outcome.UNKNOWN_RECIPIENT,
    "4.4.62": Outcome.WRONG_REGION,
}
# The service's words, for answers whose enhanced code a server on the way has taken off or replaced.
_BY_WORDS = (
    (re.compile(r"TenantInboundAttribution\W+Direct Send", re.IGNORECASE), Outcome.DIRECT_SEND_REFUSED),
    (re.compile(r"TenantInboundAttribution\W+(?:Rejecting|There is a partner)", re.IGNORECASE),
     Outcome.PARTNER_RESTRICTION),
    (re.compile(r"TenantAttribution\W+Relay Access Denied", re.IGNORECASE), Outcome.RELAY_DENIED),
)  # fmt: skip
_OF_THE_ENVELOPE = frozenset({Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.CONTENT})


def outcome_of(reply: Reply, stage: Stage = Stage.RCPT) -> Outcome:
    """The outcome that a reply stands for; one before MAIL FROM cannot be about the envelope."""
    if reply.code < 400:  # 3yz wants more, which only DATA asks for (RFC 5321 section 4.2.1)
        return Outcome.ACCEPTED if reply.code < 300 else Outcome.BROKEN
    if stage in _OF_THE_ENVELOPE and (found := _of_the_envelope(reply)):
        return found
    text = f"{reply.enhanced} {reply.text}"
    if _REPUTATION.search(text):
        return Outcome.REPUTATION
    if reply.code >= 500:
        return Outcome.OTHER_REFUSAL
    return Outcome.GREYLISTED if _is_grey(reply, text, stage) else Outcome.TEMPORARY


def _of_the_envelope(reply: Reply) -> Outcome | None:
    if reply.enhanced in _BY_CODE:
        return _BY_CODE[reply.enhanced]
    if reply.code < 500:
        return None
    return next((outcome for words, outcome in _BY_WORDS if words.search(reply.text)), None)


def _is_grey(reply: Reply, text: str, stage: Stage) -> bool:
    if _GREY.search(text):
        return True
    later = stage in _OF_THE_ENVELOPE and _LATER.search(text) is not None
    return later and not _SOMETHING_ELSE.fullmatch(reply.enhanced)
