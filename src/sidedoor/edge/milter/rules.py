"""Transport rules for a milter: what the header tells, and their answer as changes for the mail server.

A milter answers for the whole message. Whatever one recipient's rules hold back is held for all, because Postfix's hold
queue keeps messages and not copies; a refusal is one only where the rules refuse it for all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from sidedoor.edge.interface import Action, Handled, Recipient, Session
from sidedoor.edge.milter import wire
from sidedoor.edge.milter.session import Asked
from sidedoor.edge.reception.stamps import marks_of
from sidedoor.edge.reception.tenant_rules import ACTIONS, INSIDE
from sidedoor.mail.address import EnvelopeSender
from sidedoor.policy.mailflow.actions import HeaderChange, PrependSubject, RemoveHeader, SetHeader
from sidedoor.policy.mailflow.header import HeaderField, decode_value, header_fields
from sidedoor.policy.mailflow.result import MailFlow, MailVerdict
from sidedoor.policy.mailflow.rules import RuleSet
from sidedoor.policy.mailflow.view import MessageView


class HeaderRules:
    """Rules of a tenant, asked with a message's header alone."""

    def __init__(self, rules: RuleSet, hostname: str) -> None:
        self._rules, self._hostname = rules, hostname

    def treat(
        self, session: Session, sender: EnvelopeSender, taken: Sequence[Recipient], asked: Asked, now: datetime
    ) -> tuple[Sequence[bytes], list[Handled]]:
        """The answers to the end of the message, and what is done for each recipient."""
        flows = [self._flow(session, sender, recipient, asked, now) for recipient in taken]
        held = next((flow for flow in flows if flow.verdict is MailVerdict.QUARANTINE), None)
        handled = [_handled(flow, held) for flow in flows]
        if flows and all(flow.verdict is MailVerdict.REJECT for flow in flows):
            refusal = next(flow.reply for flow in flows if flow.reply is not None)
            return (wire.reply(refusal),), handled
        if flows and all(flow.verdict is MailVerdict.DELETE for flow in flows):
            return (wire.DISCARD,), handled
        answers = list(_changes(flows, asked))
        if held is not None:
            answers.append(wire.quarantine(f"transport rule {held.rule}"))
        return (*answers, wire.ACCEPT), handled

    def _flow(
        self, session: Session, sender: EnvelopeSender, recipient: Recipient, asked: Asked, now: datetime
    ) -> MailFlow:
        marks = header_fields(marks_of(recipient, session, self._hostname, now))
        fields = tuple(HeaderField(name, decode_value(value)) for name, value in asked.headers if not _ours(name))
        view = MessageView(
            envelope_sender=sender,
            recipient=recipient.address,
            client_ip=session.client_ip,
            authenticated=recipient.decision.submission in INSIDE,
            fields=(*marks, *fields),
        )
        return self._rules.apply(view, now)


def _ours(name: str) -> bool:
    """What a stranger may not say (the header firewall)."""
    return name.lower().startswith(("x-ms-exchange-organization-", "x-ms-exchange-crosstenant-", "x-sidedoor-"))


def _handled(flow: MailFlow, held: MailFlow | None) -> Handled:
    action = ACTIONS[flow.verdict] if held is None else Action.QUARANTINE
    notes = tuple(f"rule-undetermined: {each.rule}" for each in flow.undetermined)
    return Handled(action, tuple(fired.rule for fired in flow.fired), notes)


def _changes(flows: Sequence[MailFlow], asked: Asked) -> Iterator[bytes]:
    """Changes that the rules make for every recipient; the others cannot be made in one message."""
    common = (
        [change for change in flows[0].header_changes if all(change in flow.header_changes for flow in flows)]
        if flows
        else []
    )
    for change in common:
        yield from _change(change, asked)


def _change(change: HeaderChange, asked: Asked) -> Iterator[bytes]:
    match change:
        case SetHeader(name, value):
            yield from _removed(name, asked)
            yield wire.add_header(name, value)
        case RemoveHeader(name):
            yield from _removed(name, asked)
        case PrependSubject(text):
            subjects = [value for name, value in asked.headers if name.lower() == "subject"]
            if subjects:
                yield wire.change_header("Subject", 1, f"{text}{subjects[0].lstrip()}")
            else:
                yield wire.add_header("Subject", text)


def _removed(name: str, asked: Asked) -> Iterator[bytes]:
    count = sum(each.lower() == name.lower() for each, _ in asked.headers)
    for number in range(count, 0, -1):  # from the end, so that the numbers of the others stay
        yield wire.change_header(name, number, "")
