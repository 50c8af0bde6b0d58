"""What edges hold back, wherever it lies: in spools on this machine, or in the store that several edges share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from sidedoor.edge.spool.files import spool_files
from sidedoor.edge.spool.model import Held, Kept, Quarantined
from sidedoor.edge.spool.store import Store

if TYPE_CHECKING:
    from sidedoor.store.tenant import TenantStore

T = TypeVar("T")


class Quarantine(Protocol):
    """For people: look, release, delete. Of any number who release or delete a message, all but one get KeyError.

    Spools raise SpoolError, a store the errors of `sidedoor.errors`.
    """

    def quarantine(self) -> Iterator[Quarantined]:
        """Every message held back, the oldest first."""

    def held(self, message_id: str) -> Held:
        """A message held back, whole. Raises KeyError where there is none."""

    def release(self, message_id: str, now: datetime) -> None:
        """Let it go on its way; an edge delivers it within seconds. Raises KeyError where there is none."""

    def delete(self, message_id: str) -> None:
        """Delete it for good. Raises KeyError where there is none."""

    def close(self) -> None:
        """Let go of what was opened."""


def open_spools(path: Path) -> Quarantine | None:
    """The spools of an edge: of its folder, or one file. None where there are none. Raises SpoolError."""
    stores: list[Store] = []
    try:
        for file in spool_files(path):
            stores.append(Store(file))  # noqa: PERF401  # those before it have to be closed where one cannot be opened
    except BaseException:
        for store in stores:
            store.close()
        raise
    return Together(stores) if stores else None


class Together:
    """Several as one."""

    def __init__(self, stores: Sequence[Quarantine]) -> None:
        self._stores = stores

    def quarantine(self) -> Iterator[Quarantined]:
        """See `Quarantine`."""
        found = [row for store in self._stores for row in store.quarantine()]
        yield from sorted(found, key=lambda row: (row.received_at, row.id))

    def held(self, message_id: str) -> Held:
        """See `Quarantine`."""
        return self._first(message_id, lambda store: store.held(message_id))

    def release(self, message_id: str, now: datetime) -> None:
        """See `Quarantine`."""
        self._first(message_id, lambda store: store.release(message_id, now))

    def delete(self, message_id: str) -> None:
        """See `Quarantine`."""
        self._first(message_id, lambda store: store.delete(message_id))

    def _first(self, message_id: str, act: Callable[[Quarantine], T]) -> T:
        """By the one that has it: ids are unique among all of them."""
        for store in self._stores:
            try:
                return act(store)
            except KeyError:
                continue
        raise KeyError(message_id)

    def close(self) -> None:
        """See `Quarantine`."""
        for store in self._stores:
            store.close()


class SharedQuarantine:
    """A tenant's part of the shared store."""

    def __init__(self, tenant: TenantStore, who: str = "", via: str = "cli") -> None:
        """who: is noted in the audit trail for each release and deletion; "" where the caller notes it itself."""
        self._tenant, self._who, self._via = tenant, who, via

    def quarantine(self) -> Iterator[Quarantined]:
        """See `Quarantine`."""
        for each in self._tenant.held_messages():
            yield Quarantined(each.id, each.received_at, each.envelope_sender, each.recipients, each.size, each.why)

    def held(self, message_id: str) -> Held:
        """See `Quarantine`."""
        each = self._tenant.held_message(message_id)
        if each is None:
            raise KeyError(message_id)
        content = each.content or b""
        message = Kept(each.id, each.received_at, each.envelope_sender, each.recipients, content, each.smtputf8)
        return Held(message, each.why)

    def release(self, message_id: str, now: datetime) -> None:
        """See `Quarantine`."""
        if not self._tenant.release_held(message_id, now, self._who, self._via):
            raise KeyError(message_id)

    def delete(self, message_id: str) -> None:
        """See `Quarantine`."""
        if not self._tenant.delete_held(message_id, datetime.now(UTC), self._who, self._via):
            raise KeyError(message_id)

    def close(self) -> None:
        """See `Quarantine`. The store is closed by who opened it."""
