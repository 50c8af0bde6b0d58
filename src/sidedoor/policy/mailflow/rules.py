"""The transport rules of a tenant: `compile_rules` once, `RuleSet.apply` for each recipient of a message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sidedoor.mail.fact import Fact
from sidedoor.policy.mailflow.result import MailFlow, Unsupported
from sidedoor.policy.mailflow.rule import Reading, Rule
from sidedoor.policy.mailflow.run import run
from sidedoor.policy.mailflow.scope import OwnDomains
from sidedoor.policy.mailflow.switches import FromScopeReading
from sidedoor.policy.mailflow.view import MessageView
from sidedoor.tenant.snapshot import AcceptedDomain, TransportRule


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Compiled rules in order of priority; immutable, safe to share between threads.

    `unsupported` names every condition, exception, action and property that is set in the export and not evaluated. A
    rule with one that is no action never fires. `disabled`: names of rules whose State is Disabled. `notes`: sentences
    about what the export leaves open.
    """

    rules: tuple[Rule, ...]
    unsupported: tuple[Unsupported, ...]
    disabled: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def apply(self, message: MessageView, now: datetime) -> MailFlow:
        """What the rules do with a message to one recipient. `now` is aware. Never raises."""
        return run(self.rules, message, now)

    def rules_with(self, *kinds: type[object]) -> tuple[tuple[str, str], ...]:
        """(rule, kind of action) of each action of these kinds: those that a caller cannot carry out, say."""
        pairs = [(rule.name, type(action).__name__) for rule in self.rules for action in rule.actions
                 if isinstance(action, kinds)]  # fmt: skip
        return tuple(dict.fromkeys(pairs))


def compile_rules(
    rules: Sequence[TransportRule],
    accepted_domains: Fact[tuple[AcceptedDomain, ...]],
    from_scope: FromScopeReading = FromScopeReading.OPEN,
) -> RuleSet:
    """Make the rules of an export ready to run. Never raises: what cannot be evaluated is in `unsupported`.

    `from_scope`: see `FromScopeReading`. Rules of the same priority (the service has none) stay in their order.
    """
    ordered = sorted(rules, key=lambda row: row.priority)
    live = [row for row in ordered if row.enabled is not False]
    own = OwnDomains(accepted_domains)
    compiled = tuple(Reading(row, own, from_scope).rule() for row in live)
    unsupported = tuple(each for rule in compiled for each in (*rule.blocked, *rule.left_out))
    disabled = tuple(row.name for row in ordered if row.enabled is False)
    return RuleSet(compiled, unsupported, disabled, tuple(note for rule in compiled for note in rule.notes))
