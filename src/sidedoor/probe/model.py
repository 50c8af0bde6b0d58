"""A probe as values: what was asked, what was said, what it proves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sidedoor.probe.outcome import Outcome, Stage


class SenderKind(StrEnum):
    """Whose envelope sender an attempt shows."""

    ACCEPTED = "accepted"  # the domain itself: Direct Send
    SUBDOMAIN = "subdomain"  # below it
    ONMICROSOFT = "onmicrosoft"  # the tenant's initial domain: Direct Send as well
    FOREIGN = "foreign"  # somebody else's: sending directly
    NULL = "null"  # <>, as a bounce has it


OWN = frozenset({SenderKind.ACCEPTED, SenderKind.ONMICROSOFT})
"""Kinds that are Direct Send for certain."""


class Role(StrEnum):
    """What a server is to the domain."""

    MX = "mx"  # the published MX, which is somebody else's filter or gateway
    ENDPOINT = "endpoint"  # the tenant's own front door; the published MX too, where it leads there


class Verdict(StrEnum):
    """What the probe proves of Direct Send."""

    CLOSED = "closed"  # an own envelope sender is refused as it should be, and nowhere taken
    OPEN = "open"  # one message in the organisation's own name was taken
    UNDETERMINED = "undetermined"  # taken at RCPT, or no answer that tells


@dataclass(frozen=True, slots=True)
class Target:
    """A server to ask. addresses: where it is, from master files; empty where the system is asked."""

    host: str
    port: int
    role: Role
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a conversation, cut and made harmless. who: `we` or `they`; at: UTC."""

    at: datetime
    who: str
    text: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One conversation. stage: what `outcome` is the answer to. local, remote: address and port; "" where there was no
    connection. sent: whether a message was taken; None where it was handed over and no answer came.
    """

    target: Target
    sender: SenderKind
    envelope_sender: str
    recipient: str
    tls: bool
    outcome: Outcome
    stage: Stage
    reply: str
    sent: bool | None
    local: str
    remote: str
    notes: tuple[str, ...]
    transcript: tuple[Line, ...]
    silent: bool = False  # connected, and then nothing came in time


@dataclass(frozen=True, slots=True)
class Request:
    """What to ask. `send`: one message to `recipient` after the matrix. pause, timeout: seconds.

    timeout is for one answer; a conversation takes four times that at most. notes: what cannot be asked, and why.
    """

    domain: str
    targets: tuple[Target, ...]
    senders: tuple[tuple[SenderKind, str], ...]
    recipient: str
    helo: str
    send: bool = False
    pause: float = 1.0
    timeout: float = 20.0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """All attempts, and what they prove. notes: what was not asked, and why."""

    domain: str
    started: datetime
    ended: datetime
    attempts: tuple[Attempt, ...]
    verdict: Verdict
    why: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def reached(self) -> bool:
        """Whether anybody took a connection."""
        return any(made.remote for made in self.attempts)
