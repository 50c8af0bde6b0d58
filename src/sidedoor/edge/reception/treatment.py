"""What is to be done with one recipient's copy of a message, as transport rules or their absence decide it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sidedoor.edge.interface import Action, Recipient, Transaction
from sidedoor.mail.reply import Reply


@dataclass(frozen=True, slots=True)
class Treatment:
    """content: the copy with what the rules changed. to: who gets it, the recipient or whom rules added or put there.

    reply: of a refusal, else None. why: of a quarantine, for people. notes: for the log.
    """

    recipient: Recipient
    action: Action
    content: bytes
    to: tuple[str, ...]
    rules: tuple[str, ...] = ()
    reply: Reply | None = None
    why: str = ""
    notes: tuple[str, ...] = ()


class Rules(Protocol):
    """Treats each recipient's copy; pure but for what it was made with."""

    def treat(self, transaction: Transaction, content: bytes, shown: bytes, now: datetime) -> Sequence[Treatment]:
        """One treatment for each recipient. `content` is the copy with its trace and stamps.

        shown: fields that rules see above it though the copy does not carry them, because a next hop is to get none.
        """


def plain(recipient: Recipient, content: bytes, action: Action = Action.DELIVER) -> Treatment:
    """Nothing but delivery."""
    return Treatment(recipient, action, content, (str(recipient.address),))
