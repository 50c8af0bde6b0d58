"""Whether the door is open: what the settings say, what was seen from outside, and whether the two agree. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from sidedoor.mail.fact import Fact, Unknown
from sidedoor.report import words
from sidedoor.web.service.describe import doc


class DoorState(StrEnum):
    """How the door stands."""

    CLOSED = "closed"  # RejectDirectSend is on, as far as anybody can tell
    OPEN = "open"  # anyone on the internet can use it
    UNKNOWN = "unknown"  # nobody has looked, or two who did disagree


@dataclass(frozen=True, slots=True)
class Proof:
    """What one source says."""

    source: Annotated[str, doc("settings, probe or refusals.")]
    says: DoorState
    text: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Door:
    """The state, since when, and by what it is proven."""

    state: DoorState
    since: Annotated[datetime | None, doc("Null where it is not known.")]
    headline: str
    sentence: str
    proofs: tuple[Proof, ...]


SETTINGS, PROBE, REFUSALS = "settings", "probe", "refusals"
_HEADLINES = {
    DoorState.CLOSED: "The door is closed",
    DoorState.OPEN: "The door is open",
    DoorState.UNKNOWN: "Nobody can say how the door stands",
}
_SENTENCES = {
    DoorState.CLOSED: "Exchange Online refuses mail in your name that nobody vouches for.",
    DoorState.OPEN: "Anyone on the internet can hand in mail in your name, without a login.",
}


def door(proofs: Sequence[Proof], closed_since: datetime | None) -> Door:
    """proofs: the settings' first, each source once. What was seen before the settings were read is past."""
    telling = [proof for proof in proofs if proof.says is not DoorState.UNKNOWN]
    if telling and telling[0].source == SETTINGS:
        read = telling[0].at
        telling = [proof for proof in telling if proof.at is None or read is None or proof.at >= read]
    states = {proof.says for proof in telling}
    if len(states) == 1:
        state = states.pop()
        since = closed_since if state is DoorState.CLOSED else None
        return Door(state, since, _HEADLINES[state], _SENTENCES[state], tuple(proofs))
    sentence = (
        "What the settings say and what was seen from outside do not agree."
        if states
        else "No export holds RejectDirectSend, and nobody asked the door from outside. It is off by default."
    )
    return Door(DoorState.UNKNOWN, None, _HEADLINES[DoorState.UNKNOWN], sentence, tuple(proofs))


def by_settings(reject: Fact[bool], at: datetime) -> Proof:
    """What RejectDirectSend says. at: when the settings were read."""
    if isinstance(reject, Unknown):
        return Proof(SETTINGS, DoorState.UNKNOWN, f"RejectDirectSend is not known: {reject.reason}.", at)
    state = DoorState.CLOSED if reject else DoorState.OPEN
    return Proof(SETTINGS, state, f"RejectDirectSend is {'on' if reject else 'off'} in the tenant's settings.", at)


def by_probe(verdict: str, why: Sequence[str], at: datetime) -> Proof:
    """What a probe from outside found. verdict: as `sidedoor probe` gives it."""
    state = {"closed": DoorState.CLOSED, "open": DoorState.OPEN}.get(verdict, DoorState.UNKNOWN)
    return Proof(PROBE, state, f"Asked from outside, it was {words_of(state)}. {' '.join(why)}".strip(), at)


def words_of(state: DoorState) -> str:
    """The state as a sentence uses it."""
    return {DoorState.CLOSED: "closed", DoorState.OPEN: "open", DoorState.UNKNOWN: "not to be told"}[state]


def by_refusals(refused: int, last: datetime) -> Proof:
    """Non-delivery reports with 5.7.68: the service itself shows nobody what it refused."""
    return Proof(REFUSALS, DoorState.CLOSED, f"{words.count(refused, 'message')} came back with 5.7.68.", last)
