"""Reason ids and the sentence each stands for. Ids are stable: logs, reports and documents speak by them."""

from __future__ import annotations

REASONS: dict[str, str] = {
    # 1 connection filter
    "blocked-address": "The client's address is on the tenant's IP block list.",
    "on-both-ip-lists": (
        "The client's address is on the IP allow list and on the IP block list; a switch says which wins."
    ),
    "allowed-address": "The IP allow list holds the client's address: filtering is skipped, but nothing is attributed.",
    "connection-filter-unknown": "The tenant's IP block list is not known; taken not to hold the client's address.",
    # 2 authenticated submission
    "authenticated": "The client logged in; whether it may send as this address is not checked here.",
    "no-smtp-client": "The record shows no SMTP client, so the mail began in a mailbox or in the service itself.",
    # 3 OnPremises connectors
    "onpremises-by-certificate": "The client certificate's name fits an OnPremises connector.",
    "onpremises-by-address": "The client's address fits an OnPremises connector.",
    "onpremises-domain-not-accepted": (
        "An OnPremises connector fits, but neither the certificate's domain nor the envelope sender's is accepted."
    ),
    "associated-domains-exclude": "An OnPremises connector fits, but is limited to other accepted domains.",
    "certificate-by-common-name": (
        "Only the certificate's common name fits; Microsoft's pages differ on whether it counts."
    ),
    # 4 recipient's tenant
    "recipient-not-hosted-here": (
        "The recipient's domain is no accepted domain of this tenant, and nothing lets the client relay; "
        "another tenant may host it."
    ),
    # 5 Partner connectors
    "partner-by-certificate": "The client certificate's name fits a Partner connector that covers the envelope sender.",
    "partner-by-address": "The client's address fits a Partner connector that covers the envelope sender.",
    "address-without-restrict": "The connector lists addresses without restricting to them; taken to attribute.",
    "address-without-restrict-ignored": (
        "The connector lists addresses without restricting to them; taken not to attribute."
    ),
    "restrict-addresses-violated": (
        "A Partner connector restricts these envelope senders to addresses; this is not one."
    ),
    "restrict-certificate-violated": (
        "A Partner connector restricts these envelope senders to a certificate not shown here."
    ),
    "tls-required": "A Partner connector requires TLS for these envelope senders; the reply's text is inferred.",
    "several-partner-connectors": (
        "Several restricting Partner connectors cover the envelope sender; their order is assumed."
    ),
    "connector-names-only-domains": "A connector that names only sender domains covers it, which attributes nothing.",
    "null-sender-in-lockdown": "A lock-down for all senders is taken to cover the null reverse-path.",
    "trusted-organizations": (
        "An inbound connector trusts other organisations by name, which cannot be judged from outside."
    ),
    "connector-warnings": "The attributing connector's export holds something Exchange could not have.",
    "connectors-unknown": "The tenant's inbound connectors are not known.",
    # 6 RejectDirectSend
    "order-assumed": "Another refusal applies too; which one Exchange gives first is assumed.",
    "own-domain-unattributed": "The envelope sender is in an accepted domain and no connector attributes the client.",
    "subdomain-of-accepted-domain": "The envelope sender is in a subdomain, own by MatchSubDomains; that is assumed.",
    "subdomain-not-own": (
        "The envelope sender is in a subdomain that MatchSubDomains covers; the switch does not count it."
    ),
    "null-reverse-path": "The null reverse-path has no domain; how RejectDirectSend takes it is assumed.",
    "foreign-envelope-sender": (
        "The envelope sender is in no accepted domain: not Direct Send, and not stopped by its switch."
    ),
    "reject-direct-send-on": "RejectDirectSend is on.",
    "reject-direct-send-off": "RejectDirectSend is off; switched on, it would refuse this.",
    "reject-direct-send-unknown": "Whether RejectDirectSend is on is not known; taken as off, its default.",
    "reject-direct-send-assumed": "RejectDirectSend is assumed as you said, not read from the tenant.",
    # 7 unknown recipients
    "unknown-recipient": "No such recipient in an authoritative domain.",
    "recipient-not-checked": "Whether the recipient exists was not looked up; an unknown one would be refused (5.4.1).",
    # 8 accepted
    "transport-rules-may-act": "Taken; the tenant's transport rules act afterwards and are not evaluated here.",
    "mx-here": "The recipient domain's MX leads to Exchange Online.",
    "mx-elsewhere": "The recipient domain's MX leads elsewhere, so this mail came in beside it.",
    "mx-none": "The recipient domain publishes no MX, so this mail came in beside it.",
    "mx-mixed": "The recipient domain's MX leads here and elsewhere; which way this mail took cannot be told.",
    "mx-unknown": "Where the recipient domain's MX leads is not known.",
    "mx-assumed": "The recipient domain's MX was taken to lead to Exchange Online; nobody looked it up.",
    # history
    "recorded-connector": "The service's record names the connector.",
    "recorded-no-connector": "The service's record says that no connector attributed it.",
    "recorded-connector-gone": "The record names a connector that is not in the tenant today, or is disabled.",
    "recorded-connector-names-only-domains": (
        "The record names a connector that names only domains; it attributes nothing."
    ),
    "recorded-connector-fits": "A connector of today's tenant fits what the message's own header fields show.",
    "connector-added-since": "A connector that the record does not name would attribute it today.",
    "history-outranks-lockdown": "A restriction would refuse it, but the record shows it was taken: not applied.",
    "history-outranks-block-list": "The IP block list would refuse it, but the record shows it was taken: not applied.",
    "accepted-before-closing": "RejectDirectSend is on today and was not in force for this message when it was taken.",
    "direction-incoming": "The record calls it incoming: nobody logged in and no OnPremises connector took it.",
    "direction-originating": "The record calls it originating: logged in, or through an OnPremises connector.",
    "labelled-direct-send": "Exchange Online itself labelled it anonymous Direct Send (IsAnonymousDirectSend).",
    "headers-show-connector": "Its header fields show that a connector attributed it (HybridOnPrem).",
    "headers-show-login": "Its own record shows a login, or a mailbox where it began (AuthAs Internal; Client Proxy).",
    "headers-show-anonymous": "Its own record shows neither a login nor an OnPremises connector (AuthAs Anonymous).",
    "refused-before-reject-direct-send": "The log shows that it was refused before RejectDirectSend was asked.",
    "relayed-on-premises": "The client handed it to a server of the organisation; Exchange Online saw that server.",
    "leaves-the-organisation": "The recipient is outside, or the record calls it outbound.",
    # unknown facts
    "facts-unknown": "Some facts are unknown; every way they could be was decided and the answers compared.",
    "verdict-depends-on-unknown": "Some of these ways end in a refusal and some do not; shown as accepted.",
    "too-many-unknowns": "So many facts are unknown that not all their combinations were decided.",
}
"""Reason id -> sentence for people."""


def explain(reason: str) -> str:
    """The sentence of a reason id; the id itself where it is none of ours (a newer report, say)."""
    return REASONS.get(reason, reason)
