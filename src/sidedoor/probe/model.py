"""A probe as values: what was asked, what was said, what it proves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sidedoor.probe.outcome import Outcome


class SenderKind(StrEnum):
    """Whose envelope sender an attempt shows."""

    ACCEPTED = "accepted"  # the domain itself: Direct Send
    SUBDOMAIN = "subdomain"  # below it
    ONMICROSOFT = "onmicrosoft"  # the tenant's initial domain: Direct Send as well
    FOREIGN = "foreign"  # somebody else's: sending directly
    NULL = "null"  # <>, as a bounce has it


class Verdict(StrEnum):
    """What the probe proves of Direct Send."""

    CLOSED = "closed"  # an own envelope sender is refused as it should be, everywhere it was asked
    OPEN = "open"  # one message in the organisation's own name was taken
    UNDETERMINED = "undetermined"  # taken at RCPT, or no answer that tells


@dataclass(frozen=True, slots=True)
class Target:
    """A server to ask. role: `mx`, or `endpoint` (the tenant's own front door)."""

    host: str
    port: int
    role: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a conversation, cut and made harmless. who: `we` or `they`; at: UTC."""

    at: datetime
    who: str
    text: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One conversation. local, remote: address and port; "" where there was no connection."""

    target: Target
    sender: SenderKind
    envelope_sender: str
    recipient: str
    tls: bool
    outcome: Outcome
    reply: str
    sent: bool
    local: str
    remote: str
    notes: tuple[str, ...]
    transcript: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Request:
    """What to ask. `send`: one message to `recipient` after the matrix. pause, timeout: seconds."""

    domain: str
    targets: tuple[Target, ...]
    senders: tuple[tuple[SenderKind, str], ...]
    recipient: str
    helo: str
    send: bool = False
    pause: float = 1.0
    timeout: float = 30.0


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """All attempts, and what they prove."""

    domain: str
    started: datetime
    attempts: tuple[Attempt, ...]
    verdict: Verdict
    why: tuple[str, ...]
