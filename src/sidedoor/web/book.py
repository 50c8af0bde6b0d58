"""What lies in a workspace's report, read at one instant, and read again when it has changed.

A page never waits long for a large report: while a newer one is being read, the one before is shown.
"""

from __future__ import annotations

import gc
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TypeVar

from sidedoor.audit.model import Audit, Sender
from sidedoor.errors import InputError
from sidedoor.plan.model import Plan
from sidedoor.plan.what_if import WhatIf, WhatIfAnswer
from sidedoor.report import kept_audit, kept_plan, kept_report, plan_json, tenant_json, whatif_json
from sidedoor.report.answer import Answer, answer
from sidedoor.watch import seen
from sidedoor.watch.seen import Seen, SeenSender
from sidedoor.watch.workspace import Workspace

PLAN = "plan"
_log = logging.getLogger(__name__)
_LARGE = 2_000  # senders
_MOST_KEPT = 32  # books
_PATIENCE = 0.1  # seconds a page waits for a newer report
_FILES = (kept_report.NAME, tenant_json.NAME, seen.NAME, f"{PLAN}/{plan_json.NAME}", f"{PLAN}/{whatif_json.NAME}")
T = TypeVar("T")
Stamp = tuple[tuple[int, int, int] | None, ...]
_NOT_SEEN = SeenSender({}, frozenset())


@dataclass(frozen=True)
class Book:
    """A report, the settings it rests on, what only the history told, and the plan that goes with it."""

    stamp: Stamp
    folder: Path
    audit: Audit
    settings: tenant_json.KeptSettings
    seen: Seen | None
    plan: Plan | None
    what_if: WhatIf | None
    plan_readable: bool = True
    _asking: Lock = field(default_factory=Lock)
    _made: dict[str, object] = field(default_factory=dict)

    def once(self, name: str, make: Callable[[], T]) -> T:
        """What follows from this book alone, worked out the first time that it is asked for."""
        if name not in self._made:
            self._made[name] = make()
        return self._made[name]  # type: ignore[return-value]

    def ask(self, reject: bool, connectors: frozenset[str]) -> WhatIfAnswer:
        """What-ifs remember doors, so one is answered at a time."""
        assert self.what_if is not None
        with self._asking:
            return self.what_if.answer(reject=reject, connectors=connectors)

    @cached_property
    def by_id(self) -> Mapping[str, Sender]:
        """The report's senders."""
        return {sender.id: sender for sender in self.audit.senders}

    @cached_property
    def answer(self) -> Answer:
        """The audit's answer in words."""
        return answer(self.audit)

    def seen_of(self, sender: str) -> SeenSender:
        """Days, places and refusals of one sender; empty where the history did not keep them."""
        return _NOT_SEEN if self.seen is None else self.seen.senders.get(sender, _NOT_SEEN)


def stamp_of(folder: Path) -> Stamp | None:
    """The same while the files of a report are the same; None where there is no report yet."""
    found = tuple(_file(folder / name) for name in _FILES)
    return None if found[0] is None or found[1] is None else found


def _file(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def read_book(workspace: Workspace) -> Book | None:
    """Read the report whole; None where there is none yet. Raises InputError, OutputError."""
    with workspace.publishing():
        stamp = stamp_of(workspace.report)
        if stamp is None:
            return None
        settings = tenant_json.read(workspace.report)
        plan, asked, readable = _plan(workspace)
        audit = replace(kept_audit.read(workspace.report), snapshot=settings.snapshot)
        return Book(
            stamp,
            workspace.report,
            audit,
            settings,
            seen.read(workspace.report),
            plan,
            None if asked is None else whatif_json.what_if(asked, settings.snapshot, settings.switches),
            readable,
        )


def _plan(workspace: Workspace) -> tuple[Plan | None, whatif_json.Kept | None, bool]:
    """The plan with what a what-if asks, and whether they can be read: the pages that need neither go on without."""
    try:
        folder = workspace.report / PLAN
        return kept_plan.read(folder), whatif_json.read(folder), True
    except InputError as error:
        _log.warning("%s", error)
        return None, None, False


class Library:
    """All shelves together: who reads, and how many books are kept. A provider has more tenants than memory."""

    def __init__(self, readers: Executor, most: int = _MOST_KEPT) -> None:
        self.readers, self._most = readers, most
        self._used: OrderedDict[Shelf, None] = OrderedDict()
        self._lock = Lock()

    def used(self, shelf: Shelf) -> None:
        """Note that a shelf's book was asked for; the one that was not for the longest time is given away."""
        with self._lock:
            self._used[shelf] = None
            self._used.move_to_end(shelf)
            if len(self._used) > self._most:
                self._used.popitem(last=False)[0].clear()


class Shelf:
    """Keeps the newest book of one workspace."""

    def __init__(self, workspace: Workspace, library: Library) -> None:
        self._workspace, self._library = workspace, library
        self._lock = Lock()
        self._book: Book | None = None
        self._reading: Future[Book | None] | None = None

    def stamp(self) -> Stamp | None:
        """Of the report that is there now."""
        return stamp_of(self._workspace.report)

    def clear(self) -> None:
        """Give the book away; it is read again when it is asked for."""
        self._book = self._reading = None

    def book(self) -> Book | None:
        """The book; None where there is no report yet. Raises InputError, OutputError."""
        stamp, kept = self.stamp(), self._book
        if stamp is None:
            return None
        self._library.used(self)
        if kept is not None and kept.stamp == stamp:
            return kept
        reading = self._start()
        if kept is None:
            return reading.result()
        with suppress(TimeoutError):
            return reading.result(_PATIENCE)
        return kept

    def _start(self) -> Future[Book | None]:
        """One reader at a time, whoever asks."""
        with self._lock:
            if self._reading is None or self._reading.done():
                self._reading = self._library.readers.submit(self._read)
            return self._reading

    def _read(self) -> Book | None:
        book = read_book(self._workspace)
        self._book = book
        if book is not None and len(book.audit.senders) > _LARGE:
            # Millions of values without a cycle among them: to look through all of these again and again takes the
            # collector longer than a page may take. What is let go of is freed all the same.
            gc.collect()
            gc.freeze()
        return book
