"""A probe on the terminal: a line a question while they are asked, then what they prove."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidedoor.probe.model import Attempt, ProbeResult, Target, Verdict
from sidedoor.probe.outcome import SHUT, Outcome, Stage
from sidedoor.report.terminal import Page
from sidedoor.report.text import shorten

if TYPE_CHECKING:
    from rich.console import Console

_AT = {
    Stage.CONNECT: "",
    Stage.GREETING: "at the greeting",
    Stage.HELLO: "at EHLO",
    Stage.STARTTLS: "at STARTTLS",
    Stage.MAIL: "at MAIL FROM",
    Stage.RCPT: "at RCPT TO",
    Stage.DATA: "at DATA",
    Stage.CONTENT: "after the message",
}
_STYLES = {Verdict.CLOSED: "bold green", Verdict.OPEN: "bold red", Verdict.UNDETERMINED: "bold magenta"}
_PLAIN = frozenset({Outcome.ACCEPTED, Outcome.TLS_NOT_OFFERED})  # what was said adds nothing
_MOST_REPLY = 300


class ProbeText:
    """Prints to `console`; what was said already of a server is not said again."""

    def __init__(self, console: Console) -> None:
        self._page = Page(console)
        self._target: Target | None = None
        self._said: set[str] = set()
        self._left_out = 0

    def attempt(self, made: Attempt) -> None:
        """One conversation, as soon as it is over."""
        if made.target != self._target:
            self._leave_target()
            self._target = made.target
            self._page.line((f"{made.target.role.value} {made.target.host}:{made.target.port}", "bold"))
        if made.outcome is Outcome.NOT_ASKED:
            self._left_out += 1
            return
        tls = "TLS" if made.tls else "plain"
        style = "green" if made.outcome in SHUT else "red" if made.sent else ""
        what = (made.outcome.value, style) if style else made.outcome.value
        self._page.line(f"{made.sender.value:<12}{tls:<7}", what, f" {_AT[made.stage]}", indent=2)
        quoted = made.sent or made.outcome not in _PLAIN
        for text in (made.reply if quoted else "", *made.notes):
            self._once(text)

    def _once(self, text: str) -> None:
        if text and text not in self._said:
            self._said.add(text)
            self._page.line(shorten(text, _MOST_REPLY), indent=6)

    def _leave_target(self) -> None:
        if self._left_out:
            self._page.line(f"{self._left_out} more not asked: what came before got no answer in time", indent=2)
        self._left_out = 0
        self._said = set()

    def verdict(self, result: ProbeResult) -> None:
        """What it all proves."""
        self._leave_target()
        self._page.line("Direct Send: ", (result.verdict.value, _STYLES[result.verdict]))
        for text in (*result.why, *result.notes):
            self._page.line(shorten(text, _MOST_REPLY), indent=2, bullet="- ")
