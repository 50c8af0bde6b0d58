"""What the answers to the organisation's own envelope senders prove. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sidedoor.probe.model import OWN, Attempt, Role, Verdict
from sidedoor.probe.outcome import NOWHERE, SHUT, Outcome, Stage

_LATE = frozenset({Stage.DATA, Stage.CONTENT})
# Told only of those who answered nothing else.
_ASIDE = frozenset({Outcome.TLS_NOT_OFFERED, Outcome.TLS_FAILED, Outcome.NOT_ASKED})
_MEANS: Mapping[Outcome, str] = {
    Outcome.RELAY_DENIED: "5.7.64: the service knows no tenant for the recipient at this door",
    Outcome.UNKNOWN_RECIPIENT: "the recipient is not known there: name another one with --recipient",
    Outcome.REPUTATION: "the address you ask from is blocked for its reputation, which says nothing of the door: "
    "ask from another network",
    Outcome.GREYLISTED: "greylisted, which says nothing of the door: ask again in some minutes",
    Outcome.WRONG_REGION: "another region's front door answers: name the right one with --endpoint",
    Outcome.TEMPORARY: "a temporary refusal, which says nothing of the door: ask again later",
    Outcome.OTHER_REFUSAL: "refused for another reason, which says nothing of the door",
    Outcome.TLS_NOT_OFFERED: "TLS is not offered",
    Outcome.TLS_FAILED: "TLS fails",
    Outcome.BROKEN: "the conversation breaks off",
    Outcome.PORT_BLOCKED: "nobody answers on that port: most likely your own network blocks it; ask from another one",
    Outcome.UNREACHABLE: "no connection comes about",
    Outcome.ACCEPTED: "an own envelope sender is taken at RCPT TO; whether it is after DATA only --send can tell",
    Outcome.DIRECT_SEND_REFUSED: "an own envelope sender is refused with 5.7.68: RejectDirectSend is in force",
    Outcome.PARTNER_RESTRICTION: "an own envelope sender is refused with 5.7.51: a Partner connector restricts it",
}
_QUOTED = frozenset({*SHUT, Outcome.OTHER_REFUSAL, Outcome.TEMPORARY, Outcome.REPUTATION, Outcome.RELAY_DENIED})


def judge(attempts: Sequence[Attempt]) -> tuple[Verdict, tuple[str, ...]]:
    """Only the tenant's own front door counts: what a filter before it takes or refuses is the filter's own affair."""
    own = [each for each in attempts if each.sender in OWN]
    door = [each for each in own if each.target.role is Role.ENDPOINT]
    if not any(each.remote for each in attempts):
        return Verdict.UNDETERMINED, _reasons(door or own)
    if not door:
        return Verdict.UNDETERMINED, ("the tenant's own front door was not asked: name it with --endpoint",)
    late = [each for each in door if each.stage in _LATE]
    if late:
        return _by_message(late[-1])
    shut = any(each.outcome in SHUT for each in door)
    taken = any(each.outcome is Outcome.ACCEPTED for each in door)
    return (Verdict.CLOSED if shut and not taken else Verdict.UNDETERMINED), _reasons(door)


def _by_message(made: Attempt) -> tuple[Verdict, tuple[str, ...]]:
    """What became of the message that was handed over."""
    if made.sent:
        return Verdict.OPEN, (f"{made.target.host} took a message in the name of {made.envelope_sender}",)
    if made.outcome in SHUT:
        return Verdict.CLOSED, (f"{_MEANS[made.outcome]}, after DATA", _quoted(made))
    if made.sent is None:
        return Verdict.UNDETERMINED, ("a message was handed over and no answer came: look into the mailbox",)
    return Verdict.UNDETERMINED, (f"not delivered: {_MEANS[made.outcome]}", *([_quoted(made)] if made.reply else []))


def _reasons(door: Sequence[Attempt]) -> tuple[str, ...]:
    """A sentence an outcome; what was said about it where that is worth reading."""
    first: dict[Outcome, Attempt] = {}
    for each in door:
        first.setdefault(each.outcome, each)
    told = [made for outcome, made in first.items() if outcome not in _ASIDE] or list(first.values())
    return tuple(line for made in told for line in _reason(made))


def _reason(made: Attempt) -> Iterator[str]:
    if made.outcome is Outcome.NOT_ASKED:
        return
    yield _MEANS[made.outcome]
    if made.outcome in _QUOTED and made.reply:
        yield _quoted(made)
    elif made.outcome in NOWHERE | {Outcome.BROKEN}:
        yield from made.notes[-1:]


def _quoted(made: Attempt) -> str:
    return f"{made.target.host} said: {made.reply}"
