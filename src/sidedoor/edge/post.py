"""What lies behind the door: spools, what is done with mail on its way in, and the couriers that take it away.

A process has a spool of its own. One whose process died is adopted: its mail is delivered by whoever looks first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sidedoor.edge.delivery.courier import Courier
from sidedoor.edge.delivery.transport import Transport
from sidedoor.edge.reception.authenticator import Authenticator
from sidedoor.edge.reception.keeper import Reception, Vault
from sidedoor.edge.reception.stamps import Marks
from sidedoor.edge.reception.tenant_rules import TenantRules, rules_of
from sidedoor.edge.reception.treatment import Rules
from sidedoor.edge.settings import Settings
from sidedoor.edge.spool.folder import Slot, SpoolFolder
from sidedoor.edge.spool.model import Fate, Kept, Outcome, SpoolError
from sidedoor.edge.spool.spool import Spool
from sidedoor.errors import OutputError, UnreachableError

_LATER = 5.0  # seconds, when the spool itself is in trouble
_GRACE = 20.0  # seconds for deliveries under way when the edge stops
_ADOPT_EVERY = 5.0
_FETCH_EVERY = 2.0


class Fetcher(Protocol):
    """Where mail that was released elsewhere comes from."""

    async def fetch(self, spool: Spool) -> int:
        """Take what was released into a spool. Raises UnreachableError, SpoolError."""

    async def settle(self, spool: Spool) -> None:
        """Find out what became of mail that was on its way into a spool. Raises UnreachableError, SpoolError."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What is kept outside of this machine."""

    vault: Vault
    fetcher: Fetcher


@dataclass(slots=True)
class _Desk:
    """A spool with its courier."""

    slot: Slot
    spool: Spool
    courier: Courier
    task: asyncio.Task[None] | None = None


class PostRoom:
    """`keeper` is for the server; `start` sends the couriers out, `close` calls them back."""

    def __init__(  # noqa: PLR0917  # the operator's choices
        self,
        folder: Path,
        transport: Transport,
        hostname: str,
        marks: Marks,
        settings: Callable[[], Settings],
        authenticator: Authenticator | None,
        say: Callable[[str], None],
        *,
        transport_rules: bool = True,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        """Open a spool in `folder` that nobody has; inside a running event loop. Raises OutputError."""
        self._folder = SpoolFolder(folder)
        self._transport, self._authenticator, self._say = transport, authenticator, say
        self._settings, self._transport_rules, self._hostname = settings, transport_rules, hostname
        self._fetcher = None if elsewhere is None else elsewhere.fetcher
        self._compiled_for: Settings | None = None
        self._compiled: TenantRules | None = None
        self._tasks: list[asyncio.Task[None]] = []
        try:
            self._own = self._open(self._folder.take())
        except SpoolError as error:
            raise OutputError(str(error)) from error
        self._desks = [self._own]
        vault = None if elsewhere is None else elsewhere.vault
        self.keeper = Reception(self._own.spool, hostname, marks, self._rules, authenticator, vault)

    def _open(self, slot: Slot) -> _Desk:
        spool = Spool(slot.path)
        return _Desk(slot, spool, Courier(spool, self._transport, self._hostname, told=self._told))

    def _rules(self) -> Rules | None:
        """Compiled once for each new settings."""
        settings = self._settings()
        if settings is not self._compiled_for:
            self._compiled_for = settings
            self._compiled = rules_of(settings.rule.snapshot) if self._transport_rules else None
            for warning in self._compiled.warnings() if self._compiled else ():
                self._say(f"transport rules: {warning}")
        return self._compiled

    def lines(self) -> Iterator[str]:
        """What the operator has to know at the start."""
        self._rules()
        count = len(self._compiled.rules.rules) if self._compiled else 0
        yield f"transport rules in force: {count}" if self._transport_rules else "transport rules are left out"
        if self._authenticator is None:
            yield "SPF, DKIM and DMARC are not checked: give --authenticate or --dns"

    async def waiting(self) -> int:
        """Messages in the spools of this process."""
        count = 0
        for desk in tuple(self._desks):
            with suppress(RuntimeError):  # one that is being closed is empty
                count += await desk.spool.count()
        return count

    def start(self) -> None:
        """Begin to deliver, what was left from last time first."""
        self._own.task = asyncio.create_task(self._deliver(self._own))
        self._tasks = [asyncio.create_task(self._again(self._adopt, _ADOPT_EVERY))]
        if self._fetcher is not None:
            self._tasks.append(asyncio.create_task(self._again(self._fetch, _FETCH_EVERY)))

    async def _deliver(self, desk: _Desk) -> None:
        """A spool that cannot be read for a while (a full disk, say) is tried again."""
        while True:
            try:
                await desk.courier.run()
            except Exception as error:  # noqa: BLE001  # mail waits in the spool; the edge has to go on
                self._say(f"delivery stopped for a moment ({type(error).__name__}: {error})")
                await asyncio.sleep(_LATER)

    async def _again(self, act: Callable[[], Coroutine[None, None, None]], every: float) -> None:
        """Do it every few seconds, whatever happens."""
        while True:
            try:
                await act()
            except UnreachableError:
                pass  # whoever keeps the line open has said so
            except Exception as error:  # noqa: BLE001  # the next time may be better; the edge has to go on
                self._say(f"{act.__name__.strip('_')}: {type(error).__name__}: {error}")
            await asyncio.sleep(every)

    async def _adopt(self) -> None:
        """Deliver what is in spools without an owner, and let go of those that are empty."""
        for slot in await asyncio.to_thread(self._folder.abandoned):
            try:
                desk = self._open(slot)
            except SpoolError as error:
                self._say(f"{error}; what is in it waits for a person")  # and stays ours, so that it is said once
                continue
            count = await desk.spool.count()
            self._say(
                f"{slot.path.name} is left from a process that has ended; its {count:,} message(s) go on from here"
            )
            desk.task = asyncio.create_task(self._deliver(desk))
            self._desks.append(desk)
        for desk in self._desks[1:]:
            if await desk.spool.is_empty():
                self._desks.remove(desk)
                await self._dismiss(desk)

    async def _dismiss(self, desk: _Desk) -> None:
        if desk.task is not None:
            desk.task.cancel()
            await asyncio.wait([desk.task], timeout=_GRACE)
        await desk.spool.close()
        desk.slot.release()

    async def _fetch(self) -> None:
        if self._fetcher is None:
            return
        for desk in self._desks[1:]:
            await self._fetcher.settle(desk.spool)
        await self._fetcher.fetch(self._own.spool)

    def _told(self, message: Kept, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            if outcome.fate is not Fate.DELIVERED:
                self._say(f"{message.id} to {outcome.recipient}: {outcome.fate.value} ({outcome.reply})")

    async def close(self) -> None:
        """Let deliveries under way end, within bounds; the rest waits on disk for the next start."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await asyncio.gather(*(self._dismiss(desk) for desk in self._desks))
        if self._authenticator is not None:
            self._authenticator.close()
        await self._transport.close()
