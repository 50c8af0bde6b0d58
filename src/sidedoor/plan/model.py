"""A plan as values: what to do for each sender, the connectors and rules it takes, and the proof by replay.

`plan.json` (docs/plan.md) and the scripts are written from these values. Texts that come from data (names of senders,
connectors, domains) are as the data has them: whoever writes them out must quote them. All messages are counted per
recipient; times are UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from sidedoor.audit.model import Verdict
from sidedoor.policy.decision import Certainty
from sidedoor.tenant.snapshot import ConnectorKind


class Method(StrEnum):
    """The entrance a sender uses once the door is closed."""

    PARTNER_CERTIFICATE = "partner-certificate"  # Partner connector, attributed by the TLS client certificate
    PARTNER_ADDRESS = "partner-address"  # Partner connector, attributed by a fixed IPv4 address
    ONPREMISES_RELAY = "onpremises-relay"  # OnPremises connector by address or certificate; may mail outside
    SMTP_AUTH_OAUTH = "smtp-auth-oauth"  # logs in to smtp.office365.com:587 with OAuth
    HVE = "hve"  # High Volume Email: smtp-hve.office365.com:587, internal recipients only
    COMMUNICATION_SERVICES = "communication-services"  # Azure Communication Services Email
    GRAPH = "graph"  # sendMail of Microsoft Graph over HTTPS
    RETURN_PATH = "return-path"  # envelope sender in a subdomain that is no accepted domain
    LOCAL_RELAY = "local-relay"  # hands its mail to a relay of the organisation (`sidedoor edge`)
    NOTHING = "nothing"  # closing the door does not touch it
    REFUSE = "refuse"  # a spoof, or mail that a person has said may be lost: nothing is opened for it
    UNSAVABLE = "unsavable"  # no way of submitting helps (a forwarder without SRS)
    UNDECIDED = "undecided"  # nobody has judged it: a person must


CONNECTOR_METHODS = frozenset({Method.PARTNER_CERTIFICATE, Method.PARTNER_ADDRESS, Method.ONPREMISES_RELAY})
"""Methods that need a connector and nothing of the sender's owner but what it does already."""
OWNER_METHODS = frozenset(
    {
        Method.SMTP_AUTH_OAUTH,
        Method.HVE,
        Method.COMMUNICATION_SERVICES,
        Method.GRAPH,
        Method.RETURN_PATH,
        Method.LOCAL_RELAY,
    }
)
"""Methods that the sender's owner must set up at the sender, before the door is closed."""


