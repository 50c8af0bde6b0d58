"""The spool as a keeper of transactions: 250 when the message is on disk, 452 when it could not be put there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sidedoor.edge.interface import Transaction
from sidedoor.edge.spool.model import Kept, SpoolError
from sidedoor.edge.spool.spool import Spool
from sidedoor.mail.address import Address
from sidedoor.mail.reply import Reply

NO_ROOM = Reply(452, "4.3.1", "Insufficient system storage")  # RFC 5321 section 4.2.3


@dataclass(frozen=True, slots=True)
class SpoolKeeper:
    """`stamp` gives the trace fields that go on top of a transaction's content, with their CRLF."""

    spool: Spool
    stamp: Callable[[Transaction], bytes]

    async def keep(self, transaction: Transaction) -> Reply:
        """Put it into the spool, due at once."""
        try:
            await self.spool.keep([kept(transaction, self.stamp(transaction))])
        except SpoolError:
            return NO_ROOM
        return Reply(250, "2.6.0", f"{transaction.id} queued")


def kept(transaction: Transaction, trace: bytes) -> Kept:
    """The message as the spool keeps it, for the recipients that were taken."""
    sender = transaction.envelope_sender
    return Kept(
        transaction.id,
        transaction.received_at,
        str(sender) if isinstance(sender, Address) else "",
        tuple(str(recipient.address) for recipient in transaction.recipients),
        trace + transaction.content,
        transaction.smtputf8,
    )
