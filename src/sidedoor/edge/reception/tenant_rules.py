"""The tenant's transport rules at the edge: facts for them, their answer as treatments. `policy.mailflow` decides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sidedoor.edge.interface import Action, Recipient, Transaction
from sidedoor.edge.reception.parts import look_inside
from sidedoor.edge.reception.treatment import Treatment
from sidedoor.mail.fact import Unknown
from sidedoor.policy.decision import Submission
from sidedoor.policy.mailflow.actions import AddRecipients, Disclaimer, IncidentReport, Notify, Redirect, SetHeader
from sidedoor.policy.mailflow.header import header_fields
from sidedoor.policy.mailflow.octets import apply_changes
from sidedoor.policy.mailflow.result import MailFlow, MailVerdict
from sidedoor.policy.mailflow.rules import RuleSet, compile_rules
from sidedoor.policy.mailflow.view import MessageView
from sidedoor.tenant.snapshot import TenantSnapshot

ACTIONS = {
    MailVerdict.DELIVER: Action.DELIVER,
    MailVerdict.QUARANTINE: Action.QUARANTINE,
    MailVerdict.REJECT: Action.REJECT,
    MailVerdict.DELETE: Action.DELETE,
}
_NOT_DONE = (Disclaimer, IncidentReport, Notify)
INSIDE = frozenset({Submission.AUTHENTICATED, Submission.ONPREMISES_CONNECTOR})


def rules_of(snapshot: TenantSnapshot) -> TenantRules | None:
    """The rules of an export; None where it has none, or none that is enabled."""
    rows = snapshot.transport_rules
    if isinstance(rows, Unknown) or not rows:
        return None
    rules = compile_rules(rows, snapshot.accepted_domains)
    return TenantRules(rules) if rules.rules else None


@dataclass(frozen=True, slots=True)
class TenantRules:
    """Treats each recipient's copy; safe to use from several threads."""

    rules: RuleSet

    def warnings(self) -> Iterator[str]:
        """What of the rules is not evaluated or not carried out, for the operator."""
        yield from map(str, self.rules.unsupported)
        yield from self.rules.notes
        for rule, action in self.rules.rules_with(*_NOT_DONE):
            yield f"rule {rule!r}: the action {action} is not carried out at the edge"

    def treat(self, transaction: Transaction, content: bytes, shown: bytes, now: datetime) -> Sequence[Treatment]:
        """See `Rules`."""
        inside = look_inside(content)
        fields = header_fields(shown + content)
        for_one = {
            "envelope_sender": transaction.envelope_sender,
            "client_ip": transaction.session.client_ip,
            "fields": fields,
            "size": len(content),
            "body": inside.body,
            "part_types": inside.part_types,
            "attachments": inside.attachments,
        }
        treatments = []
        for recipient in transaction.recipients:
            view = MessageView(
                recipient=recipient.address,
                authenticated=recipient.decision.submission in INSIDE,
                **for_one,  # type: ignore[arg-type]  # one dictionary of several types
            )
            treatments.append(_treatment(recipient, content, self.rules.apply(view, now)))
        return treatments


def _treatment(recipient: Recipient, content: bytes, answer: MailFlow) -> Treatment:
    changes = list(answer.header_changes)
    if answer.scl is not None:
        changes.append(SetHeader("X-MS-Exchange-Organization-SCL", str(answer.scl)))
    return Treatment(
        recipient,
        ACTIONS[answer.verdict],
        apply_changes(content, changes),
        _receivers(recipient, answer),
        tuple(fired.rule for fired in answer.fired),
        answer.reply,
        f"transport rule {answer.rule}" if answer.rule else "",
        tuple(f"rule-undetermined: {each.rule}" for each in answer.undetermined),
    )


def _receivers(recipient: Recipient, answer: MailFlow) -> tuple[str, ...]:
    """The recipient, or whom a rule put in his place; and whom rules added."""
    to = [str(recipient.address)]
    for action in answer.actions:
        if isinstance(action, Redirect):
            to = [str(address) for address in action.addresses]
        elif isinstance(action, AddRecipients):
            to += [str(address) for address in action.addresses]
    return tuple(dict.fromkeys(to))
