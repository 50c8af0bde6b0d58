"""The catalogue names senders and advises; it never decides."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sidedoor.audit.flow import Flow
from sidedoor.audit.model import Sender
from sidedoor.audit.model import Verdict as Assessment
from sidedoor.audit.senders import make_senders
from tests.audit.senders_kit import FAILING, Spf, context, flow
from tests.audit.test_assessment_verdicts import CASES

ENTRY = """
id = "{id}"
name = "{name}"
vendor = "Fabrikam"
kind = "{kind}"
written = 2026-11-24
shared_addresses = "yes"
advice = "Ask Fabrikam for a return path of your own."

[recognise]
{recognise}

[[sources]]
of = ["recognise", "shared_addresses"]
title = "made up for a test"
date = 2026-11-24
verified = false
"""
DESK = ENTRY.format(
    id="fabrikam-desk", name="Fabrikam Desk", kind="ticketing",
    recognise="""spf_include = ["spf.fabrikam.com"]
dkim_domain = ["fabrikam.com"]
ptr = ["mail.fabrikam.com"]
bounce_domain = ["bounce.fabrikam.com"]
x_mailer = ["Fabrikam Desk*"]
helo = ["fab######"]""",
)  # fmt: skip
# An entry that claims everything about everybody there is in the tests.
GREEDY = ENTRY.format(
    id="greedy", name="Greedy", kind="printer",
    recognise="""spf_include = ["contoso.com", "fabrikam.com"]
dkim_domain = ["contoso.com", "evil.example"]
ptr = ["contoso.com", "x.org"]
bounce_domain = ["bounces.example", "evil.example"]
x_mailer = ["fabrikam*"]
helo = ["mfp-1", "localhost", "x.org", "mx1*", "mail*"]""",
)  # fmt: skip
EVERY_DAY = list(range(29))


def only(made: Flow, **told: Any) -> Sender:
    (sender,) = make_senders([made], context(**{"catalogue": DESK, **told}))
    return sender


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"dkim": {"pass": 10}, "signers": {"eu.fabrikam.com": 10}}, {}),
        (
            {},
            {
                "spf": {
                    ("contoso.com", "203.0.113.10"): Spf(
                        "pass",
                        (("contoso.com", "include:spf.fabrikam.com"), ("spf.fabrikam.com", "ip4:203.0.113.0/24")),
                    )
                }
            },
        ),
        ({}, {"reverse": {"203.0.113.10": ("o1.mail.fabrikam.com",)}}),
    ],
    ids=["signature", "SPF", "confirmed reverse name"],
)
def test_a_proof_names_the_sender_and_advises(changes: dict[str, Any], told: dict[str, Any]) -> None:
    sender = only(flow(days=EVERY_DAY, messages=60, **changes), **told)
    assert sender.service == "Fabrikam Desk"
    assert sender.name.startswith("Fabrikam Desk (")
    assert sender.recommendation == (
        "Ask Fabrikam for a return path of your own. Never a connector by address: other customers send from the same "
        "networks."
    )
    assert "known-service" in {reason.id for reason in sender.reasons}


@pytest.mark.parametrize(
    "changes",
    [
        {"mailers": {"Fabrikam Desk 4.1": 10}},
        {"helo": "FAB00AABB"},
        {"dkim": {"fail": 10}, "signers": {"fabrikam.com": 10}},
        {"envelope_domain": "bounce.fabrikam.com"},
    ],
    ids=["X-Mailer", "HELO", "a signature that fails", "an envelope sender without SPF"],
)
def test_a_claim_is_told_and_not_believed(changes: dict[str, Any]) -> None:
    sender = only(flow(days=EVERY_DAY, messages=60, **changes))
    assert sender.service is None
    assert not sender.name.startswith("Fabrikam Desk")
    (told,) = [reason.text for reason in sender.reasons if reason.id == "says-it-is"]
    assert "Fabrikam Desk" in told
    assert "If it is Fabrikam Desk" in sender.recommendation or "affect" in sender.recommendation


@pytest.mark.parametrize(
    "changes",
    [
        {"dkim": {"pass": 10}, "signers": {"notfabrikam.com": 10}},
        {"dkim": {"pass": 10}, "signers": {"fabrikam.com.evil.example": 10}},
        {"mailers": {"Not Fabrikam Desk": 10}},
    ],
)
def test_look_alikes_are_strangers(changes: dict[str, Any]) -> None:
    reasons = {reason.id for reason in only(flow(**changes)).reasons}
    assert reasons.isdisjoint({"known-service", "says-it-is"})


def test_a_spoofer_is_never_named_after_what_it_says() -> None:
    burst = flow(
        days=[3], messages=40, senders={f"u{n}@contoso.com": 1 for n in range(40)}, distinct_recipients=40,
        mailers={"Fabrikam Desk 4.1": 40}, **FAILING,
    )  # fmt: skip
    sender = only(burst)
    assert sender.assessment is Assessment.SPOOFING
    assert "Fabrikam" not in sender.name


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
@pytest.mark.parametrize("catalogue", ["", DESK, GREEDY], ids=["empty", "desk", "greedy"])
def test_no_entry_changes_a_verdict(case: tuple[Flow, dict[str, Any], Assessment, set[str]], catalogue: str) -> None:
    made, told, verdict, _ = case
    made = replace(made, mailers={"Fabrikam Desk 4.1": 10})
    (plain,) = make_senders([made], context(**told, catalogue=""))
    (known,) = make_senders([made], context(**told, catalogue=catalogue))
    assert (known.assessment, known.confidence) == (plain.assessment, plain.confidence)
    assert known.assessment is verdict
    assert known.id == plain.id
