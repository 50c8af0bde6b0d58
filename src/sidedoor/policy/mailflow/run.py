"""Rules over a message, in order of priority: each sees what earlier ones did, or may have done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import assert_never

from sidedoor.mail.fact import Fact, Unknown
from sidedoor.policy.mailflow.actions import (
    Action,
    AuditSeverity,
    Delete,
    HeaderChange,
    IncidentReport,
    Notify,
    PrependSubject,
    Quarantine,
    Redirect,
    Reject,
    RemoveHeader,
    SetHeader,
    SetScl,
)
from sidedoor.policy.mailflow.result import Fired, MailFlow, MailVerdict, Mode, Undetermined, Unsupported
from sidedoor.policy.mailflow.rule import Rule, Test
from sidedoor.policy.mailflow.state import State
from sidedoor.policy.mailflow.view import MessageView

_SCL = "X-MS-Exchange-Organization-SCL"
_ALWAYS = (IncidentReport, AuditSeverity)  # taken in Audit mode too
_NOTIFYING = (*_ALWAYS, Notify)


_VERDICTS: Mapping[type[object], MailVerdict] = {
    Quarantine: MailVerdict.QUARANTINE,
    Reject: MailVerdict.REJECT,
    Delete: MailVerdict.DELETE,
}


def run(rules: Sequence[Rule], view: MessageView, now: datetime) -> MailFlow:
    """What the rules do. `now` is aware; it is compared with the rules' dates only."""
    going = _Run(view)
    for rule in rules:
        if rule.period.holds(now) and going.meet(rule):
            break
    return going.result()


class _Run:
    """One message going through the rules."""

    def __init__(self, view: MessageView) -> None:
        self.state = State(view)
        self.fired: list[Fired] = []
        self.undetermined: list[Undetermined] = []
        self.open_settings: list[Unsupported] = []
        self.maybe_ended = ""  # the undetermined rule that would have ended everything

    def meet(self, rule: Rule) -> bool:
        """One rule; whether it was the last."""
        matches, reasons = _matches(rule, self.state)
        if matches is False:
            return False
        if isinstance(matches, Unknown):
            self._leave_open(rule, reasons)
        elif self.maybe_ended:
            why = f"the rule {self.maybe_ended!r}, which is undetermined, may have ended the rules"
            self._leave_open(rule, (why,))
        else:
            self._fire(rule)
            return rule.ends
        return False

    def _leave_open(self, rule: Rule, reasons: tuple[str, ...]) -> None:
        self.undetermined.append(Undetermined(rule.name, reasons))
        self.open_settings.extend(rule.blocked)
        if rule.mode is not Mode.ENFORCE:
            return
        for action in rule.actions:
            _doubt(self.state, action, rule.name)
        self.maybe_ended = self.maybe_ended or (rule.name if rule.ends else "")

    def _fire(self, rule: Rule) -> None:
        taken = _taken(rule)
        for action in taken:
            _change(self.state, action)
        self.fired.append(Fired(rule.name, rule.mode, _reason(rule), taken, rule.left_out))
        self.open_settings.extend(rule.left_out)

    def result(self) -> MailFlow:
        """What came of it."""
        actions = tuple(action for fired in self.fired for action in fired.actions)
        final = next((action for action in actions if isinstance(action, Quarantine | Reject | Delete)), None)
        levels = [action.level for action in actions if isinstance(action, SetScl)]
        return MailFlow(
            MailVerdict.DELIVER if final is None else _VERDICTS[type(final)],
            final.reply if isinstance(final, Reject) else None,
            None if final is None else self.fired[-1].rule,
            actions,
            tuple(action for action in actions if isinstance(action, HeaderChange)),
            levels[-1] if levels else None,
            tuple(self.fired),
            tuple(self.undetermined),
            tuple(self.open_settings),
        )


def _matches(rule: Rule, state: State) -> tuple[Fact[bool], tuple[str, ...]]:
    """Whether all conditions and no exceptions hold. One that certainly stands against the rule outweighs unknowns."""
    found = [test.check(state) for test in rule.conditions]
    against = [test.check(state) for test in rule.exceptions]
    if any(answer is False for answer in found) or any(answer is True for answer in against):
        return False, ()
    reasons = [f"{test.label}: {answer.reason}" for test, answer in _unknowns(rule, [*found, *against])]
    reasons += [f"{each.setting} is not evaluated: {each.why}" for each in rule.blocked]
    return (Unknown("; ".join(reasons)), tuple(reasons)) if reasons else (True, ())


def _reason(rule: Rule) -> str:
    found = "; ".join(test.label for test in rule.conditions) or "no conditions: every message"
    return f"{found}; none of {len(rule.exceptions)} exceptions" if rule.exceptions else found


def _unknowns(rule: Rule, answers: Sequence[Fact[bool]]) -> list[tuple[Test, Unknown]]:
    pairs = zip((*rule.conditions, *rule.exceptions), answers, strict=True)
    return [(test, answer) for test, answer in pairs if isinstance(answer, Unknown)]


def _taken(rule: Rule) -> tuple[Action, ...]:
    """The actions that the mode lets happen; of several that end a message the first."""
    match rule.mode:
        case Mode.AUDIT:
            return tuple(action for action in rule.actions if isinstance(action, _ALWAYS))
        case Mode.AUDIT_AND_NOTIFY:
            return tuple(action for action in rule.actions if isinstance(action, _NOTIFYING))
        case Mode.ENFORCE:
            finals = [action for action in rule.actions if type(action) in _VERDICTS]
            return tuple(action for action in rule.actions if action not in finals[1:])
        case _:
            assert_never(rule.mode)


def _change(state: State, action: Action) -> None:
    """What later rules see of an action."""
    match action:
        case SetHeader(name, value):
            state.set_field(name, value)
        case RemoveHeader(name):
            state.remove_field(name)
        case PrependSubject(text):
            state.prepend_subject(text)
        case SetScl(level):
            state.scl = level
            state.set_field(_SCL, str(level))
        case Redirect(addresses):
            state.redirect(addresses)
        case _:
            return


def _doubt(state: State, action: Action, rule: str) -> None:
    """What later rules can no longer rely on, because an undetermined rule may have acted."""
    match action:
        case SetHeader(name) | RemoveHeader(name):
            state.doubt(name, rule)
        case PrependSubject():
            state.doubt("Subject", rule)
        case SetScl():
            state.doubt_scl(rule)
            state.doubt(_SCL, rule)
        case Redirect():
            state.doubt_recipient(rule)
        case _:
            return
