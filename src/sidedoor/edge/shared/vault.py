"""Holding mail back in the store: on disk there before the client is told 250."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from sidedoor.edge.shared.link import AwayError, Link
from sidedoor.edge.spool.model import Held
from sidedoor.store.model import HeldMessage

_MOST_DOUBTED = 10_000
_PATIENCE = 30.0  # a large message, and a database that is busy


class Vault:
    """See `reception.keeper.Vault`. edge: the name of this process, which is written beside each message."""

    def __init__(self, link: Link, edge: str) -> None:
        self._link, self._edge = link, edge
        self._doubted: deque[str] = deque(maxlen=_MOST_DOUBTED)

    async def hold(self, held: Sequence[Held]) -> None:
        """All of them or none. Raises AwayError."""
        rows = [self._row(each) for each in held]
        try:
            await self._link.call(lambda tenant: tenant.hold(rows), patience=_PATIENCE)
        except AwayError:
            # The server may have done it and not have come to say so; its client will send it again.
            self._doubted.extend(row.id for row in rows)
            raise

    async def unhold(self, ids: Iterable[str]) -> None:
        """Take back what was just held; later, where the store is away. Raises nothing of the store's."""
        self._doubted.extend(ids)
        try:
            await self.tidy()
        except AwayError:
            return

    async def tidy(self) -> None:
        """Take back what was held though its client was told 4yz. Raises AwayError."""
        ids = tuple(self._doubted)
        if ids:
            await self._link.call(lambda tenant: tenant.unhold(ids))
            for _ in ids:
                self._doubted.popleft()

    def _row(self, each: Held) -> HeldMessage:
        message = each.message
        return HeldMessage(
            message.id, message.received_at, message.envelope_sender, message.recipients, len(message.content),
            each.why, self._edge, message.smtputf8, message.content,
        )  # fmt: skip
