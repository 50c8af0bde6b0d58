"""The change itself: written down, made, read back, seen at the door; whatever ends it, the record tells how far."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sidedoor.errors import SidedoorError, UnreachableError
from sidedoor.exchange.clock import Clock
from sidedoor.exchange.switch import read_switch
from sidedoor.exchange.wire import RefusedError
from sidedoor.mail.fact import Unknown
from sidedoor.probe.model import OWN, ProbeResult, Request, Role, Verdict
from sidedoor.probe.outcome import Outcome
from sidedoor.report.close_json import Book, Look, State, Switch

if TYPE_CHECKING:
    from sidedoor.exchange.invoke import Exchange
    from sidedoor.tenant.snapshot import TenantSnapshot

Ask = Callable[[Request], ProbeResult]
_FIRST_WAIT, _LONGEST_WAIT = 5.0, 60.0  # seconds between two looks; each wait is twice the one before
_AMBIGUOUS = 60.0  # seconds that a change whose answer was lost is looked for


@dataclass
class Switching:
    """One change of one tenant. question: what to ask the door, None where it is not asked. settings: reads them all.

    message: whether one message may be sent at the end, if the door tells nothing before DATA.
    """

    exchange: Exchange
    clock: Clock
    book: Book
    settings: Callable[[], TenantSnapshot]
    ask: Ask
    say: Callable[[str], None]
    question: Request | None = None
    message: bool = False

    def run(self, on: bool, wait: float) -> State:
        """Make the change, or see that it was made, and wait until the door follows, for `wait` seconds at most.

        Raises OutputError before anything is changed where the record cannot be written.
        """
        record = self.book.record
        self.book.write()
        try:
            record.state = self._change(on) if record.change is not None else State.CHANGED
            self.book.write()
            if record.state is State.CHANGED:
                record.state = self._follow(on, wait)
            record.after = self._settings()
        except BaseException:
            self.say(f"ended early; how far it came is in {self.book.path}")
            raise
        finally:
            record.ended = self.clock.now()
            self.book.write()
        return record.state

    def _change(self, on: bool) -> State:
        """Ask for it. An answer that is a refusal, or none, proves nothing: what counts is what reads back."""
        record = self.book.record
        lost = False
        try:
            self.exchange.set_reject_direct_send(on)
        except RefusedError as error:
            record.answer = f"refused: {error}"
        except UnreachableError as error:
            record.answer, lost = f"no answer: {error}", True
        else:
            record.answer = "done"
            self.say("changed; it takes up to 30 minutes to be in force everywhere")
            return State.CHANGED
        self.say(record.answer)
        self.book.write()
        return self._came_of_it(on, _AMBIGUOUS if lost else 0.0)

    def _came_of_it(self, on: bool, patience: float) -> State:
        """What reads back after an answer that was none."""
        until, pause = self.clock.steady() + patience, _FIRST_WAIT
        while True:
            now = self._look()
            if now is on:
                self.say("yet it reads back as changed")
                return State.CHANGED
            left = until - self.clock.steady()
            if left <= 0:
                return State.UNKNOWN if isinstance(now, Unknown) else State.UNCHANGED
            self.clock.sleep(min(pause, left))
            pause *= 2

    def _follow(self, on: bool, wait: float) -> State:
        """Look until the setting reads back and the door answers so, or the time is over."""
        deadline, pause = self.clock.steady() + wait, _FIRST_WAIT
        while True:
            if self._in_force(on):
                return State.PROVEN
            left = deadline - self.clock.steady()
            if self._in_vain():
                self.say("nobody is reached from here, before the change and after it: no use in waiting")
                return State.CHANGED
            if left <= 0:
                return self._by_message(on)
            self.say(f"not in force yet (up to 30 minutes); looking again, {left:.0f} s left")
            self.clock.sleep(min(pause, left))
            pause = min(pause * 2, _LONGEST_WAIT)

    def _in_force(self, on: bool) -> bool:
        if self._look() is not on:
            return False
        return self.question is None or self._door(self.question, on)

    def _in_vain(self) -> bool:
        """Whether the door cannot be asked from here at all."""
        probes = self.book.record.probe_before, self.book.record.probe
        return all(probe is not None and not probe.reached for probe in probes)

    def _door(self, question: Request, on: bool) -> bool:
        """Ask the door, and write down what it said."""
        record = self.book.record
        record.probe = self.ask(question)
        record.looks[-1] = replace(record.looks[-1], verdict=record.probe.verdict.value)
        self.book.write()
        return _agrees(record.probe, on)

    def _by_message(self, on: bool) -> State:
        """The last word, where it is allowed: one message, if the door takes an own sender at RCPT TO still."""
        if not on or not self.message or self.question is None or self._look() is not on:
            return State.CHANGED
        return State.PROVEN if self._door(replace(self.question, send=True), on) else State.CHANGED

    def _look(self) -> Switch:
        """Read the switch, and write down what it was."""
        try:
            now: Switch = read_switch(self.exchange)
        except (RefusedError, UnreachableError) as error:
            now = Unknown(str(error))
            self.say(f"RejectDirectSend cannot be read: {error}")
        self.book.record.looks.append(Look(self.clock.now(), now, None))
        return now

    def _settings(self) -> TenantSnapshot | Unknown:
        try:
            return self.settings()
        except SidedoorError as error:
            return Unknown(str(error))


def _agrees(result: ProbeResult, on: bool) -> bool:
    """Closed: proven. Open again: the door is reached and no own sender meets RejectDirectSend (what a Partner
    connector restricts is another matter).
    """
    if on:
        return result.verdict is Verdict.CLOSED
    return result.reached and not any(made.outcome is Outcome.DIRECT_SEND_REFUSED for made in result.attempts)


def own_question(request: Request) -> Request:
    """What has to be asked again and again: own envelope senders at the tenant's own front door."""
    targets = tuple(target for target in request.targets if target.role is Role.ENDPOINT)
    senders = tuple(sender for sender in request.senders if sender[0] in OWN)
    return replace(request, targets=targets, senders=senders, send=False)
