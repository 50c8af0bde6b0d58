"""What is not evaluated is named, and a rule that rests on it never fires."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sidedoor.policy.mailflow import conditions, effects
from sidedoor.policy.mailflow.result import MailVerdict, Part
from sidedoor.tenant.settings import transport_rule
from sidedoor.tenant.snapshot import TransportRule
from tests.policy.mailflow.kit import NOW, message, rule, rules

FULL = json.loads(
    (Path(__file__).parents[2] / "data" / "transport_rules" / "all_keys.json").read_text(encoding="utf-8")
)
CONDITIONS: list[tuple[dict[str, Any], str]] = [
    *(({key: "x"}, key) for key in conditions.NOT_EVALUATED),
    ({"SenderDomainIs": ["not a domain"]}, "SenderDomainIs"),
    ({"SenderDomainIs": "System.Object[]"}, "SenderDomainIs"),
    ({"SenderIpRanges": ["192.0.2.1", "all"]}, "SenderIpRanges"),
    ({"SenderIpRanges": ["192.0.2.9-192.0.2.1"]}, "SenderIpRanges"),
    ({"From": ["Tony Smith"]}, "From"),
    ({"SubjectMatchesPatterns": ["(?=x)"]}, "SubjectMatchesPatterns"),
    ({"SubjectMatchesPatterns": ["x"], "UseLegacyRegex": True}, "SubjectMatchesPatterns"),
    ({"SubjectContainsWords": ["  "]}, "SubjectContainsWords"),
    ({"SubjectContainsWords": "one, two"}, "SubjectContainsWords"),
    ({"HeaderContainsMessageHeader": "X"}, "HeaderContainsMessageHeader"),
    ({"HeaderContainsWords": ["x"]}, "HeaderContainsWords"),
    ({"FromScope": "ExternalPartner"}, "FromScope"),
    ({"SentToScope": "ExternalNonPartner"}, "SentToScope"),
    ({"MessageTypeMatches": "Poem"}, "MessageTypeMatches"),
    ({"WithImportance": "Very"}, "WithImportance"),
    ({"MessageSizeOver": "much"}, "MessageSizeOver"),
    ({"SCLOver": "12"}, "SCLOver"),
    ({"SomethingNew": "x"}, "SomethingNew"),
]


@pytest.mark.parametrize(("settings", "key"), CONDITIONS)
@pytest.mark.parametrize("prefix", ["", "ExceptIf"])
def test_the_rule_is_named_and_never_fires(settings: dict[str, Any], key: str, prefix: str) -> None:
    if prefix and "UseLegacyRegex" in settings:
        settings = {"ExceptIfSubjectMatchesPatterns": ["x"], "UseLegacyRegex": True}
    else:
        settings = {prefix + name: value for name, value in settings.items()}
    compiled = rules(rule(**settings, DeleteMessage=True))
    part = Part.EXCEPTION if prefix else Part.CONDITION
    assert [(each.setting, each.part) for each in compiled.unsupported] == [(prefix + key, part)]
    assert compiled.unsupported[0].why
    flow = compiled.apply(message(), NOW)
    assert (flow.verdict, flow.fired) == (MailVerdict.DELIVER, ())
    assert flow.undetermined[0].rule == "R"
    assert flow.unsupported == compiled.unsupported


def test_it_is_no_matter_where_something_else_stands_against_the_rule() -> None:
    flow = rules(rule(FromMemberOf=["all"], SubjectContainsWords=["fax"], DeleteMessage=True)).apply(message(), NOW)
    assert flow.determined


PROPERTIES: list[tuple[TransportRule, str]] = [
    (rule("R", 0, "", Quarantine=True), "Mode"),
    (rule("R", 0, "Dream", Quarantine=True), "Mode"),
    (rule(SenderAddressLocation="Heart", Quarantine=True), "SenderAddressLocation"),
    (rule(ActivationDate="11/3/2026 9:00:00 AM", Quarantine=True), "ActivationDate"),
    (rule(RuleSubType="Dlp", Quarantine=True), "RuleSubType"),
    (transport_rule({"Name": "R", "Priority": 0, "Mode": "Enforce", "Conditions": None, "Quarantine": True}), "State"),
]


@pytest.mark.parametrize(("row", "key"), PROPERTIES)
def test_a_property_that_cannot_be_told(row: TransportRule, key: str) -> None:
    compiled = rules(row)
    assert [(each.setting, each.part) for each in compiled.unsupported] == [(key, Part.PROPERTY)]
    assert compiled.apply(message(), NOW).verdict is MailVerdict.DELIVER


def exported(**changes: Any) -> TransportRule:
    """A rule as Get-TransportRule shows it, all keys there."""
    return transport_rule({**FULL, **changes})


def test_a_rule_with_all_keys_of_the_service_and_nothing_set() -> None:
    compiled = rules(exported())
    assert (compiled.unsupported, compiled.notes) == ((), ())
    assert compiled.apply(message(), NOW).fired[0].actions == ()


def test_every_key_of_the_service_is_known() -> None:
    known = {*conditions.BUILDERS, *conditions.COMPANIONS, *conditions.NOT_EVALUATED,
             *effects.BUILDERS, *effects.COMPANIONS, *effects.NOT_TAKEN}  # fmt: skip
    for key, value in FULL.items():
        if value is None or value is False:
            compiled = rules(exported(**{key: "x"}))
            assert all("does not know" not in each.why for each in compiled.unsupported), key
    assert {key.removeprefix("ExceptIf") for key in FULL if key.startswith("ExceptIf")} <= known


CLASSES = "Microsoft.Exchange.MessagingPolicies.Rules.Tasks."


def test_a_class_that_the_columns_do_not_show() -> None:
    shown = {"Name": "R", "Priority": 0, "State": "Enabled", "Mode": "Enforce", "Quarantine": True}
    lists = {
        "Conditions": [CLASSES + "SentToMemberOfPredicate"],
        "Exceptions": [CLASSES + "FromPredicate"],
        "Actions": [CLASSES + "QuarantineAction", CLASSES + "ApplyOMEAction"],
    }
    compiled = rules(transport_rule({**shown, **lists}))
    assert [each.setting for each in compiled.unsupported] == ["Conditions", "Exceptions", "Actions"]
    assert compiled.apply(message(), NOW).fired == ()


def test_a_selection_of_columns_without_conditions_is_not_for_every_message() -> None:
    shown = {"Name": "R", "Priority": 0, "State": "Enabled", "Mode": "Enforce", "DeleteMessage": True}
    compiled = rules(transport_rule(shown))
    assert [each.setting for each in compiled.unsupported] == ["Conditions"]
    assert compiled.apply(message(), NOW).verdict is MailVerdict.DELIVER
    whole = rules(transport_rule({**shown, "Conditions": None, "Exceptions": None}))
    assert whole.apply(message(), NOW).verdict is MailVerdict.DELETE
    assert whole.notes == ()


def test_a_selection_without_exceptions_is_noted() -> None:
    row = {"Name": "R", "Priority": 0, "State": "Enabled", "Mode": "Enforce", "SenderDomainIs": ["a.example"]}
    assert "exceptions" in rules(transport_rule(row)).notes[0]
