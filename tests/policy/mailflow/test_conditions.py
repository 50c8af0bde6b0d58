"""Each condition on a table of messages; the exception of the same name answers the contrary."""

from __future__ import annotations

from typing import Any

import pytest

from sidedoor.mail.address import parse_address
from sidedoor.mail.domain import Domain
from sidedoor.mail.fact import Unknown
from sidedoor.mail.network import parse_ip
from sidedoor.policy.mailflow.conditions import BUILDERS
from sidedoor.policy.mailflow.result import MailFlow, MailVerdict
from sidedoor.policy.mailflow.switches import FromScopeReading
from sidedoor.policy.mailflow.view import Attachment, MessageView
from sidedoor.tenant.snapshot import AcceptedDomain, DomainKind
from tests.policy.mailflow.kit import NOW, header, message, rule, rules, run, sender

NO = Unknown("not told")
DIRECT = message()
FOREIGN = message("joe@evil.example", envelope_sender=sender("joe@evil.example"))
INNER = message(authenticated=True)
LOOP = message(fields=header(From="a@contoso.com", X_Loop="Re: seen by Contoso.", X_Other="x"))
CASES: list[tuple[dict[str, Any], MessageView, bool | None]] = [
    # sender: header, envelope, either
    ({"SenderDomainIs": ["contoso.com"]}, DIRECT, True),
    ({"SenderDomainIs": ["contoso.com"]}, message("a@dev.contoso.com"), True),
    ({"SenderDomainIs": ["contoso.com"]}, message("a@notcontoso.com"), False),
    ({"SenderDomainIs": ["fabrikam.com", "CONTOSO.COM"]}, DIRECT, True),
    ({"SenderDomainIs": ["*.contoso.com"]}, DIRECT, True),
    ({"SenderDomainIs": "contoso.com"}, DIRECT, True),
    ({"SenderDomainIs": ["contoso.com"]}, message("a@evil.example"), False),
    ({"SenderDomainIs": ["contoso.com"]}, message("a@evil.example, b@contoso.com"), True),
    ({"SenderDomainIs": ["contoso.com"], "SenderAddressLocation": "Envelope"}, message("a@evil.example"), True),
    ({"SenderDomainIs": ["contoso.com"], "SenderAddressLocation": "Envelope"},
     message(envelope_sender=sender("a@evil.example")), False),
    ({"SenderDomainIs": ["contoso.com"], "SenderAddressLocation": "Envelope"}, message(envelope_sender=sender("")),
     False),
    ({"SenderDomainIs": ["contoso.com"], "SenderAddressLocation": "Envelope"}, message(envelope_sender=NO), None),
    ({"SenderDomainIs": ["contoso.com"], "SenderAddressLocation": "HeaderOrEnvelope"}, message("a@evil.example"), True),
    ({"SenderDomainIs": ["contoso.com"], "SenderAddressLocation": "HeaderOrEnvelope"}, FOREIGN, False),
    ({"SenderDomainIs": ["contoso.com"], "SenderAddressLocation": "Header"}, message(fields=NO), None),
    # a Sender field is not looked at in Exchange Online
    ({"SenderDomainIs": ["contoso.com"]},
     message(fields=header(From="a@evil.example", Sender="a@contoso.com")), False),
    ({"From": ["App@Contoso.com"]}, DIRECT, True),
    ({"From": ["other@contoso.com"]}, DIRECT, False),
    ({"From": ["app@contoso.com", "Tony"]}, DIRECT, True),
    ({"From": ["bob@contoso.com", "Tony"]}, DIRECT, None),
    ({"FromAddressContainsWords": ["app"]}, DIRECT, True),
    ({"FromAddressContainsWords": ["pp"]}, DIRECT, False),
    ({"FromAddressContainsWords": ["@contoso.com"]}, DIRECT, True),
    ({"FromAddressMatchesPatterns": [r"^a\w+@contoso\.com$"]}, DIRECT, True),
    ({"FromAddressMatchesPatterns": [r"^$"]}, message(fields=header(From="")), False),
    # scope
    ({"FromScope": "NotInOrganization"}, FOREIGN, True),
    ({"FromScope": "NotInOrganization"}, INNER, False),
    ({"FromScope": "NotInOrganization"}, DIRECT, None),
    ({"FromScope": "NotInOrganization"}, message(fields=header(To="x@y.example")), None),
    ({"FromScope": "NotInOrganization"}, message("a@sub.group.example", authenticated=True), False),
    ({"FromScope": "NotInOrganization"}, message("a@evil.example, b@contoso.com"), None),
    ({"FromScope": "InOrganization"}, INNER, True),
    ({"FromScope": "InOrganization"}, DIRECT, False),
    ({"FromScope": "InOrganization"}, message(authenticated=NO), None),
    ({"FromScope": "InOrganization"}, message("joe@evil.example", authenticated=NO), False),
    ({"SentToScope": "InOrganization"}, DIRECT, True),
    ({"SentToScope": "NotInOrganization"}, message(recipient=parse_address("x@fabrikam.com")), True),
    ({"SentToScope": "NotInOrganization"}, message(recipient=NO), None),
    # client address
    ({"SenderIpRanges": ["203.0.113.10"]}, DIRECT, True),
    ({"SenderIpRanges": ["203.0.113.0-203.0.113.20"]}, DIRECT, True),
    ({"SenderIpRanges": ["198.51.100.1", "203.0.113.0/28"]}, DIRECT, True),
    ({"SenderIpRanges": ["203.0.113.11-203.0.113.20"]}, DIRECT, False),
    ({"SenderIpRanges": ["2001:db8::/32"]}, message(client_ip=parse_ip("2001:db8::1")), True),
    ({"SenderIpRanges": ["203.0.113.10"]}, message(client_ip=NO), None),
    ({"SenderIpRanges": ["203.0.113.10"]}, message(client_ip=None), False),
    # recipient
    ({"RecipientDomainIs": ["com"]}, DIRECT, True),
    ({"RecipientDomainIs": ["fabrikam.com"]}, DIRECT, False),
    ({"SentTo": ["ANN@contoso.com"]}, DIRECT, True),
    ({"SentTo": ["bob@contoso.com"]}, DIRECT, False),
    ({"SentTo": ["bob@contoso.com"]}, message(recipient=NO), None),
    ({"RecipientAddressContainsWords": ["ann"]}, DIRECT, True),
    ({"AnyOfRecipientAddressContainsWords": ["anna"]}, DIRECT, False),
    ({"RecipientAddressMatchesPatterns": ["^a.n@"]}, DIRECT, True),
    ({"AnyOfRecipientAddressMatchesPatterns": ["^b"]}, DIRECT, False),
    ({"AnyOfToHeader": ["ann@contoso.com"]}, DIRECT, True),
    ({"AnyOfCcHeader": ["ann@contoso.com"]}, DIRECT, False),
    ({"AnyOfToCcHeader": ["ann@contoso.com"]}, message(fields=header(Cc="x <ann@contoso.com>")), True),
    # header and subject
    ({"HeaderContainsMessageHeader": "x-loop", "HeaderContainsWords": ["contoso"]}, LOOP, True),
    ({"HeaderContainsMessageHeader": "X-Loop", "HeaderContainsWords": ["conto", "seen by contoso"]}, LOOP, True),
    ({"HeaderContainsMessageHeader": "X-Loop", "HeaderContainsWords": ["conto"]}, LOOP, False),
    ({"HeaderContainsMessageHeader": "X-None", "HeaderContainsWords": ["conto"]}, LOOP, False),
    ({"HeaderContainsMessageHeader": "X-Loop", "HeaderContainsWords": ["*"]}, LOOP, False),
    ({"HeaderContainsMessageHeader": "X-Loop", "HeaderContainsWords": ["x"]}, message(fields=NO), None),
    ({"HeaderMatchesMessageHeader": "X-Loop", "HeaderMatchesPatterns": [r"by\s+contoso\.$"]}, LOOP, True),
    ({"HeaderMatchesMessageHeader": "X-Loop", "HeaderMatchesPatterns": ["^contoso"]}, LOOP, False),
    ({"SubjectContainsWords": ["scan"]}, DIRECT, True),
    ({"SubjectContainsWords": ["from the"]}, DIRECT, True),
    ({"SubjectContainsWords": ["can"]}, DIRECT, False),
    ({"SubjectMatchesPatterns": ["^scan .* printer$"]}, DIRECT, True),
    ({"SubjectOrBodyContainsWords": ["scan"]}, DIRECT, True),
    ({"SubjectOrBodyContainsWords": ["invoice"]}, DIRECT, None),
    ({"SubjectOrBodyContainsWords": ["invoice"]}, message(body="Your invoice, sir"), True),
    ({"SubjectOrBodyContainsWords": ["invoice"]}, message(body="nothing"), False),
    ({"SubjectOrBodyMatchesPatterns": ["sir$"]}, message(body="Your invoice, sir\n"), True),
    # the message
    ({"MessageTypeMatches": "Voicemail"}, message(fields=header(Content_Class="Voice-CA")), True),
    ({"MessageTypeMatches": "Voicemail"}, DIRECT, False),
    ({"MessageTypeMatches": "Calendaring"}, message(fields=header(Content_Type="text/calendar; method=REQUEST")), True),
    ({"MessageTypeMatches": "Calendaring"}, message(fields=header(Content_Type="multipart/mixed; boundary=x")), None),
    ({"MessageTypeMatches": "Calendaring"}, message(fields=NO), None),
    ({"WithImportance": "High"}, message(fields=header(Importance="high")), True),
    ({"WithImportance": "Normal"}, DIRECT, True),
    ({"WithImportance": "Low"}, DIRECT, False),
    ({"MessageSizeOver": "2 KB (2,048 bytes)"}, DIRECT, False),
    ({"MessageSizeOver": "2 KB (2,048 bytes)"}, message(size=2_049), True),
    ({"MessageSizeOver": "1KB"}, message(size=NO), None),
    ({"SCLOver": "5"}, message(scl=5), True),
    ({"SCLOver": 6}, message(scl=5), False),
    ({"SCLOver": -1}, DIRECT, None),
    ({"AttachmentSizeOver": "1 MB"}, message(attachments=(Attachment("a", 2 << 20),)), True),
    ({"AttachmentNameMatchesPatterns": [r"\.html?$"]}, message(attachments=(Attachment("A.HTM", 1),)), True),
    ({"AttachmentExtensionMatchesWords": ["exe", "svg"]}, message(attachments=(Attachment("a.SVG", 1),)), True),
    ({"AttachmentExtensionMatchesWords": ["exe"]}, message(attachments=(Attachment("exe", 1),)), False),
    ({"AttachmentExtensionMatchesWords": ["exe"]}, message(attachments=()), False),
    ({"AttachmentExtensionMatchesWords": ["exe"]}, DIRECT, None),
    # the other answer of those above
    ({"SentToScope": "NotInOrganization"}, DIRECT, False),
    ({"RecipientAddressContainsWords": ["anna"]}, DIRECT, False),
    ({"AnyOfRecipientAddressContainsWords": ["ann"]}, DIRECT, True),
    ({"RecipientAddressMatchesPatterns": ["^b"]}, DIRECT, False),
    ({"AnyOfRecipientAddressMatchesPatterns": ["@contoso"]}, DIRECT, True),
    ({"AnyOfToHeader": ["bob@contoso.com"]}, DIRECT, False),
    ({"AnyOfCcHeader": ["ann@contoso.com"]}, message(fields=header(CC="ann@contoso.com")), True),
    ({"AnyOfToCcHeader": ["bob@contoso.com"]}, DIRECT, False),
    ({"SubjectMatchesPatterns": ["^printer"]}, DIRECT, False),
    ({"SubjectOrBodyMatchesPatterns": ["^Your$"]}, message(body="Your invoice"), False),
    ({"AttachmentSizeOver": "2 MB"}, message(attachments=(Attachment("a", 2 << 20),)), False),
    ({"AttachmentNameMatchesPatterns": ["^b"]}, message(attachments=(Attachment("A.HTM", 1),)), False),
]  # fmt: skip


