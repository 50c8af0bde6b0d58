"""Conditions of a rule by parameter name: what New-TransportRule calls conditions and, with ExceptIf, exceptions.

A builder takes the rule's settings and gives a check, or raises NotEvaluatedError with the reason. A check answers
True, False or unknown; an unknown never fires a rule.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sidedoor.policy.mailflow import content, people
from sidedoor.policy.mailflow.build import Build
from sidedoor.policy.mailflow.people import Addresses
from sidedoor.policy.mailflow.state import Check

Builder = Callable[[Build], Check]
_TO, _CC, _TO_CC = people.named("to"), people.named("cc"), people.named("to", "cc")


def _senders(build: Build) -> Addresses:
    return people.sender_addresses(build.location)


def _recipient_words(key: str) -> Builder:
    return lambda b: people.address_search(b.words(key), people.recipients)


def _recipient_patterns(key: str) -> Builder:
    return lambda b: people.address_search(b.patterns(key), people.recipients)


BUILDERS: Mapping[str, Builder] = {
    # the sender
    "From": lambda b: people.identity_is(b, "From", _senders(b)),
    "FromScope": people.from_scope,
    "SenderDomainIs": lambda b: people.domain_is(b, "SenderDomainIs", _senders(b)),
    "FromAddressContainsWords": lambda b: people.address_search(b.words("FromAddressContainsWords"), _senders(b)),
    "FromAddressMatchesPatterns": lambda b: people.address_search(
        b.patterns("FromAddressMatchesPatterns"), _senders(b)
    ),
    "SenderIpRanges": people.sender_ip,
    # the recipient; in the service "AnyOfRecipient..." does the same as "Recipient..." (New-TransportRule)
    "SentTo": lambda b: people.identity_is(b, "SentTo", people.recipients),
    "SentToScope": people.sent_to_scope,
    "RecipientDomainIs": lambda b: people.domain_is(b, "RecipientDomainIs", people.recipients),
    "RecipientAddressContainsWords": _recipient_words("RecipientAddressContainsWords"),
    "RecipientAddressMatchesPatterns": _recipient_patterns("RecipientAddressMatchesPatterns"),
    "AnyOfRecipientAddressContainsWords": _recipient_words("AnyOfRecipientAddressContainsWords"),
    "AnyOfRecipientAddressMatchesPatterns": _recipient_patterns("AnyOfRecipientAddressMatchesPatterns"),
    "AnyOfToHeader": lambda b: people.identity_is(b, "AnyOfToHeader", _TO),
    "AnyOfCcHeader": lambda b: people.identity_is(b, "AnyOfCcHeader", _CC),
    "AnyOfToCcHeader": lambda b: people.identity_is(b, "AnyOfToCcHeader", _TO_CC),
    # the header
    "HeaderContainsMessageHeader": lambda b: content.header_search(
        b, "HeaderContainsMessageHeader", b.words("HeaderContainsWords")
    ),
    "HeaderMatchesMessageHeader": lambda b: content.header_search(
        b, "HeaderMatchesMessageHeader", b.patterns("HeaderMatchesPatterns")
    ),
    "SubjectContainsWords": lambda b: content.subject_search(b.words("SubjectContainsWords")),
    "SubjectMatchesPatterns": lambda b: content.subject_search(b.patterns("SubjectMatchesPatterns")),
    "SubjectOrBodyContainsWords": lambda b: content.body_search(b.words("SubjectOrBodyContainsWords")),
    "SubjectOrBodyMatchesPatterns": lambda b: content.body_search(b.patterns("SubjectOrBodyMatchesPatterns")),
    # the message
    "MessageTypeMatches": content.type_is,
    "WithImportance": content.importance_is,
    "MessageSizeOver": content.message_over,
    "SCLOver": content.scl_over,
    "AttachmentSizeOver": content.attachment_over,
    "AttachmentNameMatchesPatterns": lambda b: content.attachment_name(b.patterns("AttachmentNameMatchesPatterns")),
    "AttachmentExtensionMatchesWords": content.attachment_extension,
}
"""Parameter name of a condition -> its builder. A pair of parameters stands under the one that names the field."""

COMPANIONS: Mapping[str, str] = {
    "HeaderContainsWords": "HeaderContainsMessageHeader",
    "HeaderMatchesPatterns": "HeaderMatchesMessageHeader",
}
"""Second half of a pair -> first half."""

_DIRECTORY = "there is no directory of people and groups to look it up in"
_CONTENT = "the contents of attachments are not read"
_LABELS = "classifications of messages are not read"
_SERVICE = "only the service itself can tell"
NOT_EVALUATED: Mapping[str, str] = {
    **dict.fromkeys(
        (
            *("FromMemberOf", "SentToMemberOf", "BetweenMemberOf1", "BetweenMemberOf2"),
            *("AnyOfToHeaderMemberOf", "AnyOfCcHeaderMemberOf", "AnyOfToCcHeaderMemberOf"),
            *("ManagerAddresses", "ManagerForEvaluatedUser", "SenderManagementRelationship"),
            *("ADComparisonAttribute", "ADComparisonOperator"),
            *("SenderADAttributeContainsWords", "SenderADAttributeMatchesPatterns"),
            *("RecipientADAttributeContainsWords", "RecipientADAttributeMatchesPatterns"),
            *("SenderInRecipientList", "RecipientInSenderList"),
        ),
        _DIRECTORY,
    ),
    **dict.fromkeys(
        (
            *("AttachmentContainsWords", "AttachmentMatchesPatterns", "AttachmentPropertyContainsWords"),
            *("AttachmentIsUnsupported", "AttachmentProcessingLimitExceeded", "AttachmentHasExecutableContent"),
            *("AttachmentIsPasswordProtected", "ContentCharacterSetContainsWords"),
        ),
        _CONTENT,
    ),
    **dict.fromkeys(
        (
            *("HasClassification", "HasNoClassification", "HasSenderOverride"),
            *("MessageContainsDataClassifications", "MessageContainsAllDataClassifications"),
        ),
        _LABELS,
    ),
    **dict.fromkeys(("ContentMatchesPrompt", "ContentMatchesPromptVerdict"), _SERVICE),
}
"""Conditions that Exchange Online has and Sidedoor does not evaluate, with the reason."""
