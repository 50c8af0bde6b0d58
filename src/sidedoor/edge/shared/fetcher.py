"""Fetching mail that was released: from the store into a spool, once, whoever is killed meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from sidedoor.edge.shared.link import Link
from sidedoor.edge.spool.model import Kept
from sidedoor.edge.spool.spool import Spool
from sidedoor.store.model import HeldMessage

_PATIENCE = 120.0  # for a large message on its way into the spool


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Fetcher:
    """`store.held` says how a message is handed over."""

    def __init__(self, link: Link, now: Callable[[], datetime] = _utc_now) -> None:
        self._link, self._now = link, now
        self._settled: set[str] = set()  # spools that have nothing open with the store

    async def fetch(self, spool: Spool) -> int:
        """Take what was released into `spool`, and say how many it were. Raises AwayError, SpoolError."""
        await self.settle(spool)
        count = 0
        while await self._link.call(lambda tenant: tenant.released_messages()):
            self._settled.discard(spool.identity)
            taken = await self._link.call(
                lambda tenant: tenant.take_held(spool.identity, lambda each: spool.prepare(_kept(each))),
                patience=_PATIENCE,
            )
            await self.settle(spool)
            if taken is None:  # others are taking the rest
                break
            count += 1
        return count

    async def settle(self, spool: Spool) -> None:
        """Ask the store what became of messages that were arriving at a spool. Raises AwayError, SpoolError."""
        arriving = await spool.arriving()
        if not arriving and spool.identity in self._settled:
            return
        now = self._now()
        await self._link.call(
            lambda tenant: tenant.settle_taken(
                spool.identity, arriving, lambda own: spool.settle_arriving(arriving, own, now)
            ),
            patience=_PATIENCE,
        )
        self._settled.add(spool.identity)
        if arriving:
            spool.arrived.set()


def _kept(each: HeldMessage) -> Kept:
    content = each.content or b""
    return Kept(each.id, each.received_at, each.envelope_sender, each.recipients, content, each.smtputf8)
