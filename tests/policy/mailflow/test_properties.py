"""Whatever an export and a message hold: an answer, never an error, and no rule fires on what is not known."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sidedoor.mail.address import parse_address
from sidedoor.mail.fact import Unknown
from sidedoor.mail.network import parse_ip
from sidedoor.policy.mailflow import conditions, effects
from sidedoor.policy.mailflow.actions import Quarantine, Reject, SetHeader
from sidedoor.policy.mailflow.header import has_controls, header_fields
from sidedoor.policy.mailflow.octets import apply_changes
from sidedoor.policy.mailflow.result import MailVerdict, Part
from sidedoor.policy.mailflow.view import Attachment, MessageView
from sidedoor.tenant.settings import transport_rule
from sidedoor.tenant.snapshot import TransportRule
from tests.policy.mailflow.kit import NOW, message, rule, rules, sender

NO = Unknown("not told")
CONDITIONS = [*conditions.BUILDERS, *conditions.COMPANIONS, *conditions.NOT_EVALUATED]
KEYS = [
    *CONDITIONS, *(f"ExceptIf{key}" for key in CONDITIONS), *effects.BUILDERS, *effects.COMPANIONS, *effects.NOT_TAKEN,
    *("SenderAddressLocation", "ActivationDate", "ExpiryDate", "RuleSubType", "UseLegacyRegex", "Conditions", "x@y"),
]  # fmt: skip
TEXTS = st.text(max_size=20) | st.sampled_from([
    *("contoso.com", "app@contoso.com", "192.0.2.0/24", "NotInOrganization", "InOrganization", "Envelope", "Voicemail"),
    *("5", "5 MB", "High", "X-A", "a\r\nB: c", "(a+)+$", "[", "True", "System.Object[]", "2026-01-01T00:00:00Z"),
    "5.7.1",
])  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 12) | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=5,
)
EXPORTED = st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=8), VALUES, max_size=6)
ADDRESSES = st.sampled_from(["app@contoso.com", "joe@evil.example", "x@sub.group.example"])


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A fact that may be unknown."""
    return values | st.just(NO)


LINES = [b"From: app@contoso.com", b"From: <joe@evil.example>", b"Subject: scan", b"X-A: b", b"To: x", b"\xff\x00: ",
         b"Content-Type: multipart/mixed", b"Importance: high"]  # fmt: skip
CONTENT = st.lists(st.sampled_from(LINES), max_size=6).map(lambda lines: b"".join(line + b"\r\n" for line in lines))
VIEWS = st.builds(
    MessageView,
    maybe(st.one_of(ADDRESSES, st.just("")).map(sender)),
    maybe(ADDRESSES.map(parse_address)),
    maybe(st.sampled_from([None, parse_ip("192.0.2.7"), parse_ip("2001:db8::1")])),
    maybe(st.booleans()),
    maybe(CONTENT.map(header_fields)),
    maybe(st.integers(0, 10 << 20)),
    maybe(st.integers(-1, 9)),
    maybe(st.text(max_size=30)),
    maybe(st.frozensets(st.sampled_from(["text/calendar", "text/plain"]))),
    maybe(st.lists(st.builds(Attachment, TEXTS, st.integers(0, 9)), max_size=2).map(tuple)),
)


def exported(item: dict[str, Any], priority: int = 0) -> TransportRule:
    """The rule that an export shows."""
    return transport_rule({"Mode": "Enforce", **item, "Name": "R", "Priority": priority, "State": "Enabled"})


@given(st.lists(EXPORTED, max_size=3), VIEWS, CONTENT)
@settings(max_examples=300)
def test_any_export_and_any_message_have_an_answer(
    items: list[dict[str, Any]], view: MessageView, content: bytes
) -> None:
    compiled = rules(*(exported(item, number) for number, item in enumerate(items)))
    flow = compiled.apply(view, NOW)
    assert (flow.reply is not None) is (flow.verdict is MailVerdict.REJECT)
    assert (flow.rule is None) is (flow.verdict is MailVerdict.DELIVER)
    apply_changes(content, flow.header_changes)


@given(EXPORTED, VIEWS)
@settings(max_examples=300)
def test_a_rule_with_something_not_evaluated_never_fires(item: dict[str, Any], view: MessageView) -> None:
    row = exported(item)
    compiled = rules(row)
    blocked = [each for each in compiled.unsupported if each.part is not Part.ACTION]
    assert not blocked or compiled.apply(view, NOW).fired == ()


@given(EXPORTED)
@settings(max_examples=300)
def test_nothing_that_is_set_is_skipped_in_silence(item: dict[str, Any]) -> None:
    row = exported(item)
    compiled = rules(row)
    named = {each.setting.lower() for each in compiled.unsupported}
    labels = [test.label for each in compiled.rules for test in (*each.conditions, *each.exceptions)]
    for key, value in row.settings.items():
        if key in CONDITIONS and key not in conditions.COMPANIONS and value not in (False, [], "", {}):
            shown = any(label.startswith(f"{key} ") for label in labels)
            assert shown or key.lower() in named or not str(value).strip() or str(value).strip().lower() in {
                "false", "$false", "[]", "{}"}  # fmt: skip


@given(st.text(max_size=40), st.text(max_size=40))
@settings(max_examples=300)
def test_no_export_can_inject_a_field(name: str, value: str) -> None:
    flow = rules(rule(SetHeaderName=name, SetHeaderValue=value, PrependSubject=value)).apply(message(), NOW)
    changed = apply_changes(b"A: 1\r\n\r\nbody", flow.header_changes)
    added = {change.name.lower() if isinstance(change, SetHeader) else "subject" for change in flow.header_changes}
    assert {field.name.lower() for field in header_fields(changed)} == {"a"} | added
    assert changed.endswith(b"\r\n\r\nbody")


@given(st.text(max_size=2_000))
def test_no_reason_can_add_a_reply_line(text: str) -> None:
    flow = rules(rule(RejectMessageReasonText=text, RejectMessageEnhancedStatusCode="5.7.1")).apply(message(), NOW)
    assert [type(action) for action in flow.actions] == [Reject]
    assert flow.reply is not None
    assert not has_controls(flow.reply.text)
    assert len(flow.reply.text) <= 1_024


@given(st.dictionaries(st.sampled_from(["client_ip", "fields", "envelope_sender", "recipient", "authenticated"]),
                       st.just(NO)))  # fmt: skip
def test_knowing_less_never_makes_a_rule_fire(less: dict[str, Any]) -> None:
    rows = (
        rule("a", 0, SenderIpRanges=["203.0.113.10"], FromScope="InOrganization", Quarantine=True),
        rule("b", 1, ExceptIfSenderDomainIs=["contoso.com"], ExceptIfSenderIpRanges=["192.0.2.1"], Quarantine=True),
        rule("c", 2, SentTo=["bob@contoso.com"], Quarantine=True),
    )
    assert rules(*rows).apply(message(), NOW).fired == ()
    flow = rules(*rows).apply(message(**less), NOW)
    assert flow.fired == ()
    assert Quarantine() not in flow.actions