@dataclass(frozen=True, slots=True)
class Because:
    """Why: a stable id (docs/plan.md) and a sentence for people."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another method for the same sender: whether it would do, and why it was not taken."""

    method: Method
    fits: bool
    reasons: tuple[Because, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """What one sender of the report does from now on.

    overridden: the method, or what is known of the sender, was said in plan.toml. addresses: client addresses seen,
    the most used first. relay: id of the relay in plan.toml that takes its mail (LOCAL_RELAY). certificate: the name a
    connector asks for. return_path: the subdomain of its new envelope sender (RETURN_PATH, COMMUNICATION_SERVICES).
    recipients: how many it mails, at least. alternatives: () where nothing has to be chosen.
    """

    sender: str
    name: str
    assessment: Verdict
    method: Method
    reasons: tuple[Because, ...]
    alternatives: tuple[Alternative, ...]
    overridden: bool
    messages: int
    recipients: int
    addresses: tuple[str, ...]
    envelope_domains: tuple[str, ...]
    mail_from: tuple[str, ...]
    service: str | None
    deadlines: tuple[str, ...] = ()  # ids of `Deadline`
    certificate: str | None = None
    return_path: str | None = None
    relay: str | None = None
    owner: str | None = None  # address of whoever looks after it, from plan.toml
    warnings: tuple[Because, ...] = ()


class Action(StrEnum):
    """What a plan does to a connector."""

    CREATE = "create"  # New-InboundConnector
    SET = "set"  # Set-InboundConnector of one that exists: `before` has what it was
    ENABLE = "enable"  # Set-InboundConnector -Enabled $true of one that has the settings already


@dataclass(frozen=True, slots=True)
class ConnectorSettings:
    """Settings of an inbound connector that a plan sets or puts back, named after the cmdlet's parameters.

    sender_domains: as the cmdlet takes them, `contoso.com` or `*`. addresses: SenderIPAddresses, IPv4 addresses or
    networks /24 to /32. Restrict... and RequireTls are honoured on Partner connectors only (New-InboundConnector).
    A flag is None where the export does not tell it: the plan leaves it as it is.
    """

    enabled: bool | None
    sender_domains: tuple[str, ...]
    addresses: tuple[str, ...] = ()
    certificate_name: str | None = None  # TlsSenderCertificateName
    require_tls: bool | None = False
    restrict_to_addresses: bool | None = False  # RestrictDomainsToIPAddresses
    restrict_to_certificate: bool | None = False  # RestrictDomainsToCertificate


@dataclass(frozen=True, slots=True)
class ConnectorProposal:
    """One connector to make or change. `before` is None for a new one, else its settings as they are.

    widened: "203.0.113.0/28: 13 of 16 addresses never seen" for each range that plan.toml widens. lockdown: it refuses
    all mail that does not come from the filter (`*`). senders: ids that depend on it.
    """

    action: Action
    name: str
    kind: ConnectorKind
    settings: ConnectorSettings
    senders: tuple[str, ...]
    reasons: tuple[Because, ...]
    before: ConnectorSettings | None = None
    widened: tuple[str, ...] = ()
    lockdown: bool = False


class RuleStage(StrEnum):
    """The two stages of a transport rule for those who cannot close or lock the door yet."""

    TAG = "tag"  # marks the mail with a header field, nothing else: two to four weeks
    QUARANTINE = "quarantine"  # holds it for an administrator


@dataclass(frozen=True, slots=True)
class RuleProposal:
    """A transport rule. `parameters` are those of New-TransportRule: text, list of texts, or truth value.

    Rules run after acceptance: they never see mail that was refused with 5.7.68 or 5.7.51.
    """

    name: str
    stage: RuleStage
    parameters: Mapping[str, str | bool | tuple[str, ...]]
    reasons: tuple[Because, ...]


class ConflictKind(StrEnum):
    """How a proposed connector and one that exists get into each other's way."""

    OVERLAP = "overlap"  # both name the sender domain; which of them decides is undocumented
    LOCKDOWN = "lockdown"  # a restricting connector for `*` covers the domain too
    DISABLED_TWIN = "disabled-twin"  # the same settings exist, disabled
    ONPREMISES_FIRST = "onpremises-first"  # an OnPremises connector takes the same address, before any Partner one
    SAME_NAME = "same-name"  # the name is taken by a connector with other settings


@dataclass(frozen=True, slots=True)
class Conflict:
    """A conflict found, and what the plan does about it."""

    kind: ConflictKind
    proposed: str
    existing: str
    text: str


class Stage(StrEnum):
    """When a change is made; members in order."""

    CHECK = "check"  # reads only: the tenant is still what the plan was made for
    TAG = "tag"  # a transport rule that marks Direct Send, to see who still uses it
    MIGRATE = "migrate"  # the owners move their senders
    CONNECTORS = "connectors"  # inbound connectors for those that stay
    SWITCH = "switch"  # RejectDirectSend
    VERIFY = "verify"  # reads only: the door is shut, honest mail comes in
    LOCKDOWN = "lockdown"  # the `*` connector against mail beside the filter
    QUARANTINE = "quarantine"  # the rule's second stage, where there is no lock-down


@dataclass(frozen=True, slots=True)
class Change:
    """One step of the plan. `target` names a connector, a rule or a sender; "" for the tenant as a whole."""

    number: int
    stage: Stage
    target: str
    effect: str
    way_back: str
    senders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Deadline:
    """A date of Microsoft's that a choice has to reckon with. `source` says whose word it is."""

    id: str
    on: date
    text: str
    source: str
    methods: tuple[Method, ...]


@dataclass(frozen=True, slots=True)
class Tally:
    """Messages by what becomes of them."""

    accepted: int = 0
    refused: int = 0
    undetermined: int = 0

    @property
    def messages(self) -> int:
        """All of them."""
        return self.accepted + self.refused + self.undetermined


@dataclass(frozen=True, slots=True)
class SenderReplay:
    """One sender before and after. before: the switch thrown today, nothing else changed. after: the whole plan.

    closed: connectors and switch, while the owners have moved nothing. by_reply: enhanced status code -> messages
    refused after. certainty: the weakest fact the outcome after rests on.
    """

    sender: str
    before: Tally
    closed: Tally
    after: Tally
    by_reply: Mapping[str, int]
    certainty: Certainty
    connectors: tuple[str, ...] = ()  # that attribute it after
    missing: tuple[str, ...] = ()  # facts that would settle what is undetermined


@dataclass(frozen=True, slots=True)
class Reading:
    """The replay once more with one open question answered the other way (docs/rule.md)."""

    switch: str
    value: str
    honest_refused: int
    spoofing_admitted: int


@dataclass(frozen=True, slots=True)
class Replay:
    """The plan's connectors and the switch applied to the same history; messages.

    honest_refused counts senders assessed or declared legitimate, without those no plan can save (unsavable_refused).
    spoofing_admitted: messages of spoofing senders that a proposed connector lets in. spoofing_untouched: those that
    come in before and after, because they are no Direct Send. newly_restricted: messages of nobody spoofing that a
    Partner restriction (5.7.51) refuses after and did not before. harmed: what is lost that should come in.
    """

    messages: int
    flows: int
    before: Tally
    closed: Tally
    after: Tally
    honest_refused: int
    honest_undetermined: int
    unsavable_refused: int
    unclear_refused: int
    spoofing_refused: int
    spoofing_admitted: int
    newly_restricted: int
    undetermined: int
    senders: tuple[SenderReplay, ...]
    spoofing_untouched: int = 0
    harmed: int = 0
    readings: tuple[Reading, ...] = ()


@dataclass(frozen=True, slots=True)
class Unsavable:
    """A sender that no plan can save, with the recipients who lose mail (up to 200 of `recipients` altogether)."""

    sender: str
    name: str
    why: str
    affected: tuple[str, ...]
    recipients: int
    messages: int


@dataclass(frozen=True, slots=True)
class Blocker:
    """Why the plan is not ready: a stable id, the sender it is about ("" for the tenant), and a sentence."""

    id: str
    sender: str
    text: str


@dataclass(frozen=True, slots=True)
class TenantFacts:
    """The tenant the plan is for. `fingerprint` is of its settings: another one means they changed since.

    behind_filter: accepted domains whose MX leads elsewhere. subdomains: those that take in their subdomains.
    """

    name: str
    accepted_domains: tuple[str, ...]
    reject_direct_send: bool | None
    fingerprint: str
    behind_filter: tuple[str, ...] = ()
    subdomains: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole plan. `ready`: every honest sender is accepted after it, no spoof is let in, and nothing is open."""

    generated_at: datetime
    tenant: TenantFacts
    window: tuple[datetime, datetime] | None
    choices: tuple[Choice, ...]
    connectors: tuple[ConnectorProposal, ...]
    rules: tuple[RuleProposal, ...]
    conflicts: tuple[Conflict, ...]
    changes: tuple[Change, ...]
    deadlines: tuple[Deadline, ...]
    replay: Replay
    unsavable: tuple[Unsavable, ...]
    ready: bool
    blockers: tuple[Blocker, ...]
    notes: tuple[Because, ...] = field(default=())
