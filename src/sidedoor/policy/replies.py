"""Exchange Online's SMTP replies, as data: exact texts, what they mean, and how sure we are of them.

Exchange appends `[host date id]` to most of them; `recognise` therefore goes by code and marker, never by whole text.
"""

from __future__ import annotations

from dataclasses import dataclass

from sidedoor.mail.reply import Reply
from sidedoor.policy.decision import Certainty


@dataclass(frozen=True, slots=True)
class ServiceReply:
    """One reply the service gives.

    `markers`: all must occur in a reply's text (case-insensitive) for it to be this one. `numbers`: the third parts of
    enhanced codes that share the text (`5.7.606` to `5.7.649`), None where there is only one code.
    """

    reply: Reply
    meaning: str
    certainty: Certainty
    source: str
    markers: tuple[str, ...] = ()
    numbers: range | None = None

    def is_said_by(self, reply: Reply) -> bool:
        """Whether `reply`, as a server sent it, is this one."""
        text = reply.text.lower()
        if not all(marker.lower() in text for marker in self.markers):
            return False
        if self.numbers is None:
            return reply.enhanced == self.reply.enhanced
        prefix, _, last = reply.enhanced.rpartition(".")
        return prefix == self.reply.enhanced.rpartition(".")[0] and last.isdecimal() and int(last) in self.numbers


_D, _R, _A = Certainty.DOCUMENTED, Certainty.REPORTED, Certainty.ASSUMED
_TEAM = "Exchange Team Blog 4408790, Introducing more control over Direct Send"
_HYBRID = "Microsoft support blog, TLS certificates in Exchange hybrid (2025)"
_NDR = "Microsoft Learn, Email non-delivery reports in Exchange Online"
_DBEB = "Microsoft Learn, Use Directory-Based Edge Blocking"
_PARTNER = (
    "TenantInboundAttribution; There is a partner connector configured that matched the message's recipient domain. "
    "The connector had either the RestrictDomainsToIPAddresses or RestrictDomainsToCertificate set"
)
_NO_MAIL_SUBSCRIPTION = (
    "Mail received as unauthenticated, incoming to a recipient domain configured in a hosted tenant which has no "
    "mail-enabled subscriptions. ATTR5"
)
_DIRECT_SEND = "TenantInboundAttribution; Direct Send not allowed for this organization from unauthorized sources"
_CUSTOMER_BLOCK = "Service unavailable, Client host blocked using Customer Block list"
_RCPT = "what Exchange answers to RCPT TO"
_STARTTLS = "STARTTLS is required to send mail"
_ANONYMOUS = "Client was not authenticated to send anonymous mail during MAIL FROM"
_SEND_AS = "SMTP; Client does not have permissions to send as this sender"

