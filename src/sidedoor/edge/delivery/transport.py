"""What a way of delivering is, and the replies that all of them speak of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Protocol

from sidedoor.edge.spool.model import Delivery, Fate, Outcome

_LONGEST = 500
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


class Transport(Protocol):
    """Delivers one message to some recipients and says what became of each. Raises nothing: trouble is an Outcome."""

    async def deliver(self, delivery: Delivery) -> Sequence[Outcome]: ...

    async def close(self) -> None: ...


def fate_of(code: int) -> Fate:
    """The fate a reply code decides (RFC 5321 section 4.2.1); what is no reply code is worth another try."""
    if 200 <= code < 300:
        return Fate.DELIVERED
    return Fate.FAILED if 500 <= code < 600 else Fate.DEFERRED


def reply_text(code: int, text: str) -> str:
    """A reply on one line, without control characters, of at most 500 characters: the next hop's words are not ours."""
    return f"{code} {_CONTROL.sub(' ', text).strip()}"[:_LONGEST]


def all_alike(recipients: Iterable[str], fate: Fate, reply: str) -> list[Outcome]:
    """The same outcome for every recipient."""
    return [Outcome(recipient, fate, reply) for recipient in recipients]
