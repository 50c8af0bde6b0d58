"""What rules do, in which order, and what later rules see of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from sidedoor.mail.address import parse_address
from sidedoor.mail.fact import Unknown
from sidedoor.mail.reply import Reply
from sidedoor.policy.mailflow.actions import (
    Action,
    AddRecipients,
    AuditSeverity,
    Delete,
    Disclaimer,
    Field,
    IncidentReport,
    Notify,
    PrependSubject,
    Quarantine,
    Redirect,
    Reject,
    RemoveHeader,
    SetHeader,
    SetScl,
    StopRules,
)
from sidedoor.policy.mailflow.effects import BUILDERS
from sidedoor.policy.mailflow.result import MailVerdict, Part
from tests.policy.mailflow.kit import NOW, message, rule, rules, run

BOB, EVE = parse_address("bob@contoso.com"), parse_address("eve@contoso.com")
REFUSED = "Delivery not authorized, message refused"
CASES: list[tuple[dict[str, Any], Action]] = [
    ({"SetHeaderName": "X-A", "SetHeaderValue": " 1 "}, SetHeader("X-A", "1")),
    ({"RemoveHeader": "X-A"}, RemoveHeader("X-A")),
    ({"PrependSubject": "[Ext] "}, PrependSubject("[Ext] ")),
    ({"SetSCL": -1}, SetScl(-1)),
    ({"SetSCL": "9"}, SetScl(9)),
    ({"AddToRecipients": ["bob@contoso.com"]}, AddRecipients(Field.TO, (BOB,))),
    ({"CopyTo": ["bob@contoso.com", "eve@contoso.com"]}, AddRecipients(Field.CC, (BOB, EVE))),
    ({"BlindCopyTo": "bob@contoso.com"}, AddRecipients(Field.BCC, (BOB,))),
    ({"RedirectMessageTo": ["bob@contoso.com"]}, Redirect((BOB,))),
    ({"ApplyHtmlDisclaimerText": "<p>x</p>"}, Disclaimer("<p>x</p>", "Append", "Wrap")),
    ({"ApplyHtmlDisclaimerText": "x", "ApplyHtmlDisclaimerLocation": "Prepend",
      "ApplyHtmlDisclaimerFallbackAction": "Ignore"}, Disclaimer("x", "Prepend", "Ignore")),
    ({"GenerateIncidentReport": "soc@contoso.com", "IncidentReportContent": ["Sender", "Subject"]},
     IncidentReport("soc@contoso.com", ("Sender", "Subject"))),
    ({"GenerateNotification": "<b>held</b>"}, Notify("<b>held</b>")),
    ({"SetAuditSeverity": "High"}, AuditSeverity("High")),
    ({"Quarantine": "True"}, Quarantine()),
    ({"DeleteMessage": True}, Delete()),
    ({"StopRuleProcessing": True}, StopRules()),
    ({"RejectMessageReasonText": "No,\r\n250 OK"}, Reject(Reply(550, "5.7.1", "No, 250 OK"))),
    ({"RejectMessageEnhancedStatusCode": "5.7.950"}, Reject(Reply(550, "5.7.950", REFUSED))),
    ({"RejectMessageReasonText": "No", "RejectMessageEnhancedStatusCode": "5.7.1"}, Reject(Reply(550, "5.7.1", "No"))),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "action"), CASES)
def test_an_action(settings: dict[str, Any], action: Action) -> None:
    compiled = rules(rule(**settings))
    assert compiled.unsupported == ()
    assert compiled.apply(message(), NOW).actions == (action,)
    assert compiled.rules_with(type(action)) == (("R", type(action).__name__),)


def test_every_action_has_a_case() -> None:
    assert set(BUILDERS) <= {key for settings, _ in CASES for key in settings} | {"RejectMessageReasonText"}


BAD: list[tuple[dict[str, Any], str]] = [
    ({"SetHeaderName": "X-A"}, "SetHeaderName"),
    ({"SetHeaderValue": "1"}, "SetHeaderName"),
    ({"SetHeaderName": "X A", "SetHeaderValue": "1"}, "SetHeaderName"),
    ({"SetHeaderName": "X-A:", "SetHeaderValue": "1"}, "SetHeaderName"),
    ({"SetHeaderName": "X-A", "SetHeaderValue": "1\r\nX-B: 2"}, "SetHeaderName"),
    ({"SetHeaderName": "X-A\r\nX-B", "SetHeaderValue": "1"}, "SetHeaderName"),
    ({"PrependSubject": "x\ny"}, "PrependSubject"),
    ({"SetSCL": "10"}, "SetSCL"),
    ({"RedirectMessageTo": ["Tony Smith"]}, "RedirectMessageTo"),
    ({"CopyTo": ["bob@contoso.com", "Tony"]}, "CopyTo"),
    ({"CopyTo": "System.Object[]"}, "CopyTo"),
    ({"Quarantine": "perhaps"}, "Quarantine"),
    ({"ApplyOME": True}, "ApplyOME"),
    ({"RouteMessageOutboundConnector": "c"}, "RouteMessageOutboundConnector"),
    ({"ModerateMessageByUser": ["bob@contoso.com"]}, "ModerateMessageByUser"),
]


@pytest.mark.parametrize(("settings", "key"), BAD)
def test_an_action_that_cannot_be_taken_is_named_and_the_rest_is_done(settings: dict[str, Any], key: str) -> None:
    compiled = rules(rule(**settings, SetAuditSeverity="Low"))
    assert [(each.setting, each.part) for each in compiled.unsupported] == [(key, Part.ACTION)]
    flow = compiled.apply(message(), NOW)
    assert flow.actions == (AuditSeverity("Low"),)
    assert flow.unsupported == flow.fired[0].left_out == compiled.unsupported
    assert not flow.determined


@pytest.mark.parametrize("code", ["5.7.68", "5.7.51", "5.1.1", "5.7.9000", "5.7.899", "x"])
def test_a_rule_cannot_imitate_the_service(code: str) -> None:
    compiled = rules(rule(RejectMessageEnhancedStatusCode=code, RejectMessageReasonText="No"))
    flow = compiled.apply(message(), NOW)
    assert (flow.verdict, flow.reply) == (MailVerdict.REJECT, Reply(550, "5.7.1", "No"))
    assert [each.setting for each in compiled.unsupported] == ["RejectMessageEnhancedStatusCode"]


MARK = {"SetHeaderName": "X-Seen", "SetHeaderValue": "1"}
SEEN = {"HeaderContainsMessageHeader": "X-Seen", "HeaderContainsWords": ["1"]}


@pytest.mark.parametrize(("ending", "verdict"), [
    ("Quarantine", MailVerdict.QUARANTINE),
    ("DeleteMessage", MailVerdict.DELETE),
    ("StopRuleProcessing", MailVerdict.DELIVER),
])  # fmt: skip
def test_what_ends_the_rules(ending: str, verdict: MailVerdict) -> None:
    flow = run(message(), rule("last", 7, **MARK), rule("first", 0, **{ending: True}))
    assert [fired.rule for fired in flow.fired] == ["first"]
    assert flow.verdict is verdict
    assert flow.rule == (None if verdict is MailVerdict.DELIVER else "first")


def test_a_rejection_ends_the_rules() -> None:
    flow = run(message(), rule("first", 0, RejectMessageReasonText="No"), rule("last", 1, **MARK))
    assert (flow.verdict, flow.header_changes) == (MailVerdict.REJECT, ())


def test_of_several_ends_the_message_is_held() -> None:
    flow = run(message(), rule(DeleteMessage=True, Quarantine=True, RejectMessageReasonText="No"))
    assert (flow.verdict, flow.reply, flow.actions) == (MailVerdict.QUARANTINE, None, (Quarantine(),))


def test_later_rules_see_a_header_that_was_set_and_one_that_was_removed() -> None:
    flow = run(message(), rule("a", 0, **MARK), rule("b", 1, **SEEN, SetSCL=5), rule("c", 2, RemoveHeader="x-seen"),
               rule("d", 3, **SEEN, Quarantine=True))  # fmt: skip
    assert [fired.rule for fired in flow.fired] == ["a", "b", "c"]
    assert flow.scl == 5


def test_rules_run_by_priority_not_by_place() -> None:
    flow = run(message(), rule("b", 2, **SEEN, Quarantine=True), rule("a", 1, **MARK))
    assert [fired.rule for fired in flow.fired] == ["a", "b"]


def test_later_rules_see_the_new_subject_and_scl() -> None:
    flow = run(message(), rule("a", 0, PrependSubject="[Ext] "), rule("b", 1, SubjectMatchesPatterns=[r"^\[ext\] s"],
               SetSCL=6), rule("c", 2, SCLOver=6, SetSCL=9))  # fmt: skip
    assert [fired.rule for fired in flow.fired] == ["a", "b", "c"]
    assert flow.scl == 9


def test_later_rules_see_the_new_recipient() -> None:
    moved = rule("a", 0, RedirectMessageTo=["bob@contoso.com"])
    flow = run(message(), moved, rule("b", 1, SentTo=["bob@contoso.com"], Quarantine=True))
    assert flow.verdict is MailVerdict.QUARANTINE
    many = rule("a", 0, RedirectMessageTo=["bob@contoso.com", "eve@contoso.com"])
    assert run(message(), many, rule("b", 1, SentTo=["bob@contoso.com"], Quarantine=True)).undetermined != ()


REPORT = {"GenerateIncidentReport": "soc@contoso.com", "GenerateNotification": "x", "SetAuditSeverity": "Low"}


@pytest.mark.parametrize(("mode", "kinds"), [
    ("Audit", [AuditSeverity, IncidentReport]),
    ("AuditAndNotify", [AuditSeverity, IncidentReport, Notify]),
    ("enforce", [AuditSeverity, SetScl, IncidentReport, Notify, Quarantine, StopRules]),
])  # fmt: skip
def test_modes(mode: str, kinds: list[type[object]]) -> None:
    tried = rule("a", 0, mode, SetSCL=5, Quarantine=True, StopRuleProcessing=True, **REPORT)
    flow = run(message(), tried, rule("b", 1, SCLOver=5, SetSCL=1))
    assert [type(action) for action in flow.fired[0].actions] == kinds
    assert (flow.verdict is MailVerdict.QUARANTINE) is (mode == "enforce")


@pytest.mark.parametrize(("dates", "runs"), [
    ({"ActivationDate": "2026-11-24T12:00:00Z"}, True),
    ({"ActivationDate": "2026-11-24T12:00:01Z"}, False),
    ({"ExpiryDate": "2026-11-24T12:00:00Z"}, True),
    ({"ExpiryDate": "/Date(1700000000000)/"}, False),
    ({"ActivationDate": "2026-11-01T00:00:00Z", "ExpiryDate": "2026-12-01T00:00:00Z"}, True),
])  # fmt: skip
def test_dates(dates: dict[str, str], runs: bool) -> None:
    assert bool(run(message(), rule(**dates, Quarantine=True)).fired) is runs


def test_a_date_is_asked_of_the_argument() -> None:
    row = rule(ActivationDate="2026-11-25T00:00:00Z", Quarantine=True)
    assert run(message(), row, now=NOW + timedelta(days=1)).verdict is MailVerdict.QUARANTINE


OPEN = Unknown("nobody asked")
UNCLEAR = {"SenderIpRanges": ["192.0.2.1"]}
STAMP = "X-MS-Exchange-Organization-SCL"


class TestAfterAnUndeterminedRule:
    """A rule that may have acted: nothing behind it acts on a guess."""

    def test_a_later_rule_is_not_run_when_all_may_have_ended(self) -> None:
        first = rule("allow", 0, **UNCLEAR, StopRuleProcessing=True)
        flow = run(message(client_ip=OPEN), first, rule("kill", 1, DeleteMessage=True))
        assert flow.verdict is MailVerdict.DELIVER
        assert [each.rule for each in flow.undetermined] == ["allow", "kill"]
        assert "'allow'" in flow.undetermined[1].reasons[0]

    def test_a_later_rule_that_does_not_match_is_no_matter(self) -> None:
        first = rule("allow", 0, **UNCLEAR, Quarantine=True)
        flow = run(message(client_ip=OPEN), first, rule("x", 1, SubjectContainsWords=["fax"], DeleteMessage=True))
        assert [each.rule for each in flow.undetermined] == ["allow"]

    @pytest.mark.parametrize(("action", "condition"), [
        (MARK, SEEN),
        ({"RemoveHeader": "Subject"}, {"SubjectContainsWords": ["scan"]}),
        ({"PrependSubject": "fax "}, {"SubjectContainsWords": ["fax"]}),
        ({"SetSCL": 5}, {"SCLOver": 5}),
        ({"SetSCL": 5}, {"HeaderContainsMessageHeader": STAMP, "HeaderContainsWords": ["5"]}),
        ({"RedirectMessageTo": ["bob@contoso.com"]}, {"SentTo": ["bob@contoso.com"]}),
        ({"SetHeaderName": "From", "SetHeaderValue": "a@b.example"}, {"SenderDomainIs": ["b.example"]}),
        ({"SetHeaderName": "Content-Class", "SetHeaderValue": "Voice"}, {"MessageTypeMatches": "Voicemail"}),
    ])  # fmt: skip
    def test_what_it_may_have_changed_is_unknown(self, action: dict[str, Any], condition: dict[str, Any]) -> None:
        first = rule("first", 0, **UNCLEAR, **action)
        flow = run(message(client_ip=OPEN, scl=5), first, rule("second", 1, **condition, DeleteMessage=True))
        assert [each.rule for each in flow.undetermined] == ["first", "second"]
        assert flow.verdict is MailVerdict.DELIVER

    def test_a_rule_in_audit_mode_changes_nothing(self) -> None:
        first = rule("first", 0, "Audit", **UNCLEAR, Quarantine=True, **MARK)
        flow = run(message(client_ip=OPEN), first, rule("second", 1, ExceptIfHeaderContainsMessageHeader="X-Seen",
                   ExceptIfHeaderContainsWords=["1"], Quarantine=True))  # fmt: skip
        assert flow.verdict is MailVerdict.QUARANTINE

    def test_setting_a_field_settles_it(self) -> None:
        flow = run(message(client_ip=OPEN), rule("a", 0, **UNCLEAR, **MARK), rule("b", 1, **MARK),
                   rule("c", 2, **SEEN, Quarantine=True))  # fmt: skip
        assert flow.verdict is MailVerdict.QUARANTINE
