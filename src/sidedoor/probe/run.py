"""The whole matrix, one conversation after another, and what it proves."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from itertools import product

from sidedoor.probe.client import attempt
from sidedoor.probe.model import Attempt, ProbeResult, Request, SenderKind, Verdict
from sidedoor.probe.outcome import SHUT, Outcome

_OWN = frozenset({SenderKind.ACCEPTED, SenderKind.ONMICROSOFT})


def probe(
    request: Request, say: Callable[[Attempt], None] = lambda _: None, sleep: Callable[[float], None] = time.sleep
) -> ProbeResult:
    """Ask everything that was requested. `say` is told of each attempt."""
    started = datetime.now(UTC)
    attempts: list[Attempt] = []
    for made in _attempts(request, sleep):
        attempts.append(made)
        say(made)
    verdict, why = judge(attempts)
    return ProbeResult(request.domain, started, tuple(attempts), verdict, why)


def _attempts(request: Request, sleep: Callable[[float], None]) -> Iterator[Attempt]:
    first = True
    for target in request.targets:
        for sender, tls in product(request.senders, (False, True)):
            if not first:
                sleep(request.pause)
            first = False
            made = attempt(request, target, sender, tls=tls)
            yield made
            if made.outcome in {Outcome.PORT_BLOCKED, Outcome.UNREACHABLE}:
                break  # it will not answer the next question either
    if request.send:
        sleep(request.pause)
        own = next(sender for sender in request.senders if sender[0] in _OWN)
        target = next((each for each in request.targets if each.role == "endpoint"), request.targets[0])
        yield attempt(request, target, own, tls=False, message=labelled(request, own[1]))


def labelled(request: Request, sender: str) -> EmailMessage:
    """The one message that `--send` delivers: it says what it is."""
    message = EmailMessage()
    identity = uuid.uuid4()
    message["From"], message["To"] = sender, request.recipient
    message["Subject"] = f"Sidedoor probe {identity}: was this let in?"
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = f"<{identity}@{request.domain}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834 section 5: nobody shall answer it
    message.set_content(
        "This is a test that an administrator of yours has started with `sidedoor probe --send`.\n\n"
        "It was handed to Exchange Online without a login, with an envelope sender of your own domain.\n"
        "If you can read it, Direct Send is open: anybody on the internet could have done the same.\n"
        "Nothing else is to be done with it.\n"
    )
    return message


def judge(attempts: list[Attempt]) -> tuple[Verdict, tuple[str, ...]]:
    """What the answers to an own envelope sender prove, and why."""
    own = [each for each in attempts if each.sender in _OWN]
    taken = [each for each in own if each.sent]
    if taken:
        return Verdict.OPEN, (f"{taken[0].target.host} took a message in the name of {taken[0].envelope_sender}",)
    if not any(each.remote for each in attempts):
        return Verdict.UNDETERMINED, (_unreached(attempts),)
    refused_late = any(each.outcome in SHUT for each in own if each.transcript and _had_data(each))
    endpoint = [each for each in own if each.target.role == "endpoint"] or own
    at_rcpt = [each for each in endpoint if each.outcome is Outcome.ACCEPTED]
    shut = [each for each in endpoint if each.outcome in SHUT]
    if refused_late or (shut and not at_rcpt):
        return Verdict.CLOSED, (f"an own envelope sender is refused: {(shut or own)[-1].reply}",)
    if at_rcpt:
        text = "an own envelope sender is taken at RCPT TO; whether it is after DATA only --send can tell"
        return Verdict.UNDETERMINED, (text,)
    others = sorted({each.outcome.value for each in endpoint})
    return Verdict.UNDETERMINED, (f"no answer tells: {', '.join(others) or 'nobody was asked'}",)


def _had_data(made: Attempt) -> bool:
    return any(line.who == "we" and line.text.lower() == "data" for line in made.transcript)


def _unreached(attempts: list[Attempt]) -> str:
    if attempts and all(each.outcome is Outcome.PORT_BLOCKED for each in attempts):
        return "nobody answers on port 25: most likely your own network blocks it; ask from another one"
    return "no server was reached"
