"""A plan's changes in order, each with its effect and its way back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sidedoor.plan.model import OWNER_METHODS, Action, Change, Choice, ConnectorProposal, RuleProposal, RuleStage, Stage

_DONE = {
    Action.CREATE: "New-InboundConnector", Action.SET: "Set-InboundConnector", Action.ENABLE: "Set-InboundConnector",
}  # fmt: skip
_BACK = {
    Action.CREATE: "Remove-InboundConnector", Action.SET: "Set-InboundConnector with the settings it had",
    Action.ENABLE: "Set-InboundConnector -Enabled $false",
}  # fmt: skip


def changes(
    choices: Sequence[Choice], connectors: Sequence[ConnectorProposal], rules: Sequence[RuleProposal], *, closed: bool
) -> tuple[Change, ...]:
    """All steps, numbered from 1. closed: RejectDirectSend is on already."""
    steps = [*_steps(choices, connectors, rules, closed=closed)]
    order = list(Stage)
    steps.sort(key=lambda step: order.index(step[0]))
    return tuple(Change(number, *step) for number, step in enumerate(steps, 1))


def _steps(
    choices: Sequence[Choice], connectors: Sequence[ConnectorProposal], rules: Sequence[RuleProposal], *, closed: bool
) -> Iterator[tuple[Stage, str, str, str, tuple[str, ...]]]:
    yield Stage.CHECK, "", "compares the tenant with the one this plan was made for; changes nothing", "", ()
    for rule in rules:
        stage = Stage.TAG if rule.stage is RuleStage.TAG else Stage.QUARANTINE
        yield stage, rule.name, rule.reasons[0].text, "Remove-TransportRule", ()
    for choice in choices:
        if choice.method in OWNER_METHODS:
            effect = f"its owner moves it to {choice.method.value}"
            yield Stage.MIGRATE, choice.name, effect, "its owner sets it back", (choice.sender,)
    for proposal in connectors:
        stage = Stage.LOCKDOWN if proposal.lockdown else Stage.CONNECTORS
        effect = f"{_DONE[proposal.action]}: {proposal.reasons[0].text}"
        yield stage, proposal.name, effect, _BACK[proposal.action], proposal.senders
    if not closed:
        effect = "Set-OrganizationConfig -RejectDirectSend $true: what is left of Direct Send is refused with 5.7.68"
        yield Stage.SWITCH, "", effect, "Set-OrganizationConfig -RejectDirectSend $false, up to 30 minutes", ()
    yield Stage.VERIFY, "", "reads the settings back, and sidedoor probe asks the door from outside", "", ()
