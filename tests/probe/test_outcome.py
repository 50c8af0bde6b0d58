"""Replies told apart, and what a set of answers proves."""

from __future__ import annotations

import pytest

from sidedoor.mail.reply import parse_reply
from sidedoor.probe.outcome import Outcome, Stage, outcome_of


@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        ("250 2.1.5 Recipient OK", Outcome.ACCEPTED),
        ("550 5.7.68 TenantInboundAttribution; Direct Send is not allowed for this organization [AM0 2026 08DC]",
         Outcome.DIRECT_SEND_REFUSED),
        ("550 5.7.51 TenantInboundAttribution; Rejecting", Outcome.PARTNER_RESTRICTION),
        ("550 5.7.64 TenantAttribution; Relay Access Denied", Outcome.RELAY_DENIED),
        ("550 5.4.1 Recipient address rejected: Access denied.", Outcome.UNKNOWN_RECIPIENT),
        ("550 5.7.606 Access denied, banned sending IP [198.51.100.1]", Outcome.REPUTATION),
        ("550 5.7.649 Access denied, banned sending IP [198.51.100.1]", Outcome.REPUTATION),
        ("550 5.7.511 Access denied, banned sender", Outcome.REPUTATION),
        ("550 5.7.1 Service unavailable, Client host [198.51.100.1] blocked using Spamhaus", Outcome.REPUTATION),
        ("554 Your access to this mail system has been rejected, PBL", Outcome.REPUTATION),
        ("451 4.7.500 Server busy. Please try again later from [198.51.100.1]. (AS77712301)", Outcome.GREYLISTED),
        ("450 4.2.0 Greylisted, come back", Outcome.GREYLISTED),
        ("451 4.4.62 Mail sent to the wrong Office 365 region. ATTR35", Outcome.WRONG_REGION),
        ("451 4.3.2 Temporary server error.", Outcome.TEMPORARY),
        ("550 5.1.1 no such user", Outcome.OTHER_REFUSAL),
        ("553", Outcome.OTHER_REFUSAL),
    ],
)  # fmt: skip
def test_replies_are_told_apart(line: str, outcome: Outcome) -> None:
    assert outcome_of(parse_reply(line)) is outcome


@pytest.mark.parametrize(
    ("line", "stage", "outcome"),
    [
        ("550 5.7.68 x", Stage.GREETING, Outcome.OTHER_REFUSAL),  # it knows no envelope yet
        ("550 TenantInboundAttribution; Rejecting", Stage.RCPT, Outcome.PARTNER_RESTRICTION),
        ("554 5.0.0 mx said: TenantAttribution; Relay Access Denied", Stage.RCPT, Outcome.RELAY_DENIED),
        ("451 4.7.650 The mail server has been temporarily rate limited due to IP reputation", Stage.RCPT,
         Outcome.REPUTATION),
        ("550 5.7.708 Access denied, traffic not accepted from this IP", Stage.RCPT, Outcome.REPUTATION),
        ("450 4.7.1 Client host rejected: cannot find your reverse hostname", Stage.RCPT, Outcome.REPUTATION),
        ("452 4.3.1 Insufficient system resources, try again later", Stage.RCPT, Outcome.TEMPORARY),
        ("421 try again later", Stage.GREETING, Outcome.TEMPORARY),
        ("450 come back later", Stage.RCPT, Outcome.GREYLISTED),
        ("354 go on", Stage.RCPT, Outcome.BROKEN),
    ],
)  # fmt: skip
def test_where_it_was_said_counts(line: str, stage: Stage, outcome: Outcome) -> None:
    assert outcome_of(parse_reply(line), stage) is outcome
