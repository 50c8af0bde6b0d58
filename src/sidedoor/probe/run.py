"""The whole matrix, one conversation after another, and what it proves."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import product

from sidedoor.probe.client import attempt
from sidedoor.probe.judge import judge
from sidedoor.probe.message import labelled
from sidedoor.probe.model import OWN, Attempt, ProbeResult, Request, Role, SenderKind, Target
from sidedoor.probe.outcome import NOWHERE, Outcome, Stage

_MOST_SILENCES = 2
_BUDGET = 15  # times the patience for one answer, for all conversations with one server


def probe(
    request: Request, say: Callable[[Attempt], None] = lambda _: None, sleep: Callable[[float], None] = time.sleep
) -> ProbeResult:
    """Ask everything that was requested. `say` is told of each attempt."""
    started = datetime.now(UTC)
    attempts: list[Attempt] = []
    for made in _matrix(request, sleep):
        attempts.append(made)
        say(made)
    notes = list(request.notes)
    if request.send:
        taken = _taken(attempts)
        if taken is None:
            notes.append("nothing was sent: the tenant's front door takes no own envelope sender at RCPT TO")
        else:
            sleep(request.pause)
            attempts.append(_send(request, taken))
            say(attempts[-1])
    verdict, why = judge(attempts)
    return ProbeResult(request.domain, started, datetime.now(UTC), tuple(attempts), verdict, why, tuple(notes))


def _matrix(request: Request, sleep: Callable[[float], None]) -> Iterator[Attempt]:
    """Every server, envelope sender, and with and without TLS; one connection at a time."""
    first = True
    for target in request.targets:
        patience = _Patience(_BUDGET * request.timeout)
        for sender, tls in product(request.senders, (False, True)):
            if patience.ended(tls=tls):
                yield _left_out(request, target, sender, tls=tls)
                continue
            if not first:
                sleep(request.pause)
            first = False
            begun = time.monotonic()
            made = attempt(request, target, sender, tls=tls)
            patience.saw(made, time.monotonic() - begun)
            yield made


class _Patience:
    """How long one server is asked on: nobody who answers nothing is asked twenty times. seconds: for all of it."""

    def __init__(self, seconds: float) -> None:
        self._silences = {False: 0, True: 0}
        self._gone = False
        self._left = seconds

    def ended(self, *, tls: bool) -> bool:
        """Whether the next question would be in vain too; whoever is silent without TLS is with it."""
        silent = any(self._silences[each] >= _MOST_SILENCES for each in {False, tls})
        return self._gone or silent or self._left <= 0

    def saw(self, made: Attempt, seconds: float) -> None:
        """What the last question came to, and how long it took."""
        self._left -= seconds
        if made.silent:
            self._silences[made.tls] += 1
        self._gone |= made.outcome in NOWHERE or (made.silent and made.stage is Stage.GREETING)


def _left_out(request: Request, target: Target, sender: tuple[SenderKind, str], *, tls: bool) -> Attempt:
    why = "the questions before got no answer in time"
    return Attempt(
        target, *sender, request.recipient, tls, Outcome.NOT_ASKED, Stage.CONNECT, "", False, "", "", (why,), ()
    )


def _taken(attempts: Sequence[Attempt]) -> Attempt | None:
    """The question to repeat with a message: an own sender that the tenant's front door took at RCPT TO."""
    return next(
        (
            each
            for each in attempts
            if each.sender in OWN and each.target.role is Role.ENDPOINT and each.outcome is Outcome.ACCEPTED
        ),
        None,
    )


def _send(request: Request, taken: Attempt) -> Attempt:
    sender = taken.sender, taken.envelope_sender
    message = labelled(request, taken.envelope_sender)
    return attempt(request, taken.target, sender, tls=taken.tls, message=message)
