"""What a quarantine rule of the plan would hold of mail that should come in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address

from sidedoor.audit.facts import ABSENT, Representatives
from sidedoor.audit.model import Verdict
from sidedoor.plan.door import outcome_of
from sidedoor.plan.lockdown import excepted
from sidedoor.plan.model import OWNER_METHODS, Method, RuleProposal, RuleStage
from sidedoor.plan.replay import Told
from sidedoor.policy.decision import Submission

# Only these have AuthAs Anonymous, which the rule asks for; connectors' addresses are among its exceptions.
_ANONYMOUS = frozenset(
    {
        Submission.DIRECT_SEND, Submission.SENT_DIRECTLY, Submission.INTERNET, Submission.PARTNER_CONNECTOR,
        Submission.ONPREMISES_CONNECTOR, Submission.UNDETERMINED,
    }
)  # fmt: skip


def held(told: Told, rules: Iterable[RuleProposal]) -> Mapping[str, int]:
    """Sender ("" for those of no report) -> messages held that nobody has called spoofs."""
    rule = next((each for each in rules if each.stage is RuleStage.QUARANTINE), None)
    if rule is None:
        return {}
    spared = {
        choice.sender
        for choice in told.choices
        if choice.assessment is Verdict.SPOOFING or choice.method in OWNER_METHODS | {Method.REFUSE, Method.UNSAVABLE}
    }
    behind = rule.parameters["RecipientDomainIs"]
    assert isinstance(behind, tuple)
    of = Representatives(told.classes.domains.representatives, told.classes.addresses.representatives())
    kept_out = excepted(rule)
    counts = Counter[str]()
    for flow in told.flows:
        if flow.sender in spared or flow.key.ip == ABSENT or str(of.domains.get(flow.key.rcpt, "")) not in behind:
            continue
        address = of.addresses.get(flow.key.ip)
        if isinstance(address, IPv4Address) and any(address in network for network in kept_out):
            continue
        decision = told.doors.planned.decide(flow.key)
        if outcome_of(decision) != "refused" and decision.submission in _ANONYMOUS:
            counts[flow.sender] += flow.messages
    return counts
