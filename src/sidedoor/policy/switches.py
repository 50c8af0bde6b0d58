"""Open questions about Exchange Online that the rule must answer one way or the other, as named switches.

Each default is the reading we hold to be right or, where nothing speaks for either, the more cautious one; a decision
that rests on a switch says so by its certainty and a reason id. `SWITCHES` is the table for documents and `--help`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from sidedoor.policy.decision import Certainty


class SwitchError(ValueError):
    """No such switch, or no such value; the message lists what there is."""


class RejectDirectSendOrder(Enum):
    """Where RejectDirectSend is looked at among the other refusals."""

    AFTER_PARTNER = "after-partner"  # restrictions of Partner connectors speak first (5.7.51), then 5.7.68, then 5.4.1
    BEFORE_PARTNER = "before-partner"  # 5.7.68 comes before restrictions of Partner connectors
    AFTER_RECIPIENT = "after-recipient"  # 5.7.68 comes last, after directory-based edge blocking


class Subdomains(Enum):
    """Whether MatchSubDomains widens "the envelope sender is in an accepted domain"."""

    HONOURED = "honoured"  # a subdomain of a domain with MatchSubDomains is own
    EXACT = "exact"  # only the accepted domain itself is own


class AddressesWithoutRestrict(Enum):
    """Whether SenderIPAddresses of a Partner connector without RestrictDomainsToIPAddresses attribute."""

    COUNT = "count"  # they do, as New-InboundConnector and Set-OrganizationConfig read
    IGNORED = "ignored"  # they do not, as a sentence of Set-InboundConnector reads


class CertificateNames(Enum):
    """Which names of the client certificate are compared with TlsSenderCertificateName."""

    SAN_AND_CN = "san-and-cn"  # subject alternative names first, then the subject's common name
    SAN = "san"  # subject alternative names only
    CN = "cn"  # the subject's common name only


class PartnerPrecedence(Enum):
    """Which of several Partner connectors that cover the envelope sender decides."""

    ANY_MATCH = "any-match"  # one that identifies the client is enough
    ANY_VIOLATION = "any-violation"  # one violated restriction is enough to refuse
    MOST_SPECIFIC = "most-specific"  # only connectors with the most specific SenderDomains are looked at


class NullSender(Enum):
    """Whether the null reverse-path can be Direct Send."""

    NEVER = "never"  # it has no domain, so the second condition cannot hold
    OWN = "own"  # it counts as own domain


class NullSenderLockdown(Enum):
    """Whether a Partner connector for `*` covers the null reverse-path."""

    COVERED = "covered"  # `*` is all mail
    EXEMPT = "exempt"  # no domain, hence in no SenderDomains


class OnPremisesCertificateName(Enum):
    """Whether a certificate name without wildcard of an OnPremises connector must be an accepted domain."""

    ANY = "any"  # an accepted envelope-sender domain makes up for it
    ACCEPTED_ONLY = "accepted-only"  # it must, or the certificate identifies nobody


class BothIpLists(Enum):
    """What becomes of an address on the IP allow list and on the IP block list."""

    ALLOW_WINS = "allow-wins"  # it is not blocked
    BLOCK_WINS = "block-wins"  # it is blocked


@dataclass(frozen=True, slots=True)
class Switches:
    """One reading of every open question; the defaults are Sidedoor's. Each field is a row of `SWITCHES`."""

    reject_direct_send_order: RejectDirectSendOrder = RejectDirectSendOrder.AFTER_PARTNER
    subdomains: Subdomains = Subdomains.HONOURED
    addresses_without_restrict: AddressesWithoutRestrict = AddressesWithoutRestrict.COUNT
    certificate_names: CertificateNames = CertificateNames.SAN_AND_CN
    partner_precedence: PartnerPrecedence = PartnerPrecedence.ANY_MATCH
    null_sender: NullSender = NullSender.NEVER
    null_sender_lockdown: NullSenderLockdown = NullSenderLockdown.COVERED
    onpremises_certificate_name: OnPremisesCertificateName = OnPremisesCertificateName.ANY
    both_ip_lists: BothIpLists = BothIpLists.ALLOW_WINS

    def table(self) -> Iterator[dict[str, str]]:
        """One row for each switch as it stands: name, value, default, values, certainty, meaning, source."""
        for row in SWITCHES:
            yield {
                "name": row.name,
                "value": getattr(self, row.field).value,
                "default": row.default,
                "values": ", ".join(row.values),
                "certainty": row.certainty.word,
                "meaning": row.meaning,
                "source": row.source,
            }


DEFAULT_SWITCHES = Switches()


