"""What lies behind the door: the spool, what is done with mail on its way in, and the courier that takes it away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from sidedoor.edge.delivery.courier import Courier
from sidedoor.edge.delivery.transport import Transport
from sidedoor.edge.reception.authenticator import Authenticator
from sidedoor.edge.reception.keeper import Reception
from sidedoor.edge.reception.stamps import Marks
from sidedoor.edge.reception.tenant_rules import TenantRules, rules_of
from sidedoor.edge.reception.treatment import Rules
from sidedoor.edge.settings import Settings
from sidedoor.edge.spool.model import Fate, Kept, Outcome, SpoolError
from sidedoor.edge.spool.spool import Spool
from sidedoor.errors import OutputError

_LATER = 5.0  # seconds, when the spool itself is in trouble
_GRACE = 20.0  # seconds for deliveries under way when the edge stops


class PostRoom:
    """`keeper` is for the server; `start` sends the courier out, `close` calls him back."""

    def __init__(  # noqa: PLR0917  # the operator's choices
        self,
        spool: Path,
        transport: Transport,
        hostname: str,
        marks: Marks,
        settings: Callable[[], Settings],
        authenticator: Authenticator | None,
        say: Callable[[str], None],
        *,
        transport_rules: bool = True,
    ) -> None:
        """Open the spool; inside a running event loop. Raises OutputError."""
        try:
            self._spool = Spool(spool)
        except SpoolError as error:
            raise OutputError(str(error)) from error
        self._transport, self._authenticator, self._say = transport, authenticator, say
        self._settings, self._transport_rules = settings, transport_rules
        self._courier = Courier(self._spool, transport, hostname, told=self._told)
        self._compiled_for: Settings | None = None
        self._compiled: TenantRules | None = None
        self._task: asyncio.Task[None] | None = None
        self.keeper = Reception(self._spool, hostname, marks, self._rules, authenticator)

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

    def start(self) -> None:
        """Begin to deliver, what was left from last time first."""
        self._task = asyncio.create_task(self._deliver())

    async def _deliver(self) -> None:
        """A spool that cannot be read for a while (a full disk, say) is tried again."""
        while True:
            try:
                await self._courier.run()
            except Exception as error:  # noqa: BLE001  # mail waits in the spool; the edge has to go on
                self._say(f"delivery stopped for a moment ({type(error).__name__}: {error})")
                await asyncio.sleep(_LATER)

    def _told(self, message: Kept, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            if outcome.fate is not Fate.DELIVERED:
                self._say(f"{message.id} to {outcome.recipient}: {outcome.fate.value} ({outcome.reply})")

    async def close(self) -> None:
        """Let deliveries under way end, within bounds; the rest waits on disk for the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task], timeout=_GRACE)
        if self._authenticator is not None:
            self._authenticator.close()
        await self._transport.close()
        await self._spool.close()
