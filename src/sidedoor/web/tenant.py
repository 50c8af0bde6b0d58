"""One tenant as the pages see it: its workspace, its store, its newest report."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from datetime import datetime
from threading import Lock

from sidedoor.mail.fact import Fact, Unknown
from sidedoor.store.tenant import TenantStore
from sidedoor.tenant.codec import CodecError
from sidedoor.watch import baseline_json
from sidedoor.watch.sight import Baseline
from sidedoor.watch.workspace import Workspace
from sidedoor.web.book import Book, Shelf, Stamp
from sidedoor.web.roll import Roll, roll_of

Clock = Callable[[], datetime]


class Tenant:
    """For use by any number of threads. `store` raises SidedoorError where the store is not to be had."""

    def __init__(
        self, workspace: Workspace, open_store: Callable[[Workspace], TenantStore], readers: Executor, clock: Clock
    ) -> None:
        self.workspace, self.clock = workspace, clock
        self._open = open_store
        self._store: TenantStore | None = None
        self._shelf = Shelf(workspace, readers)
        self._lock = Lock()
        self._roll: tuple[Stamp, int, Roll] | None = None
        self._baseline: tuple[object, Fact[Baseline | None]] | None = None

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
        if kept is not None and kept[:2] == (book.stamp, revision):
            return kept[2]
        roll = roll_of(book, store.sender_keys(), store.decisions())
        self._roll = (book.stamp, revision, roll)
        return roll

    def baseline(self) -> Fact[Baseline | None]:
        """What was accepted, as of the last run that ended or the last answer given here; None before the first run.

        It is large, and every run keeps it anew; so it is read once a run, and not for each page.
        """
        runs = self.store.last_runs(2)
        mark = tuple((run.number, run.ended) for run in runs)
        kept = self._baseline
        if kept is None or kept[0] != mark:
            kept = self._baseline = (mark, self._read_baseline())
        return kept[1]

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
