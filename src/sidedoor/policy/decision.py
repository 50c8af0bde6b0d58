"""What the rule answers: closed words, each explained on its line."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, IntEnum

from sidedoor.mail.reply import Reply


class Verdict(Enum):
    """What happens to the message."""

    ACCEPT = "accept"  # taken; filtering and transport rules come after
    REJECT = "reject"  # refused with the reply
    QUARANTINE = "quarantine"  # taken, then held by a transport rule


class Submission(Enum):
    """How a message got in. Direct Send and sending directly are different things."""

    DIRECT_SEND = "direct-send"  # anonymous, attributed to no connector, envelope sender in an accepted domain
    SENT_DIRECTLY = "sent-directly"  # anonymous, unattributed, foreign envelope sender, beside the published MX
    INTERNET = "internet"  # anonymous, unattributed, foreign envelope sender, by the published MX
    PARTNER_CONNECTOR = "partner-connector"  # attributed to a Partner connector by address or certificate
    ONPREMISES_CONNECTOR = "onpremises-connector"  # attributed to an OnPremises connector
    AUTHENTICATED = "authenticated"  # a user or application logged in; also mail from mailbox to mailbox
    OUTBOUND = "outbound"  # leaves the organisation
    UNDETERMINED = "undetermined"  # the facts at hand allow more than one of the above


class Step(IntEnum):
    """The step of the rule that ended the matter (design section 3); lower steps come first."""

    CONNECTION_FILTER = 1  # the client address is on the IP block list
    AUTHENTICATED = 2  # submission by a logged-in client
    ONPREMISES_CONNECTOR = 3  # the organisation's own servers
    RECIPIENT_TENANT = 4  # the recipient is not hosted here
    PARTNER_CONNECTOR = 5  # restrictions and attribution of Partner connectors
    REJECT_DIRECT_SEND = 6  # RejectDirectSend
    RECIPIENT_EXISTS = 7  # directory-based edge blocking
    ACCEPTED = 8  # nothing objected


class Certainty(IntEnum):
    """How well founded the decision is: the weakest fact it rests on. Higher is weaker."""

    DOCUMENTED = 0  # Microsoft's own text
    REPORTED = 1  # third parties, or Microsoft seen through them
    ASSUMED = 2  # our inference, held by a named switch

    @property
    def word(self) -> str:
        """The word of the public contract: documented, reported, assumed."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Decision:
    """The rule's answer for one recipient.

    `connector` is the attributed (or, for a refusal, the violated) connector's name. `reasons` are ids from
    `policy/reasons.py`. `would_reject` is whether RejectDirectSend, switched on, would refuse the message given the
    tenant's connectors: True, False, or None where unknown facts allow both. `missing` names the facts whose
    absence left `submission` undetermined or `would_reject` None; `reject-direct-send` is among them where the verdict
    rests on that setting and it is unknown.
    """

    verdict: Verdict
    reply: Reply
    submission: Submission
    step: Step
    certainty: Certainty
    connector: str | None = None
    reasons: tuple[str, ...] = ()
    would_reject: bool | None = None
    missing: tuple[str, ...] = field(default=())
