"""Holding mail back in the store: on disk there before the client is told 250."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from sidedoor.edge.shared.link import AwayError, Link
from sidedoor.edge.spool.model import Held
from sidedoor.store.model import HeldMessage

if TYPE_CHECKING:
    from sidedoor.store.tenant import TenantStore

_MOST_DOUBTED = 10_000
_PATIENCE = 30.0  # a large message, and a database that is busy


class Vault:
    """See `reception.keeper.Vault`. edge: the name of this process, which is written beside each message."""

    def __init__(self, link: Link, edge: str) -> None:
        self._link, self._edge = link, edge
        self._doubted: dict[str, None] = {}  # in order, and safe for several threads

    async def hold(self, held: Sequence[Held]) -> None:
        """All of them or none. Raises AwayError."""
        rows, given_up = [self._row(each) for each in held], threading.Event()

        def work(tenant: TenantStore) -> None:
            tenant.hold(rows)
            if given_up.is_set():  # later than anybody waited for, perhaps behind a `tidy` that found nothing
                self._doubt(row.id for row in rows)

        try:
            await self._link.call(work, patience=_PATIENCE)
        except BaseException:
            # The server may have done it and not have come to say so; its client will send it again.
            given_up.set()
            self._doubt(row.id for row in rows)
            raise

    def _doubt(self, ids: Iterable[str]) -> None:
        self._doubted.update(dict.fromkeys(ids))
        for each in list(self._doubted)[:-_MOST_DOUBTED]:
            self._doubted.pop(each, None)

    async def unhold(self, ids: Iterable[str]) -> None:
        """Take back what was just held; later, where the store is away. Raises nothing of the store's."""
        self._doubt(ids)
        try:
            await self.tidy()
        except AwayError:
            return

    async def tidy(self) -> None:
        """Take back what was held though its client was told 4yz. Raises AwayError."""
        ids = tuple(self._doubted)
        if ids:
            await self._link.call(lambda tenant: tenant.unhold(ids))
            for each in ids:
                self._doubted.pop(each, None)

    def _row(self, each: Held) -> HeldMessage:
        message = each.message
        return HeldMessage(
            message.id, message.received_at, message.envelope_sender, message.recipients, len(message.content),
            each.why, self._edge, message.smtputf8, message.content,
        )  # fmt: skip