REPLIES: dict[str, ServiceReply] = {
    "accepted": ServiceReply(Reply(250, "2.1.5", "Recipient OK"), "the recipient is taken", _A, _RCPT),
    "direct-send": ServiceReply(
        # Variants are about ("is not allowed", the sentence cut short): only code and marker identify it.
        Reply(550, "5.7.68", _DIRECT_SEND), "RejectDirectSend refused it", _D, _TEAM, ("TenantInboundAttribution",)
    ),
    "partner-restriction": ServiceReply(
        # A short variant "TenantInboundAttribution; Rejecting" is reported too.
        Reply(550, "5.7.51", _PARTNER), "a Partner connector's restriction is violated", _D, _HYBRID,
        ("TenantInboundAttribution",),
    ),
    "relay-denied": ServiceReply(
        Reply(550, "5.7.64", "TenantAttribution; Relay Access Denied"),
        "the recipient is not hosted and no OnPremises connector attributes the client", _D, _NDR,
        ("TenantAttribution",),
    ),
    "wrong-region": ServiceReply(
        Reply(451, "4.4.62", "Mail sent to the wrong Office 365 region. ATTR35"),
        "the recipient lives in another region", _D, "Microsoft Learn, Configure Multi-Geo In-Region Routing",
    ),
    "no-subscription": ServiceReply(
        # Basic code 5xx beside enhanced 4.x is how the service writes it.
        Reply(550, "4.4.4", _NO_MAIL_SUBSCRIPTION), "the recipient's tenant has no mail subscription", _D, _NDR,
        ("ATTR5",),
    ),
    "attribution-busy": ServiceReply(
        Reply(451, "4.3.2", "Temporary server error. Please try again later ATTR55"), "attribution failed for now", _D,
        _NDR, ("ATTR55",),
    ),
    "attribution-lookup": ServiceReply(
        Reply(451, "4.4.3", "Temporary server error. Please try again later ATTR55.1"),
        "attribution failed for now", _D, _NDR, ("ATTR55",),
    ),
    "unknown-recipient": ServiceReply(
        Reply(550, "5.4.1", "Recipient address rejected: Access denied"),
        "directory-based edge blocking: no such recipient in an authoritative domain", _D, _DBEB, ("Access denied",),
    ),
    "starttls-required": ServiceReply(
        # Documented in the opposite direction only; the text for RequireTls inbound is our inference.
        Reply(451, "5.7.3", _STARTTLS), "a connector requires TLS", _A, _HYBRID, ("STARTTLS",)
    ),
    "blocked-address": ServiceReply(
        # Microsoft's list names 5.7.513 as the customer's block list; the sentence is shortened by its variable parts.
        Reply(550, "5.7.513", _CUSTOMER_BLOCK), "the tenant's IP block list holds the client", _R, _NDR,
        ("Customer Block",),
    ),
    "banned-address": ServiceReply(
        Reply(550, "5.7.606", "Access denied, banned sending IP"), "Microsoft itself blocks the client's address", _D,
        _NDR, ("Access denied",), range(606, 650),
    ),
    "banned-sender": ServiceReply(
        Reply(550, "5.7.511", "Access denied, banned sender"), "Microsoft blocks the sender", _D, _NDR,
        ("banned sender",),
    ),
    "dmarc": ServiceReply(
        Reply(550, "5.7.509", "Access denied, sending domain does not pass DMARC verification"),
        "the header From's domain asks for rejection and DMARC failed", _D, _NDR, ("DMARC",),
    ),
    "not-authenticated": ServiceReply(
        Reply(530, "5.7.57", _ANONYMOUS), "the client dialled smtp.office365.com without logging in", _D, _NDR
    ),
    "send-as-denied": ServiceReply(
        Reply(550, "5.7.60", _SEND_AS), "the logged-in user may not send as this address", _D, _NDR
    ),
    "login-failed": ServiceReply(
        Reply(535, "5.7.3", "Authentication unsuccessful"), "wrong password, or SMTP AUTH is off", _D, _NDR,
        ("Authentication",),
    ),
    "bad-outbound-sender": ServiceReply(
        Reply(550, "5.1.8", "Access denied, bad outbound sender"), "the mailbox is barred from sending", _D, _NDR
    ),
    "tenant-threshold": ServiceReply(
        Reply(550, "5.7.705", "Access denied, tenant has exceeded threshold"), "the tenant sends too much", _D, _NDR
    ),
    "traffic-not-accepted": ServiceReply(
        Reply(550, "5.7.708", "Access denied, traffic not accepted from this IP"), "the address has no standing", _D,
        _NDR,
    ),
    "unregistered-domain": ServiceReply(
        Reply(550, "5.7.750", "Service unavailable. Client blocked from sending from unregistered domain"),
        "the envelope sender's domain is not an accepted domain", _D, _NDR,
    ),
}  # fmt: skip
"""Reply id -> the service's reply."""


def recognise(reply: Reply) -> str | None:
    """The id of the service's reply that `reply` is, None where it is none of them."""
    return next((name for name, known in REPLIES.items() if known.is_said_by(reply)), None)
