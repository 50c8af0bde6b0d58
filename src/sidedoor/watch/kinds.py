"""The kinds of alerts: a closed list. Ids are stable, because stores, rules of channels and other programs name them.

docs/alerts.md has a section for each, held to this table by tests. Texts here are our own: nothing in them comes from
outside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from sidedoor.store.model import Severity
from sidedoor.watch.sight import Source

INFO, WARNING, SERIOUS, CRITICAL = Severity


class Part(StrEnum):
    """A part of what a run saw, finer than a source: what must be told before an alert may be over."""

    HISTORY = "history"  # the mail history
    COMPLETE = "complete history"  # the same, and up to when it is complete
    SENDER = "sender"  # the sender itself is still in the history
    SETTINGS = "settings"  # the tenant's settings at all
    REJECT = "RejectDirectSend"  # the setting
    CONNECTORS = "connectors"  # the inbound connectors, and all that is compared of the one in question
    ACCEPTED = "accepted domains"  # the accepted domains
    FILTER = "connection filter"  # its lists
    RULES = "transport rules"  # the transport rules
    SPF = "SPF"  # of the domain in question
    DMARC = "DMARC"  # of the domain in question
    MX = "MX"  # of the domain in question
    CERTIFICATES = "certificates"  # when certificates end
    PROBE = "probe"  # a probe that proved something
    BOUNCES = "bounces"  # non-delivery reports
    SELF = "itself"  # this program's own runs, which are always known

    @property
    def source(self) -> Source:
        """The source that it is a part of."""
        return _SOURCES[self]


_SOURCES: Mapping[Part, Source] = {
    **dict.fromkeys((Part.HISTORY, Part.COMPLETE, Part.SENDER), Source.HISTORY),
    **dict.fromkeys(
        (Part.SETTINGS, Part.REJECT, Part.CONNECTORS, Part.ACCEPTED, Part.FILTER, Part.RULES), Source.SETTINGS
    ),
    **dict.fromkeys((Part.SPF, Part.DMARC, Part.MX), Source.DNS),
    Part.CERTIFICATES: Source.CERTIFICATES,
    Part.PROBE: Source.PROBE,
    Part.BOUNCES: Source.BOUNCES,
    Part.SELF: Source.SELF,
}


class About(StrEnum):
    """What the subject of a finding names."""

    TENANT = "tenant"  # the subject is empty
    SENDER = "sender"  # the lasting key of a sender
    CLIENT = "client"  # a sender's key, or `client` and the address or name of one that is no sender of the report
    CONNECTOR = "connector"  # the name of an inbound connector
    RULE = "rule"  # the name of a transport rule
    DOMAIN = "domain"  # an accepted domain


class Kind(StrEnum):
    """Reason ids of alerts; what each means is in `KINDS`."""

    NEW_SENDER = "new-sender"
    SENDER_MOVED = "sender-moved"
    SENDER_SILENT = "sender-silent"
    SPOOF_BURST = "spoof-burst"
    FORWARDER_REFUSED = "forwarder-refused"
    FILTER_BYPASSED = "filter-bypassed"
    DIRECT_SEND_REOPENED = "direct-send-reopened"
    DIRECT_SEND_UNREADABLE = "direct-send-unreadable"
    ACCEPTED_DOMAIN_ADDED = "accepted-domain-added"
    ACCEPTED_DOMAIN_REMOVED = "accepted-domain-removed"
    ACCEPTED_DOMAIN_CHANGED = "accepted-domain-changed"
    ALLOW_LIST_WIDENED = "allow-list-widened"
    RULE_OFF = "rule-off"
    CONNECTOR_ADDED = "connector-added"
    CONNECTOR_REMOVED = "connector-removed"
    CONNECTOR_WIDENED = "connector-widened"
    CONNECTOR_NARROWED = "connector-narrowed"
    CONNECTOR_ENABLED = "connector-enabled"
    CONNECTOR_DISABLED = "connector-disabled"
    CONNECTOR_CHANGED = "connector-changed"
    TREAT_AS_INTERNAL = "treat-as-internal"
    CLOUD_SERVICES_MAIL = "cloud-services-mail"
    CERTIFICATE_EXPIRING = "certificate-expiring"
    CERTIFICATE_UNWATCHED = "certificate-unwatched"
    CONNECTOR_ADDRESS_UNUSED = "connector-address-unused"
    SPF_CHANGED = "spf-changed"
    SPF_OVER_LIMITS = "spf-over-limits"
    SPF_BROKEN = "spf-broken"
    DMARC_CHANGED = "dmarc-changed"
    MX_CHANGED = "mx-changed"
    HONEST_MAIL_REFUSED = "honest-mail-refused"
    DOOR_OPEN = "door-open"
    REPORTED_ELSEWHERE = "reported-elsewhere"
    HISTORY_STALE = "history-stale"
    COLLECTION_INCOMPLETE = "collection-incomplete"
    SETTINGS_UNREADABLE = "settings-unreadable"
    DNS_UNKNOWN = "dns-unknown"
    PROBE_FAILED = "probe-failed"
    BOUNCES_UNREADABLE = "bounces-unreadable"
    CERTIFICATES_UNREADABLE = "certificates-unreadable"


@dataclass(frozen=True, slots=True)
class KindInfo:
    """What a kind is.

    severities: all it may have, the usual one first. means: what holds, in a sentence. do: the next step. rests_on:
    what must be told before it is over, beside the source of the finding itself, which is that of the first as a rule.
    takes: accepting it puts what is there now into the baseline. marks: names of the evidence that must stay as it is
    for an accepted finding to stay accepted; None where it is not accepted that way.
    """

    kind: Kind
    about: About
    severities: tuple[Severity, ...]
    title: str
    means: str
    do: str
    rests_on: tuple[Part, ...]
    takes: bool = False
    marks: tuple[str, ...] | None = None

    @property
    def severity(self) -> Severity:
        """The usual one."""
        return self.severities[0]

    @property
    def acceptable(self) -> bool:
        """Whether a person may say that it is right as it is."""
        return self.takes or self.marks is not None


_SENDERS = (
    KindInfo(
        Kind.NEW_SENDER, About.SENDER, (WARNING, INFO, SERIOUS), "New direct sender",
        "A sender that is not in the baseline hands in mail by Direct Send, and nobody has decided about it.",
        "Find out whose it is and decide: honest, or spoofing. An honest one needs another entrance before the "
        "door is closed.",
        (Part.HISTORY,), takes=True,
    ),
    KindInfo(
        Kind.SENDER_MOVED, About.SENDER, (WARNING, SERIOUS), "A sender has moved",
        "An honest sender, or one that calls itself and writes exactly as it does, sends from addresses it never used.",
        "Ask its owner whether it moved. If so, accept the alert and put the new address into its connector; if not, "
        "decide that the sender at the new address is spoofing.",
        (Part.HISTORY, Part.SENDER), takes=True,
    ),
    KindInfo(
        Kind.SENDER_SILENT, About.SENDER, (WARNING, SERIOUS), "A sender has fallen silent",
        "An honest sender that wrote regularly has sent nothing for much longer than it ever paused.",
        "Ask its owner. If it was taken out of service, accept the alert; else look in its own log for the refusal.",
        (Part.COMPLETE, Part.SENDER), takes=True,
    ),
    KindInfo(
        Kind.SPOOF_BURST, About.TENANT, (WARNING, SERIOUS), "Burst of spoofed mail",
        "Far more mail in the organisation's name came from spoofing senders in a day than on its usual days.",
        "Look into quarantine and mailboxes for what got through, warn the people it was sent to, and close the door "
        "if it is open.",
        (Part.HISTORY,),
    ),
    KindInfo(
        Kind.FORWARDER_REFUSED, About.SENDER, (WARNING, SERIOUS), "Forwarded mail is refused",
        "Mail of the organisation's own people comes back through a foreign forwarder, which RejectDirectSend refuses.",
        "Ask the people affected to end the forwarding, or its operator to rewrite the envelope sender (SRS). No "
        "connector is right for it.",
        (Part.HISTORY,), takes=True, marks=(),
    ),
    KindInfo(
        Kind.FILTER_BYPASSED, About.TENANT, (WARNING, SERIOUS), "Mail goes round the filter",
        "Mail with foreign envelope senders is handed straight to Exchange Online, although the MX leads to a filter.",
        "Put the lock-down of the plan in place: a Partner connector for * that is restricted to the filter.",
        (Part.HISTORY,), marks=(),
    ),
)  # fmt: skip
_SETTINGS = (
    KindInfo(
        Kind.DIRECT_SEND_REOPENED, About.TENANT, (CRITICAL,), "Direct Send is open again",
        "RejectDirectSend was on and is off: anybody may hand in mail in the organisation's name.",
        "Find out who switched it off (the unified audit log has Set-OrganizationConfig), and switch it on: "
        "Set-OrganizationConfig -RejectDirectSend $true.",
        (Part.REJECT,), takes=True,
    ),
    KindInfo(
        Kind.DIRECT_SEND_UNREADABLE, About.TENANT, (WARNING, SERIOUS), "RejectDirectSend cannot be read",
        "The settings were read and do not tell RejectDirectSend, so that nobody would see it switched off.",
        "Export it with a current module: Get-OrganizationConfig | ConvertTo-Json -Depth 5.",
        (Part.SETTINGS,), marks=(),
    ),
    KindInfo(
        Kind.ACCEPTED_DOMAIN_ADDED, About.DOMAIN, (WARNING,), "New accepted domain",
        "Mail with an envelope sender in this domain is now Direct Send, where it was mail from outside before.",
        "Accept the alert if you know the domain, and publish SPF and DMARC for it.",
        (Part.ACCEPTED,), takes=True,
    ),
    KindInfo(
        Kind.ACCEPTED_DOMAIN_REMOVED, About.DOMAIN, (WARNING,), "Accepted domain removed",
        "RejectDirectSend no longer protects this domain, and mail for it is refused or leaves the organisation.",
        "Accept the alert if it was meant; else add the domain again.",
        (Part.ACCEPTED,), takes=True,
    ),
    KindInfo(
        Kind.ACCEPTED_DOMAIN_CHANGED, About.DOMAIN, (INFO,), "Accepted domain changed",
        "The domain's type or MatchSubDomains is another, so other mail may be Direct Send, or be refused for its "
        "recipient.",
        "Accept the alert if it was meant; else see Set-AcceptedDomain.",
        (Part.ACCEPTED,), takes=True,
    ),
    KindInfo(
        Kind.ALLOW_LIST_WIDENED, About.TENANT, (WARNING, SERIOUS), "IP allow list widened",
        "Mail from the added addresses skips spam filtering; it is still Direct Send where no connector names them.",
        "Take them out unless somebody knows why they are there: Set-HostedConnectionFilterPolicy -IPAllowList.",
        (Part.FILTER,), takes=True,
    ),
    KindInfo(
        Kind.RULE_OFF, About.RULE, (WARNING, SERIOUS), "A protecting transport rule is off",
        "A rule that holds, refuses or marks Direct Send was removed, disabled, or no longer does so.",
        "Enable it again (Enable-TransportRule), or accept the alert if the door is closed and it is not needed "
        "any more.",
        (Part.RULES,), takes=True,
    ),
)  # fmt: skip
_CONNECTORS = (
    KindInfo(
        Kind.CONNECTOR_ADDED, About.CONNECTOR, (WARNING, INFO), "New inbound connector",
        "Whom it recognises may send in the organisation's name past RejectDirectSend; what it restricts is refused.",
        "Accept the alert if it is of the plan; else ask who made it, and for whom.",
        (Part.CONNECTORS,), takes=True,
    ),
    KindInfo(
        Kind.CONNECTOR_REMOVED, About.CONNECTOR, (WARNING, INFO, SERIOUS), "Inbound connector removed",
        "Whom it recognised is a stranger now: its mail is Direct Send, and refused where the door is closed.",
        "Make it again from the plan's scripts if its senders are still at work; else accept the alert.",
        (Part.CONNECTORS,), takes=True,
    ),
    KindInfo(
        Kind.CONNECTOR_WIDENED, About.CONNECTOR, (WARNING, SERIOUS), "Inbound connector widened",
        "It recognises, or lets in, more than it did: addresses, domains, certificates, or a restriction is off.",
        "Compare it with the plan; accept the alert if it was meant, else set it back.",
        (Part.CONNECTORS,), takes=True,
    ),
    KindInfo(
        Kind.CONNECTOR_NARROWED, About.CONNECTOR, (WARNING, SERIOUS), "Inbound connector narrowed",
        "It recognises less than it did, or refuses more: honest mail may be refused.",
        "Make sure that nobody sends from what was taken out; accept the alert if so, else set it back.",
        (Part.CONNECTORS,), takes=True,
    ),
    KindInfo(
        Kind.CONNECTOR_ENABLED, About.CONNECTOR, (WARNING,), "Inbound connector enabled",
        "A connector that was disabled recognises and restricts senders now.",
        "Accept the alert if it was meant; else Set-InboundConnector -Enabled $false.",
        (Part.CONNECTORS,), takes=True,
    ),
    KindInfo(
        Kind.CONNECTOR_DISABLED, About.CONNECTOR, (WARNING, SERIOUS), "Inbound connector disabled",
        "Whom it recognised is a stranger now: its mail is Direct Send, and refused where the door is closed.",
        "Enable it again (Set-InboundConnector -Enabled $true), or accept the alert.",
        (Part.CONNECTORS,), takes=True,
    ),
    KindInfo(
        Kind.CONNECTOR_CHANGED, About.CONNECTOR, (INFO,), "Inbound connector changed",
        "Settings that neither let in nor refuse anybody are other than they were, or it has a new name.",
        "Accept the alert if it was meant.",
        (Part.CONNECTORS,), takes=True,
    ),
    KindInfo(
        Kind.TREAT_AS_INTERNAL, About.CONNECTOR, (SERIOUS, WARNING), "A connector makes mail internal",
        "TreatMessagesAsInternal is on: mail of an accepted domain that it recognises is not filtered for spam at all.",
        "Switch it off (Set-InboundConnector -TreatMessagesAsInternal $false), or recognise the sender by certificate.",
        (Part.CONNECTORS,), marks=("addresses", "certificate"),
    ),
    KindInfo(
        Kind.CLOUD_SERVICES_MAIL, About.CONNECTOR, (WARNING,), "A connector keeps internal headers",
        "CloudServicesMailEnabled was switched on: headers that say that mail is internal are believed.",
        "It belongs to the connector that the hybrid wizard made, and to no other: switch it off elsewhere.",
        (Part.CONNECTORS,), marks=(),
    ),
    KindInfo(
        Kind.CERTIFICATE_EXPIRING, About.CONNECTOR, (WARNING, SERIOUS, CRITICAL), "A connector's certificate ends",
        "The certificate by which a connector recognises its sender is near its end, or past it.",
        "Renew the certificate at the sender, under a name that the connector asks for, before the day.",
        (Part.CERTIFICATES,),
    ),
    KindInfo(
        Kind.CERTIFICATE_UNWATCHED, About.CONNECTOR, (INFO,), "A connector's certificate is not watched",
        "A connector recognises its sender by a certificate, and nobody tells this program when it ends.",
        "Name the host or the file that shows it under [certificates] of sidedoor.toml.",
        (Part.CERTIFICATES, Part.CONNECTORS), marks=("certificate",),
    ),
    KindInfo(
        Kind.CONNECTOR_ADDRESS_UNUSED, About.CONNECTOR, (INFO,), "A connector's address is not used",
        "A connector lists addresses from which no mail has come for long; whoever gets them next may send as you.",
        "Take them out of the connector if their senders are gone.",
        (Part.HISTORY, Part.CONNECTORS), marks=("addresses",),
    ),
)  # fmt: skip
_DNS = (
    KindInfo(
        Kind.SPF_CHANGED, About.DOMAIN, (WARNING, INFO, SERIOUS), "SPF changed",
        "The domain publishes another SPF record than the accepted one.",
        "Accept the alert if it was meant; sidedoor spf DOMAIN shows what the record allows.",
        (Part.SPF,), takes=True,
    ),
    KindInfo(
        Kind.SPF_OVER_LIMITS, About.DOMAIN, (SERIOUS,), "SPF is over its limits",
        "Evaluating the record asks DNS more than 10 times (RFC 7208 section 4.6.4): SPF is an error at receivers.",
        "Remove services that no longer send, or replace a and mx by ip4; sidedoor spf DOMAIN shows what each "
        "term costs.",
        (Part.SPF,), marks=(),
    ),
    KindInfo(
        Kind.SPF_BROKEN, About.DOMAIN, (SERIOUS, WARNING), "SPF is broken",
        "The record is an error at receivers, for all mail or for part of it.",
        "Correct it; sidedoor spf DOMAIN names the term.",
        (Part.SPF,), marks=("troubles",),
    ),
    KindInfo(
        Kind.DMARC_CHANGED, About.DOMAIN, (INFO, SERIOUS), "DMARC changed",
        "The domain publishes another DMARC policy than the accepted one.",
        "Accept the alert if it was meant; a policy that became weaker lets spoofs through, so set it back if not.",
        (Part.DMARC,), takes=True,
    ),
    KindInfo(
        Kind.MX_CHANGED, About.DOMAIN, (WARNING, SERIOUS), "MX changed",
        "Mail for the domain is sent to other hosts than before.",
        "Accept the alert if it was meant; if not, somebody else may be reading the mail: look at the domain's DNS "
        "now.",
        (Part.MX,), takes=True,
    ),
)  # fmt: skip
_REFUSALS = (
    KindInfo(
        Kind.HONEST_MAIL_REFUSED, About.CLIENT, (CRITICAL, SERIOUS, WARNING), "Mail is refused",
        "A non-delivery report, or an edge's own log, shows that the tenant refuses mail of an honest sender.",
        "Give the sender an entrance: the connector of the plan, or a login. To gain time, sidedoor reopen.",
        (), marks=(),
    ),
    KindInfo(
        Kind.DOOR_OPEN, About.TENANT, (CRITICAL, SERIOUS), "The door is open although it is closed",
        "RejectDirectSend is on, and a probe or mail that arrived shows that Direct Send is still taken.",
        "Read the setting back (Get-OrganizationConfig), and probe again; if it is on and mail comes in, open a case "
        "with Microsoft.",
        (Part.REJECT,),
    ),
    KindInfo(
        Kind.REPORTED_ELSEWHERE, About.SENDER, (SERIOUS,), "A silent sender is at work elsewhere",
        "An honest sender has been silent here since the door was closed, and DMARC reports show its address at work: "
        "its mail to you may be refused.",
        "Look into the sender's own log or mailbox for 550 5.7.68, and give it an entrance.",
        (Part.COMPLETE, Part.SENDER), takes=True,
    ),
)  # fmt: skip
_ITSELF = (
    KindInfo(
        Kind.HISTORY_STALE, About.TENANT, (WARNING, SERIOUS), "The history is old",
        "Mail that came since is not known: no new sender, no silence and no burst would be seen.",
        "See what the last run of sidedoor watch said; lay new exports into the inbox if nothing is collected.",
        (Part.SELF,),
    ),
    KindInfo(
        Kind.COLLECTION_INCOMPLETE, About.TENANT, (WARNING,), "Exports were cut off",
        "Some exports ended at the service's limit, so part of the mail is missing in the history.",
        "Export shorter spans again, or let sidedoor collect do it.",
        (Part.SELF,), marks=("exports",),
    ),
    KindInfo(
        Kind.SETTINGS_UNREADABLE, About.TENANT, (WARNING, SERIOUS), "The settings cannot be read",
        "Nothing is known of the tenant's settings since: a door that is opened would not be seen.",
        "See the reason; most often a secret has expired or a role is missing (docs/collect.md).",
        (Part.SELF,),
    ),
    KindInfo(
        Kind.DNS_UNKNOWN, About.DOMAIN, (WARNING,), "DNS does not tell about a domain",
        "MX, SPF or DMARC of the domain could not be had for days: a change would not be seen.",
        "See whether the domain's name servers answer, and whether this host may ask them.",
        (Part.SELF,), marks=(),
    ),
    KindInfo(
        Kind.PROBE_FAILED, About.TENANT, (WARNING,), "The door could not be probed",
        "No probe has proved for days whether Direct Send is refused.",
        "Most often the network blocks port 25 to the outside: run sidedoor probe from a host that may.",
        (Part.SELF,), marks=(),
    ),
    KindInfo(
        Kind.BOUNCES_UNREADABLE, About.TENANT, (WARNING,), "Non-delivery reports cannot be read",
        "The folder or mailbox with non-delivery reports could not be read for days: refusals would not be seen.",
        "See the reason; the mailbox needs the right to read it, the folder must be there.",
        (Part.SELF,),
    ),
    KindInfo(
        Kind.CERTIFICATES_UNREADABLE, About.TENANT, (WARNING,), "Certificates cannot be read",
        "The hosts or files that show connectors' certificates could not be asked for days.",
        "See the reason, and correct [certificates] of sidedoor.toml.",
        (Part.SELF,),
    ),
)  # fmt: skip

KINDS: Mapping[str, KindInfo] = MappingProxyType(
    {info.kind.value: info for group in (_SENDERS, _SETTINGS, _CONNECTORS, _DNS, _REFUSALS, _ITSELF) for info in group}
)
"""Id -> what it is, in the order of docs/alerts.md."""

AT_ONCE = "at-once:"
"""How the subject of an alert begins that stands for many of its kind, raised in one run (`lifecycle`)."""
