"""The nine messages of the synthetic tenant, with all their facts, against what is true of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sidedoor.policy.decision import Submission
from sidedoor.policy.rule import compile_rule
from tests.policy.scenario import DATA, facts, snapshot

TRUTH: dict[str, Any] = json.loads((DATA / "truth.json").read_text(encoding="utf-8"))
TENANT = {
    "accepted": [
        *TRUTH["accepted_domains"][:3],
        {"name": TRUTH["accepted_domains"][3], "kind": "InternalRelay", "match_subdomains": True},
    ],
    "connectors": [
        {
            "name": "Inbound from Hygiene",
            "kind": "Partner",
            "ips": ["198.51.100.64/27"],
            "require_tls": True,
            "restrict_ips": True,
        },
        {
            "name": "Cert partner",
            "kind": "Partner",
            "enabled": False,
            "senders": ["contoso.com"],
            "certificate": "*.mailer.fabrikam.com",
            "require_tls": True,
            "restrict_certificate": True,
        },
        {"name": "Inbound from 0c0ffee0", "kind": "OnPremises", "certificate": "mail.contoso.com", "require_tls": True},
    ],
    "filter": {"allow": ["203.0.113.31"]},
    "mx": {"contoso.com": "elsewhere"},
}
SUBMISSIONS = {
    "printer": Submission.DIRECT_SEND,
    "monitor": Submission.DIRECT_SEND,
    "esp": Submission.SENT_DIRECTLY,
    "spoof": Submission.DIRECT_SEND,
    "gateway": Submission.PARTNER_CONNECTOR,
    "external": Submission.SENT_DIRECTLY,
    "nullsender": Submission.SENT_DIRECTLY,
    "ipv6": Submission.DIRECT_SEND,
    "intra": Submission.AUTHENTICATED,
}


def as_row(message: dict[str, Any], recipient: str) -> dict[str, Any]:
    """The facts that hunting data and a message trace together tell."""
    return {
        "history": True,
        "ip": message["ip"],
        "helo": message["helo"],
        "from": message["p1"],
        "to": recipient,
        "tls": "none" if message["tls"] == "No TLS" else message["tls"],
        "connector": message["connector"] or "",
        "direction": "incoming" if message["ip"] else "intra-org",
    }


@pytest.mark.parametrize("message", TRUTH["messages"], ids=lambda message: message["key"])
def test_history_tells_the_truth(message: dict[str, Any]) -> None:
    rule = compile_rule(snapshot(TENANT))
    for recipient in message["recipients"]:
        decision = rule.decide(*facts(as_row(message, recipient)))
        assert decision.would_reject is message["reject_direct_send_would_block"]
        assert decision.submission is SUBMISSIONS[message["key"]]
        assert decision.missing == ()
