"""The rules people have against Direct Send: a vendor's lock-down, and the one that marks it."""

from __future__ import annotations

from typing import Any

import pytest

from sidedoor.mail.network import parse_ip
from sidedoor.policy.mailflow.actions import SetHeader
from sidedoor.policy.mailflow.result import MailVerdict
from sidedoor.policy.mailflow.switches import FromScopeReading
from sidedoor.policy.mailflow.view import MessageView
from tests.policy.mailflow.kit import NOW, header, message, rule, rules, run, sender

LOCKDOWN = rule(
    "Only by the filter",
    FromScope="NotInOrganization",
    SenderAddressLocation="Header",
    SetSCL="6",
    Quarantine=True,
    ExceptIfSenderIpRanges=["198.51.100.0/24"],
    ExceptIfHeaderContainsMessageHeader="x-ms-exchange-meetingforward-message",
    ExceptIfHeaderContainsWords=["Forward"],
    ExceptIfMessageTypeMatches="Voicemail",
)
HELD, PASSED, OPEN = MailVerdict.QUARANTINE, MailVerdict.DELIVER, None
OUTSIDE = "joe@evil.example"


@pytest.mark.parametrize(("view", "expected"), [
    (message(OUTSIDE), HELD),
    (message(OUTSIDE, client_ip=parse_ip("198.51.100.7")), PASSED),
    (message(fields=header(From=OUTSIDE, x_ms_exchange_meetingforward_message="Forward")), PASSED),
    (message(fields=header(From=OUTSIDE, Content_Class="Voice-CA")), PASSED),
    (message(OUTSIDE, client_ip=parse_ip("2001:db8::1")), HELD),
    (message(authenticated=True), PASSED),
    (message(), OPEN),  # Direct Send: the documentation and the vendors disagree
])  # fmt: skip
def test_lock_down(view: MessageView, expected: MailVerdict | None) -> None:
    flow = run(view, LOCKDOWN)
    assert flow.verdict is (expected or PASSED)
    assert bool(flow.undetermined) is (expected is None)
    assert flow.scl == (6 if expected is HELD else None)


def test_lock_down_as_vendors_rely_on_it() -> None:
    flow = rules(LOCKDOWN, from_scope=FromScopeReading.OUTSIDE).apply(message(), NOW)
    assert (flow.verdict, flow.rule) == (HELD, "Only by the filter")
    assert flow.determined


def test_lock_down_is_created_disabled() -> None:
    from dataclasses import replace

    compiled = rules(replace(LOCKDOWN, enabled=False))
    assert compiled.disabled == ("Only by the filter",)
    assert compiled.apply(message(OUTSIDE), NOW).fired == ()


def detect(**changes: Any) -> Any:
    """The marking rule; before enforcement it only sets a field."""
    settings: dict[str, Any] = {
        "SenderDomainIs": ["contoso.com"],
        "SenderAddressLocation": "Envelope",
        "HeaderContainsMessageHeader": "X-MS-Exchange-Organization-AuthAs",
        "HeaderContainsWords": ["Anonymous"],
        "ExceptIfSenderIpRanges": ["192.0.2.10", "192.0.2.32-192.0.2.40"],
        "ExceptIfMessageTypeMatches": "Calendaring",
        "SetHeaderName": "X-DirectSend-Audit",
        "SetHeaderValue": "1",
    }
    return rule("Mark Direct Send", **{**settings, **changes})


def stamped(auth_as: str, **fields: str) -> Any:
    """Fields as the service stamps them."""
    return header(From="app@contoso.com", X_MS_Exchange_Organization_AuthAs=auth_as, **fields)


@pytest.mark.parametrize(("view", "marked"), [
    (message(fields=stamped("Anonymous")), True),
    (message(fields=stamped("Anonymous"), envelope_sender=sender("bounce@esp.example")), False),
    (message(fields=stamped("Anonymous"), envelope_sender=sender("")), False),
    (message(fields=stamped("Internal")), False),
    (message(fields=stamped("Anonymous"), client_ip=parse_ip("192.0.2.35")), False),
    (message(fields=stamped("Anonymous", Content_Type="text/calendar; method=REPLY")), False),
    (message(), False),  # nobody stamped it
])  # fmt: skip
def test_the_marking_rule(view: MessageView, marked: bool) -> None:
    flow = run(view, detect())
    assert flow.header_changes == ((SetHeader("X-DirectSend-Audit", "1"),) if marked else ())
    assert flow.determined
    assert flow.verdict is PASSED


def test_the_marking_rule_turned_to_quarantine() -> None:
    flow = run(message(fields=stamped("Anonymous")), detect(Quarantine=True))
    assert (flow.verdict, flow.rule) == (HELD, "Mark Direct Send")


def test_the_label_of_the_service_as_a_condition() -> None:
    row = rule(HeaderContainsMessageHeader="X-MS-Exchange-Organization-IsAnonymousDirectSend",
               HeaderContainsWords=["True"], Quarantine=True)  # fmt: skip
    labelled = header(From="a@contoso.com", X_MS_Exchange_Organization_IsAnonymousDirectSend="True")
    assert run(message(fields=labelled), row).verdict is HELD
    assert run(message(), row).verdict is PASSED