def answer(flow: MailFlow) -> bool | None:
    """Whether the one rule fired; None where it is undetermined."""
    assert len(flow.fired) + len(flow.undetermined) <= 1
    return None if flow.undetermined else bool(flow.fired)


@pytest.mark.parametrize(("settings", "view", "expected"), CASES)
def test_a_condition(settings: dict[str, Any], view: MessageView, expected: bool | None) -> None:
    flow = run(view, rule(**settings, Quarantine=True))
    assert answer(flow) is expected
    assert flow.verdict is (MailVerdict.QUARANTINE if expected else MailVerdict.DELIVER)


@pytest.mark.parametrize(("settings", "view", "expected"), CASES)
def test_its_exception_is_the_contrary(settings: dict[str, Any], view: MessageView, expected: bool | None) -> None:
    turned = {key if key == "SenderAddressLocation" else f"ExceptIf{key}": value for key, value in settings.items()}
    assert answer(run(view, rule(**turned, Quarantine=True))) is (None if expected is None else not expected)


def test_every_condition_has_a_case_that_holds_and_one_that_does_not() -> None:
    told = {(key, expected) for settings, _, expected in CASES for key in settings if key in BUILDERS}
    assert {(key, answer) for key in BUILDERS for answer in (True, False)} <= told


@pytest.mark.parametrize(("reading", "expected"), [
    (FromScopeReading.OPEN, None),
    (FromScopeReading.DOCUMENTED, False),
    (FromScopeReading.OUTSIDE, True),
])  # fmt: skip
def test_an_anonymous_sender_in_an_own_domain_is_a_switch(reading: FromScopeReading, expected: bool | None) -> None:
    compiled = rules(rule(FromScope="NotInOrganization", Quarantine=True), from_scope=reading)
    flow = compiled.apply(DIRECT, NOW)
    assert answer(flow) is expected
    if expected is None:
        assert "FromScopeReading" in flow.undetermined[0].reasons[0]