@dataclass(frozen=True, slots=True)
class SwitchRow:
    """One switch for people: `name` as on the command line, `certainty` of the default, `source` of the question."""

    name: str
    default: str
    values: tuple[str, ...]
    certainty: Certainty
    meaning: str
    source: str

    @property
    def field(self) -> str:
        """The field of `Switches`."""
        return self.name.replace("-", "_")


def _row(field: str, certainty: Certainty, meaning: str, source: str) -> SwitchRow:
    default = getattr(DEFAULT_SWITCHES, field)
    values = tuple(member.value for member in type(default))
    return SwitchRow(field.replace("_", "-"), default.value, values, certainty, meaning, source)


_A, _R = Certainty.ASSUMED, Certainty.REPORTED
SWITCHES: tuple[SwitchRow, ...] = (
    _row("reject_direct_send_order", _A, "Where 5.7.68 stands among the refusals 5.7.51 and 5.4.1.",
         "no Microsoft text gives the whole order"),
    _row("subdomains", _A, "Whether MatchSubDomains makes a subdomain own for RejectDirectSend.",
         "Set-AcceptedDomain documents the setting, nothing joins it to RejectDirectSend"),
    _row("addresses_without_restrict", _A, "Whether a Partner connector's IP list attributes without its restriction.",
         "Set-InboundConnector and New-InboundConnector disagree"),
    _row("certificate_names", _A, "Which names of a client certificate a connector is matched with.",
         "the cmdlet says subject, the relay article CN or SAN, the hybrid article SAN"),
    _row("partner_precedence", _A, "Which of several Partner connectors on one domain decides.",
         "undocumented; Microsoft warns of duplicate partner connectors"),
    _row("null_sender", _A, "Whether the null reverse-path can be Direct Send.",
         "follows from the second condition at Set-OrganizationConfig -RejectDirectSend; no sentence says it"),
    _row("null_sender_lockdown", _A, "Whether a `*` lock-down covers the null reverse-path.",
         "the third-party cloud article says all mail, without naming bounces"),
    _row("onpremises_certificate_name", _R, "Whether an OnPremises certificate name must itself be an accepted domain.",
         "the relay requirements of 2023 and the hybrid certificate article disagree"),
    _row("both_ip_lists", _A, "Which list wins for an address on both IP lists.",
         "the connection filter article, from memory; not read again for this version"),
)  # fmt: skip
"""Every field of `Switches`, in order."""


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """A question without a switch, because the rule does not ask it: what is open, and what Sidedoor does meanwhile."""

    question: str
    handling: str


OPEN_QUESTIONS: tuple[OpenQuestion, ...] = (
    OpenQuestion("Is the header IsAnonymousDirectSend stamped for all tenants?",
                 "present proves Direct Send, absent proves nothing"),
    OpenQuestion("What do the unread parts of Microsoft's two Direct Send posts add?",
                 "the conditions printed at Set-OrganizationConfig are followed"),
    OpenQuestion("At which SMTP stage does 5.7.68 come?",
                 "decided per recipient, as at RCPT TO, because the recipient names the tenant"),
    OpenQuestion("Do Azure Communication Services, Dynamics 365, SharePoint pass with an own-domain envelope sender?",
                 "they are refused unless a connector attributes them"),
    OpenQuestion("Is RejectDirectSend available in sovereign clouds?",
                 "a setting the export does not hold is unknown, never off"),
    OpenQuestion("Which columns has the Change Optics report?", "it is not read"),
    OpenQuestion("Since when is RejectDirectSend on by default in new tenants?",
                 "the exported value is believed; there is no default by date"),
    OpenQuestion("Does an own-domain envelope sender without a mailbox pass, as one administrator measured?",
                 "the documentation is followed: the domain decides"),
    OpenQuestion("Does a transport rule's FromScope NotInOrganization see an own-domain anonymous message?",
                 "not relied on: transport rules are named on the decision, not evaluated"),
    OpenQuestion("Should SPF end in ~all or -all beside Direct Send?",
                 "no bearing on the rule: SPF exempts nothing from RejectDirectSend"),
)  # fmt: skip


def with_switches(settings: Mapping[str, str], base: Switches = DEFAULT_SWITCHES) -> Switches:
    """`base` with the named switches set, names and values as in `SWITCHES`. Raises SwitchError."""
    rows = {row.name: row for row in SWITCHES}
    changes: dict[str, Any] = {}
    for name, value in settings.items():
        row = rows.get(name)
        if row is None:
            raise SwitchError(f"no switch {name[:60]!r}; there are: {', '.join(rows)}")
        if value not in row.values:
            raise SwitchError(f"{name} has no value {value[:60]!r}; it takes: {', '.join(row.values)}")
        changes[row.field] = type(getattr(base, row.field))(value)
    return replace(base, **changes)
