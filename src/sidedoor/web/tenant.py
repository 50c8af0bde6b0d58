"""One tenant as the pages see it: its workspace, its store, its newest report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import TypeVar

from sidedoor.mail.fact import Fact, Unknown
from sidedoor.store.model import Alert
from sidedoor.store.tenant import TenantStore
from sidedoor.tenant.codec import CodecError
from sidedoor.watch import baseline_json, sight_json
from sidedoor.watch.sight import Baseline
from sidedoor.watch.sight_json import Surroundings
from sidedoor.watch.workspace import Workspace
from sidedoor.web.book import Book, Library, Shelf, Stamp
from sidedoor.web.roll import Roll, decided_anew, roll_of

T = TypeVar("T")
Clock = Callable[[], datetime]
SIGHT = "sight"
"""The store's value that a run leaves (`watch.run.SIGHT`; that module imports all that a run needs)."""
Mark = tuple[tuple[int, datetime | None], ...]


@dataclass(frozen=True, slots=True)
class _Rolled:
    """A roll, and what it is of."""

    stamp: Stamp
    runs: Mark
    revision: int
    roll: Roll


class Tenant:
    """For use by any number of threads. `store` raises SidedoorError where the store is not to be had."""

    def __init__(
        self, workspace: Workspace, open_store: Callable[[Workspace], TenantStore], library: Library, clock: Clock
    ) -> None:
        self.workspace, self.clock = workspace, clock
        self._open = open_store
        self._store: TenantStore | None = None
        self._shelf = Shelf(workspace, library)
        self._lock = Lock()
        self._roll: _Rolled | None = None
        self._alerts: tuple[int, list[Alert]] | None = None
        self._baseline: tuple[Mark, Fact[Baseline | None]] | None = None
        self._made: tuple[object, object] | None = None
        self._around: tuple[Mark, Fact[Surroundings | None]] | None = None

    @property
    def name(self) -> str:
        """The domain it is about, which is also how addresses of pages name it."""
        return self.workspace.name

    @property
    def store(self) -> TenantStore:
        """Its part of the store, opened when it is first needed."""
        with self._lock:
            if self._store is None:
                self._store = self._open(self.workspace)
            return self._store

    def book(self) -> Book | None:
        """The newest report; None before the first run. Raises SidedoorError."""
        return self._shelf.book()

    def roll(self, book: Book) -> Roll:
        """The senders of a report with what people decided, as of now. Raises SidedoorError."""
        store = self.store
        revision = store.revision()
        kept = self._roll
        if kept is not None and (kept.stamp, kept.revision) == (book.stamp, revision):
            return kept.roll
        runs, decisions = self._runs(), store.decisions()
        if kept is not None and (kept.stamp, kept.runs) == (book.stamp, runs):
            roll = decided_anew(kept.roll, decisions)
        else:  # a run has ended: senders may have other keys
            roll = roll_of(book, store.sender_keys(), decisions)
        self._roll = _Rolled(book.stamp, runs, revision, roll)
        return roll

    def open_alerts(self) -> list[Alert]:
        """Alerts that are not over, as of now. Raises SidedoorError."""
        revision = self.store.revision()
        kept = self._alerts
        if kept is None or kept[0] != revision:
            kept = self._alerts = (revision, self.store.open_alerts())
        return kept[1]

    def remembered(self, name: str, make: Callable[[], T]) -> T:
        """What follows from report and store, made again when either has changed: one thing, the one asked for last."""
        mark = (name, self._shelf.stamp(), self.store.revision())
        kept = self._made
        if kept is None or kept[0] != mark:
            kept = self._made = (mark, make())
        return kept[1]  # type: ignore[return-value]

    def _runs(self) -> Mark:
        """Another one when a run has begun or ended."""
        return tuple((run.number, run.ended) for run in self.store.last_runs(2))

    def baseline(self) -> Fact[Baseline | None]:
        """What was accepted, as of the last run that ended or the last answer given here; None before the first run.

        It is large, and every run keeps it anew; so it is read once a run, and not for each page.
        """
        mark, kept = self._runs(), self._baseline
        if kept is None or kept[0] != mark:
            kept = self._baseline = (mark, self._read_baseline())
        return kept[1]

    def surroundings(self) -> Fact[Surroundings | None]:
        """What the last run saw beside senders: settings, DNS, certificates; None before the first run."""
        mark, kept = self._runs(), self._around
        if kept is None or kept[0] != mark:
            kept = self._around = (mark, self._read_surroundings())
        return kept[1]

    def _read_surroundings(self) -> Fact[Surroundings | None]:
        found = self.store.value(SIGHT)
        if found is None:
            return None
        try:
            return sight_json.decode(found)
        except CodecError as error:
            return Unknown(f"what the last run saw cannot be read ({error})")

    def forget_baseline(self) -> None:
        """Read it again: somebody has accepted something."""
        self._baseline = None

    def _read_baseline(self) -> Fact[Baseline | None]:
        found = self.store.baseline()
        if found is None:
            return None
        try:
            return baseline_json.decode(found.body)
        except CodecError as error:
            return Unknown(f"what was accepted cannot be read ({error})")
