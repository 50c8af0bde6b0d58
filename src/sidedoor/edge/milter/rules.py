"""Transport rules for a milter, and their answer as changes for the mail server. Pure.

A milter answers for the whole message, because Postfix keeps messages and not copies. So a refusal is one only where
the rules refuse every recipient; where they refuse some, or hold back some, the message is held for all: nothing
passes a rule, nothing is lost, and a person decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sidedoor.edge.interface import Action, Handled, Recipient, Session
from sidedoor.edge.milter import wire
from sidedoor.edge.milter.session import Asked
from sidedoor.edge.reception.parts import Parts, look_inside
from sidedoor.edge.reception.stamps import firewall, marks_of
from sidedoor.edge.reception.tenant_rules import ACTIONS, INSIDE
from sidedoor.mail.address import EnvelopeSender
from sidedoor.mail.fact import Unknown
from sidedoor.mail.reply import Reply
from sidedoor.policy.mailflow.actions import AddRecipients, HeaderChange, PrependSubject, Redirect, SetHeader
from sidedoor.policy.mailflow.header import header_fields, raw_fields
from sidedoor.policy.mailflow.octets import apply_changes
from sidedoor.policy.mailflow.result import MailFlow, MailVerdict
from sidedoor.policy.mailflow.rules import RuleSet
from sidedoor.policy.mailflow.view import MessageView

_FINAL = frozenset({MailVerdict.REJECT, MailVerdict.DELETE})


@dataclass(frozen=True, slots=True)
class Whole:
    """A message as the mail server has told it; `taken` in the order of `asked.recipients`."""

    session: Session
    sender: EnvelopeSender
    taken: tuple[Recipient, ...]
    asked: Asked
    now: datetime


@dataclass(frozen=True, slots=True)
class Treated:
    """The answers to the end of the message, what is done for each recipient, and the refusal of the whole, if any."""

    answers: Sequence[bytes]
    handled: Sequence[Handled]
    refusal: Reply | None = None

    @classmethod
    def untouched(cls, recipients: int) -> Treated:
        """Taken as it is."""
        return cls((wire.ACCEPT,), (Handled(Action.DELIVER),) * recipients)

    def only_noted(self) -> Treated:
        """The same, for an operator who wants to see what would be done and nothing done."""
        noted = [
            Handled(Action.DELIVER, one.rules, (*one.notes, f"rule-would: {one.action.value}"))
            if one.action is not Action.DELIVER
            else one
            for one in self.handled
        ]
        return Treated((wire.ACCEPT,), noted)


class MessageRules:
    """Rules of a tenant, asked with messages as Postfix tells them; safe to use from several threads."""

    def __init__(self, rules: RuleSet, hostname: str) -> None:
        self._rules, self._hostname = rules, hostname

    def treat(self, whole: Whole) -> Treated:
        """What becomes of a message."""
        flows = self._flows(whole)
        if flows and all(flow.verdict in _FINAL for flow in flows):
            handled = [_handled(flow, ACTIONS[flow.verdict]) for flow in flows]
            refusal = next((flow.reply for flow in flows if flow.reply is not None), None)
            # Where all is deleted in silence there is no refusal.
            return Treated((wire.DISCARD if refusal is None else wire.reply(refusal),), handled, refusal)
        held = next((flow for flow in flows if flow.verdict in {MailVerdict.QUARANTINE, MailVerdict.REJECT}), None)
        answers = [*_header(flows, whole.asked), *_envelope(flows, whole)]
        if held is not None:
            answers.append(wire.quarantine(f"transport rule {held.rule}"))
        return Treated((*answers, wire.ACCEPT), [_kept(flow, held) for flow in flows])

    def _flows(self, whole: Whole) -> list[MailFlow]:
        asked, session = whole.asked, whole.session
        header = firewall(bytes(asked.header) + b"\r\n", self._hostname)
        fields = header_fields(header)
        body = asked.body
        inside = Parts(body, body, body) if isinstance(body, Unknown) else look_inside(header + bytes(body))
        size = body if isinstance(body, Unknown) else len(asked.header) + 2 + len(body)
        flows = []
        for recipient in whole.taken:
            marks = header_fields(marks_of(recipient, session, self._hostname, whole.now))
            view = MessageView(
                envelope_sender=whole.sender,
                recipient=recipient.address,
                client_ip=session.client_ip,
                authenticated=recipient.decision.submission in INSIDE,
                fields=(*marks, *fields),
                size=size,
                body=inside.body,
                part_types=inside.part_types,
                attachments=inside.attachments,
            )
            flows.append(self._rules.apply(view, whole.now))
        return flows


def _kept(flow: MailFlow, held: MailFlow | None) -> Handled:
    if flow.verdict is MailVerdict.DELETE:
        return _handled(flow, Action.DELETE)
    if held is None:
        return _handled(flow, Action.DELIVER)
    notes = ("refused-for-some-held-for-all",) if flow.verdict is MailVerdict.REJECT else ()
    return _handled(flow, Action.QUARANTINE, notes)


def _handled(flow: MailFlow, action: Action, notes: tuple[str, ...] = ()) -> Handled:
    undetermined = tuple(f"rule-undetermined: {each.rule}" for each in flow.undetermined)
    return Handled(action, tuple(fired.rule for fired in flow.fired), (*undetermined, *notes))


def _envelope(flows: Sequence[MailFlow], whole: Whole) -> Iterator[bytes]:
    """Recipients that rules took away, then those that they added."""
    stay, added = set(), []
    for told, recipient, flow in zip(whole.asked.recipients, whole.taken, flows, strict=True):
        own, others = _receivers(flow)
        if own:
            stay.add(str(recipient.address))
        else:
            yield wire.delete_recipient(told)
        added += others
    for address in dict.fromkeys(added):
        if address not in stay:
            yield wire.add_recipient(address)


def _receivers(flow: MailFlow) -> tuple[bool, list[str]]:
    """Whether the recipient gets the message, and who else does by rules for this recipient."""
    own, others = flow.verdict is not MailVerdict.DELETE, list[str]()
    for action in flow.actions if own else ():
        if isinstance(action, Redirect):
            own, others = False, [str(address) for address in action.addresses]
        elif isinstance(action, AddRecipients):
            others += [str(address) for address in action.addresses]
    return own, others


def _header(flows: Sequence[MailFlow], asked: Asked) -> Iterator[bytes]:
    """Changes that the rules make for everybody who gets the message; others cannot be made in one message."""
    every = [_changes(flow) for flow in flows if flow.verdict is not MailVerdict.DELETE]
    common = [change for change in every[0] if all(change in other for other in every[1:])] if every else []
    if not common:
        return
    before = bytes(asked.header) + b"\r\n"
    after = apply_changes(before, common)
    for name in dict.fromkeys(map(_name, common)):
        yield from _difference(name, _values(before, name), _values(after, name))


def _changes(flow: MailFlow) -> list[HeaderChange]:
    scl = [] if flow.scl is None else [SetHeader("X-MS-Exchange-Organization-SCL", str(flow.scl))]
    return [*flow.header_changes, *scl]


def _name(change: HeaderChange) -> str:
    return "Subject" if isinstance(change, PrependSubject) else change.name


def _values(header: bytes, name: str) -> list[str]:
    """Values of the fields of a name, folded with LF, as the milter protocol has them."""
    octets = [header[field.start : field.end] for field in raw_fields(header) if field.name == name.lower()]
    values = [field.partition(b":")[2].strip().replace(b"\r\n", b"\n") for field in octets]
    return [value.decode("utf-8", "surrogateescape") for value in values]


def _difference(name: str, before: Sequence[str], after: Sequence[str]) -> Iterator[bytes]:
    # From the end, so that the numbers of the others stay when one is taken away.
    for number in range(len(before), len(after), -1):
        yield wire.change_header(name, number, "")
    for number, (old, new) in enumerate(zip(before, after, strict=False), start=1):
        if old != new:
            yield wire.change_header(name, number, new)
    for value in after[len(before) :]:
        yield wire.add_header(name, value)
