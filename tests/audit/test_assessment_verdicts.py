"""The verdict, case by case: what decides, what must not, and which reasons are told."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidedoor.audit.flow import Flow
from sidedoor.audit.model import Sender, Verdict
from sidedoor.audit.senders import assess, group_senders, make_senders
from sidedoor.audit.weights import WEIGHTS
from tests.audit.senders_kit import FAILING, Spf, Use, context, flow

WORKDAYS = [0, 1, 2, 3, 6, 7, 8, 9, 10, 13, 14, 15, 16, 17, 20, 21, 22, 23, 24, 27, 28, 29]
STAFF = {f"{name}@contoso.com": 2 for name in ("ann", "ben", "cy", "di", "ed", "flo", "gus", "hal", "ida", "jo")}
BAD: dict[str, Any] = {**FAILING, "treatments": {"junked": 20}}


def judged(made: Flow, **told: Any) -> Sender:
    (sender,) = make_senders([made], context(**told))
    return sender


def ids(sender: Sender) -> set[str]:
    return {reason.id for reason in sender.reasons}


CASES: dict[str, tuple[Flow, dict[str, Any], Verdict, set[str]]] = {
    "a printer that SPF forgot": (
        flow(helo="MFP-1", days=WORKDAYS, messages=66, hours=(8, 9, 10, 14), **FAILING), {}, Verdict.LEGITIMATE,
        {"persistent", "rhythm", "few-recipients", "helo-device", "spf-failed-then", "dmarc-fail", "compauth-fail"},
    ),
    "a trace alone, of a device at work all month": (
        flow(days=WORKDAYS, messages=66), {}, Verdict.LEGITIMATE, {"persistent", "spf-unknown"},
    ),
    "a trace alone, of a day": (flow(), {}, Verdict.UNCLEAR, {"spf-unknown"}),
    "good manners of a week": (
        flow(days=[20, 21, 22, 23, 24], messages=40, treatments={"delivered": 40}), {"logins": {"x@contoso.com": 1}},
        Verdict.UNCLEAR, {"several-days", "service-address"},
    ),
    "SPF passes now": (
        flow(**FAILING), {"spf": {("contoso.com", "203.0.113.10"): Spf("pass", (("contoso.com", "a"),))}},
        Verdict.LEGITIMATE, {"spf-listed"},
    ),
    "SPF passed then": (flow(spf={"pass": 10}), {}, Verdict.LEGITIMATE, {"spf-passed-then"}),
    "an aligned signature": (
        flow(spf={"fail": 10}, dkim={"pass": 10}, dmarc={"pass": 10}), {}, Verdict.LEGITIMATE, {"dkim-aligned"},
    ),
    "a foreign signature": (
        flow(spf={"fail": 10}, dkim={"pass": 10}, dmarc={"fail": 10}), {}, Verdict.UNCLEAR, {"dkim-other-domain"},
    ),
    "a signature of ours, DMARC untold": (
        flow(spf={"fail": 10}, dkim={"pass": 10}, signers={"mail.contoso.com": 10}), {}, Verdict.LEGITIMATE,
        {"dkim-own"},
    ),
    "a signature of ours that DMARC does not believe": (
        flow(spf={"fail": 10}, dkim={"pass": 10}, dmarc={"fail": 10}, signers={"contoso.com": 10}), {},
        Verdict.UNCLEAR, {"dkim-other-domain"},
    ),
    "a look-alike's signature": (
        flow(spf={"fail": 10}, dkim={"pass": 10}, signers={"contoso.com.evil.example": 10}), {}, Verdict.UNCLEAR,
        {"dkim-foreign"},
    ),
    "passing DMARC elsewhere, and rare here": (
        flow(days=[3, 9, 11, 20], messages=40, **FAILING), {"reported": {"203.0.113.10": Use(passed=90, failed=10)}},
        Verdict.UNCLEAR, {"reports-pass"},
    ),
    "failing DMARC elsewhere": (
        flow(**FAILING), {"reported": {"203.0.113.10": Use(failed=100)}}, Verdict.UNCLEAR, {"reports-fail"},
    ),
    "half and half elsewhere": (
        flow(**FAILING), {"reported": {"203.0.113.10": Use(passed=50, failed=50)}}, Verdict.UNCLEAR, {"reports-mixed"},
    ),
    "new, failing and junked": (
        flow(days=[27, 28, 29], helo="localhost", **BAD), {}, Verdict.UNCLEAR, {"new", "not-enough-against"},
    ),
    "one self-addressed message from nowhere": (
        flow(senders={"ann@contoso.com": 1}, helo="[127.0.0.1]", self_addressed=1, **FAILING), {}, Verdict.SPOOFING,
        {"self-addressed-once", "helo-nameless"},
    ),
    "a lure": (
        flow(senders=STAFF, self_addressed=20, distinct_recipients=10, **FAILING), {}, Verdict.SPOOFING,
        {"self-addressed-lure", "spray"},
    ),
    "a lure of which a trace alone tells": (
        flow(senders=STAFF, self_addressed=20, distinct_recipients=10), {}, Verdict.SPOOFING, {"self-addressed-lure"},
    ),
    "scan-to-self all month": (
        flow(senders=STAFF, days=WORKDAYS, messages=60, hours=(8, 9, 10), self_addressed=60, distinct_recipients=10,
             **FAILING), {"logins": STAFF}, Verdict.LEGITIMATE, {"scan-to-self", "persistent"},
    ),
    "scan-to-self since last week": (
        flow(senders=STAFF, days=[24, 27, 28, 29], hours=(8, 9, 10, 11, 14), self_addressed=20, distinct_recipients=10,
             **BAD), {"logins": STAFF}, Verdict.UNCLEAR, {"scan-to-self"},
    ),
    "the chief, once": (
        flow(senders={"ann@contoso.com": 2}, helo="mail.contracts.example", **FAILING),
        {"logins": {"ann@contoso.com": 40}}, Verdict.SPOOFING, {"person-elsewhere"},
    ),
    "the chief, once, where nobody knows of signatures": (
        flow(senders={"ann@contoso.com": 2}, spf={"fail": 2}), {"logins": {"ann@contoso.com": 40}}, Verdict.UNCLEAR,
        {"person-elsewhere", "spf-failed-then"},
    ),
    "a forwarder whose signatures survive": (
        flow(senders=STAFF, days=WORKDAYS[:9], helo="mx2.alumni.example", distinct_recipients=2, spf={"fail": 20},
             dkim={"pass": 20}, dmarc={"pass": 20}), {"logins": STAFF}, Verdict.LEGITIMATE, {"forwarder"},
    ),
    "a forwarder of which a trace and DNS tell": (
        flow(senders=STAFF, days=WORKDAYS[:4], distinct_recipients=2),
        {"logins": STAFF, "spf": {("contoso.com", "203.0.113.10"): Spf("fail")}}, Verdict.UNCLEAR, {"forwarder"},
    ),
    "an annual survey": (
        flow(senders={"hr@contoso.com": 90}, distinct_recipients=90, helo="hr-app", **FAILING), {}, Verdict.UNCLEAR,
        {"burst"},
    ),
    "an annual survey from a nameless host": (
        flow(senders={"hr@contoso.com": 90}, distinct_recipients=90, helo="localhost", **BAD), {}, Verdict.SPOOFING,
        {"burst", "filtered"},
    ),
    "the null sender": (
        flow(senders={"<>": 10}, envelope_domain="<>", header_froms=()), {}, Verdict.UNCLEAR, {"spf-unknown"},
    ),
    "DNS trouble is no answer": (
        flow(), {"spf": {("contoso.com", "203.0.113.10"): Spf("temperror")}}, Verdict.UNCLEAR, {"spf-unknown"},
    ),
    "reverse names": (
        flow(helo="app1.x.org"), {"reverse": {"203.0.113.10": ("app1.x.org",)}}, Verdict.UNCLEAR, {"reverse-matches"},
    ),
    "no reverse name": (flow(), {"reverse": {"203.0.113.10": ()}}, Verdict.UNCLEAR, {"reverse-absent"}),
}  # fmt: skip


@pytest.mark.parametrize(("made", "told", "verdict", "reasons"), CASES.values(), ids=CASES.keys())
def test_verdicts(made: Flow, told: dict[str, Any], verdict: Verdict, reasons: set[str]) -> None:
    sender = judged(made, **told)
    assert sender.assessment is verdict
    assert reasons <= ids(sender)


def test_the_user_of_another_senders_address_is_not_vouched_for_by_its_record() -> None:
    honest = flow(1, days=WORKDAYS, messages=66)
    thief = flow(2, "192.0.2.66", days=WORKDAYS[5:16:1], messages=30)
    senders = {sender.networks[0]: sender for sender in make_senders([honest, thief], context())}
    assert senders["203.0.113.10/32"].assessment is Verdict.LEGITIMATE
    assert senders["192.0.2.66/32"].assessment is Verdict.UNCLEAR
    assert "address-of-another" in ids(senders["192.0.2.66/32"])


def test_what_comes_from_the_address_of_a_known_device_is_no_spoof() -> None:
    known = flow(1, days=WORKDAYS, messages=66, helo="MFP-1", **FAILING)
    test = flow(2, senders={"ann@contoso.com": 1}, helo="DESKTOP-1A2B3C4", self_addressed=1, **FAILING)
    senders = {sender.messages: sender for sender in make_senders([known, test], context())}
    assert senders[1].assessment is Verdict.UNCLEAR
    assert "same-address" in ids(senders[1])


def test_reasons_come_weightiest_first_and_confidence_grows_with_the_sum() -> None:
    strong = judged(flow(days=WORKDAYS, messages=66, spf={"pass": 66}, dkim={"pass": 66}, dmarc={"pass": 66}))
    weak = judged(flow(days=WORKDAYS, messages=66))
    assert [abs(reason.weight) for reason in strong.reasons] == sorted(
        (abs(reason.weight) for reason in strong.reasons), reverse=True
    )
    assert strong.assessment is weak.assessment is Verdict.LEGITIMATE
    assert 0.5 < weak.confidence < strong.confidence <= 1


def test_assess_agrees_with_make_senders() -> None:
    made = flow(days=WORKDAYS, messages=66)
    (group,) = group_senders([made], context().spf)
    sender = judged(made)
    assert assess(group, context()) == (sender.assessment, sender.confidence, sender.reasons)


_RESULT = st.sampled_from([{}, {"pass": 10}, {"fail": 10}, {"none": 10}, {"softfail": 10}])


@settings(max_examples=200, deadline=None)
@given(
    helo=st.sampled_from([None, "", "MFP-1", "localhost", "mx1.x.org"]),
    days=st.lists(st.integers(0, 29), min_size=3, max_size=25, unique=True),
    spf=_RESULT, dkim=_RESULT, dmarc=_RESULT, compauth=_RESULT,
    junked=st.integers(0, 10),
)  # fmt: skip
def test_failing_and_being_junked_over_days_never_makes_a_spoofer(
    helo: str | None, days: list[int], junked: int, **results: Any
) -> None:
    treatments = {"junked": junked, "delivered": 10 - junked}
    sender = judged(flow(helo=helo, days=days, treatments=treatments, **results))
    assert sender.assessment is not Verdict.SPOOFING


@settings(max_examples=200, deadline=None)
@given(
    helo=st.sampled_from([None, "MFP-1", "print.contoso.com"]),
    days=st.lists(st.integers(0, 29), min_size=1, max_size=9, unique=True),
    reverse=st.sampled_from([(), ("print.contoso.com",)]),
)
def test_names_and_a_few_days_never_make_a_legitimate_sender(
    helo: str | None, days: list[int], reverse: tuple[str, ...]
) -> None:
    sender = judged(flow(helo=helo, days=days, messages=90, **FAILING), reverse={"203.0.113.10": reverse})
    if sender.assessment is Verdict.LEGITIMATE:
        assert "recurring" in ids(sender)


def test_reports_about_strangers_names_are_not_about_us() -> None:
    elsewhere = Use(passed=100, header_from={"fabrikam.com": 100, "notcontoso.com": 3})
    assert not {"reports-pass", "reports-mixed"} & ids(judged(flow(), reported={"203.0.113.10": elsewhere}))


def test_every_reason_given_is_in_the_table_with_its_weight() -> None:
    for made, told, _, _ in CASES.values():
        for reason in judged(made, **told).reasons:
            assert reason.weight == WEIGHTS.entries[reason.id].weight
            assert reason.text
            assert "{" not in reason.text