@pytest.mark.parametrize("key", ["FromScope", "SentToScope"])
def test_unknown_accepted_domains(key: str) -> None:
    compiled = rules(rule(**{key: "NotInOrganization"}, Quarantine=True), accepted=NO)
    assert answer(compiled.apply(INNER, NOW)) is None


SUBDOMAINS = (AcceptedDomain(Domain("contoso.com"), Unknown("kind not told"), Unknown("not told")),
              AcceptedDomain(Domain("relay.example"), DomainKind.EXTERNAL_RELAY, match_subdomains=True))  # fmt: skip


@pytest.mark.parametrize(("recipient", "expected"), [
    ("a@contoso.com", False),
    ("a@x.contoso.com", None),
    ("a@notcontoso.com", True),
    ("a@relay.example", True),
    ("a@x.relay.example", True),
])  # fmt: skip
def test_accepted_domains_that_tell_little(recipient: str, expected: bool | None) -> None:
    compiled = rules(rule(SentToScope="NotInOrganization", Quarantine=True), accepted=SUBDOMAINS)
    assert answer(compiled.apply(message(recipient=parse_address(recipient)), NOW)) is expected


def test_conditions_are_joined_by_and_values_by_or() -> None:
    both = rule(SenderDomainIs=["a.example", "contoso.com"], SubjectContainsWords=["fax", "scan"], Quarantine=True)
    assert answer(run(DIRECT, both)) is True
    assert answer(run(FOREIGN, both)) is False


def test_what_certainly_stands_against_a_rule_outweighs_unknowns() -> None:
    view = message(client_ip=NO)
    against = rule(SenderIpRanges=["192.0.2.1"], SubjectContainsWords=["fax"], Quarantine=True)
    excepted = rule(SenderIpRanges=["192.0.2.1"], ExceptIfSubjectContainsWords=["scan"], Quarantine=True)
    assert answer(run(view, against)) is False
    assert answer(run(view, excepted)) is False


def test_one_exception_is_enough() -> None:
    row = rule(Quarantine=True, ExceptIfSenderIpRanges=["192.0.2.1"], ExceptIfSubjectContainsWords=["scan"])
    assert answer(run(DIRECT, row)) is False


def test_a_rule_without_conditions_is_for_every_message() -> None:
    flow = run(DIRECT, rule(Quarantine=True))
    assert answer(flow) is True
    assert flow.fired[0].reason == "no conditions: every message"
