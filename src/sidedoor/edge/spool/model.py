"""The spool's nouns: a message that was kept, a delivery of it to some recipients, and what became of each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum


@dataclass(frozen=True, slots=True)
class Kept:
    """A message as it was accepted.

    id: unique in the spool. envelope_sender: "" for the null reverse-path (RFC 5321 section 4.5.5).
    content: the octets as received, dots unstuffed, with CRLF line ends. smtputf8: the client asked for RFC 6531.
    """

    id: str
    received_at: datetime
    envelope_sender: str
    recipients: tuple[str, ...]
    content: bytes
    smtputf8: bool = False


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that is due, with those of its recipients that are; `attempts` counts earlier tries of the first."""

    message: Kept
    recipients: tuple[str, ...]
    attempts: int


class Fate(Enum):
    """What one attempt made of one recipient."""

    DELIVERED = "delivered"  # the next hop has taken responsibility
    DEFERRED = "deferred"  # try again later: 4yz, or nobody there
    FAILED = "failed"  # never again: 5yz, or given up; its sender is told


@dataclass(frozen=True, slots=True)
class Outcome:
    """The fate of one recipient and the reply it rests on, such as `451 4.3.2 try later`."""

    recipient: str
    fate: Fate
    reply: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """One unsettled recipient, for people: `next_attempt` in UTC, `last_reply` "" before the first attempt."""

    message_id: str
    envelope_sender: str
    recipient: str
    received_at: datetime
    attempts: int
    next_attempt: datetime
    last_reply: str
    size: int


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A message held back, for people: why (a transport rule's name, say) and what the rule decided, as reason ids."""

    id: str
    received_at: datetime
    envelope_sender: str
    recipients: tuple[str, ...]
    size: int
    why: str


@dataclass(frozen=True, slots=True)
class Held:
    """A message to hold back, and why."""

    message: Kept
    why: str


class SpoolError(Exception):
    """The spool could not keep a message, because the disk is full or broken. Nothing of the message is kept."""
