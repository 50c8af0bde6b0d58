"""A collection from beginning to end: settings, lists, hunting, details; what could not be had is said."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from sidedoor.errors import UnreachableError
from sidedoor.exchange import estimate, settings
from sidedoor.exchange.clock import Clock
from sidedoor.exchange.details import DetailSource, DetailWork, GraphDetails, V2Details
from sidedoor.exchange.flows import Target, Trace, choose
from sidedoor.exchange.graph import Graph
from sidedoor.exchange.http import BrokenError
from sidedoor.exchange.hunting import KEPT, HuntingWork
from sidedoor.exchange.invoke import Exchange
from sidedoor.exchange.lists import GraphLister, Lister, ListWork, V2Lister
from sidedoor.exchange.missing import Missing, how_to_get, missing_of, summary
from sidedoor.exchange.pacing import Pacer, hunting_pacer, trace_pacer
from sidedoor.exchange.parts import Part, Store, read_csv
from sidedoor.exchange.plan import Plan
from sidedoor.exchange.windows import OLDEST, Window, iso, still_there
from sidedoor.exchange.wire import RefusedError
from sidedoor.exchange.work import Work
from sidedoor.tenant.snapshot import TenantSnapshot

_TARGETS = "targets.json"
_MOST_IN_A_ROW = 2  # windows that fail one after the other: the next would fail too
_BETWEEN = 10.0  # seconds between two lines of progress


@dataclass(slots=True)
class Collection:
    """One run over a folder. `say` gets a sentence whenever something is worth it; `read` reads a folder's settings."""

    plan: Plan
    store: Store
    exchange: Exchange
    graph: Graph
    clock: Clock
    say: Callable[[str], None]
    read: Callable[[Path], TenantSnapshot]
    _settings: list[settings.Setting] = field(default_factory=list)
    _details_asked: bool = False
    _traces: Pacer = field(init=False)
    _hunts: Pacer = field(init=False)

    def __post_init__(self) -> None:
        self._traces, self._hunts = trace_pacer(self.clock, self.say), hunting_pacer(self.clock, self.say)
        self._traces.remember(self.store.sent_before)
        self.store.sent = self._traces.sent

    def run(self) -> list[Missing]:
        """Collect all there is to collect. Raises UnreachableError with everything kept that has come."""
        self.store.plan = self.plan.as_json()
        self.store.save()
        self._tell()  # a run that is killed leaves behind what it has not done
        for line in estimate.outlook(len(self.plan.windows()), self.plan.details, len(self.plan.days())):
            self.say(line)
        try:
            self._collect()
        finally:
            missing = self._tell()
        return missing

    def _collect(self) -> None:
        self._get_settings()
        self._get_lists()
        for name, window in self.plan.days():
            left = self._left(name, window, KEPT)
            if left is not None and not self._do(HuntingWork(self.graph, self._hunts, left, name), "hunting"):
                break  # one day refused, all days refused
        if self.plan.details and self.plan.lists != "none":
            self._get_details()

    def _get_settings(self) -> None:
        """Always fresh: they are few, and what they were in an earlier run is what they were then."""
        for kind in settings.ORDER:
            found = settings.fetch(self.exchange, kind)
            self._settings.append(found)
            if found.file:
                self.store.write(found.file, found.data)
            self.say(found.missing or f"{kind.value}: {found.rows} rows")
        self._tell()
        if not any(found.file for found in self._settings):
            raise UnreachableError(f"the tenant shows none of its settings: {self._settings[0].missing}")

    def _get_lists(self) -> None:
        """All windows. One that failed between others that did not is tried once more at the end."""
        failed = self._pass([name for name, _ in self.plan.windows()])
        if failed and any(self._part(name).done for name, _ in self.plan.windows()):
            self._pass(failed)

    def _pass(self, names: list[str]) -> list[str]:
        """The names of windows that failed. Raises BrokenError where one after the other broke."""
        failed: list[str] = []
        in_a_row = 0
        windows = dict(self.plan.windows())
        for number, name in enumerate(windows, 1):
            left = self._left(name, windows[name], OLDEST) if name in names else None
            if left is None:
                continue
            label = f"message traces, window {number} of {len(windows)}"
            if self._do(ListWork(self._lister(), left, name, label), "traces", last=in_a_row + 1 >= _MOST_IN_A_ROW):
                in_a_row = 0
                continue
            failed.append(name)
            in_a_row += 1
            if in_a_row >= _MOST_IN_A_ROW:
                break
        return failed

    def _left(self, name: str, window: Window, kept: timedelta) -> Window | None:
        """What the service still has of a window; what it has forgotten since the plan was made is missing."""
        left = still_there(window, self.clock.now(), kept)
        part = self.store.parts.setdefault(name, Part())
        if part.done or left == window:
            return None if part.done else left
        gone = iso(window.end if left is None else left.start)
        part.gone = f"{name}: what is older than {gone} is more than {kept.days} days old by now"
        return left

    def _part(self, name: str) -> Part:
        return self.store.parts.get(name, Part())

    def _lister(self) -> Lister:
        if self.plan.lists == "exchange":
            return V2Lister(self.exchange, self._traces)
        return GraphLister(self.graph, self._traces)

    def _do(self, work: Work, what: str, *, last: bool = False) -> bool:
        """One work to its end; False where the service refuses it or breaks at it. last: BrokenError is raised."""
        told, since = set(self._part(work.name).told), self.clock.steady()
        try:
            for part in self.store.run(work):
                for line in part.told:
                    if line not in told:
                        told.add(line)
                        self.say(f"{work.name}: {line}")
                if part.done or self.clock.steady() - since >= _BETWEEN:
                    since = self.clock.steady()
                    self.say(work.progress(part.rows, None if part.done else part.cursor))
        except (RefusedError, BrokenError) as error:
            self.store.fail(work.name, f"{work.name}: {error}", how_to_get(what, error))
            self.say(f"{work.name}: {error}")
            if last and isinstance(error, BrokenError):
                raise
            return False
        self._tell()
        return True

    def _get_details(self) -> None:
        targets = self._targets()
        if targets is None:
            return
        self._details_asked = True
        if targets and not self._part(self.plan.detail_file).done:
            self.say(f"details of {len(targets):,} messages: {estimate.of_details(len(targets))} by the limits")
            self._do(DetailWork(self._detail_source(), targets, self.plan.detail_file), "details")

    def _detail_source(self) -> DetailSource:
        if self.plan.lists == "exchange":
            return V2Details(self.exchange, self._traces, self.clock)
        return GraphDetails(self.graph, self._traces)

    def _targets(self) -> list[Target] | None:
        """Chosen once, when the lists are there, and kept: a later run goes on in the same order.

        None where a window has not been asked for yet: which flows are the heaviest is not known. One that the
        service will not give is not waited for.
        """
        kept = self.store.read(_TARGETS)
        if isinstance(kept, list):
            return [Target(*each) for each in kept]
        names = [name for name, _ in self.plan.windows()]
        parts = [self._part(name) for name in names]
        if not any(part.done for part in parts) or not all(part.done or part.failed or part.gone for part in parts):
            return None
        chosen = choose(self._listed(), self.read(self.store.folder), self._hunted(), self.plan.details)
        self.say(
            f"undetermined by lists alone: {chosen.rows:,} rows of {chosen.flows:,} flows; the heaviest come first"
        )
        self.store.write(f".collect/{_TARGETS}", json.dumps(chosen.targets).encode())
        return chosen.targets

    def _listed(self) -> Iterator[Trace]:
        lister = self._lister()
        key, _, time, sender, recipient, address, *_ = lister.columns
        for name, _window in self.plan.windows():
            if self._part(name).done:
                for row in read_csv(self.store.folder / name):
                    yield Trace(row[key], row[time], row[sender], row[recipient], row[address])

    def _hunted(self) -> set[str]:
        """Messages that EmailEvents tells all about."""
        done = [name for name, _ in self.plan.days() if self._part(name).done]
        return {row["NetworkMessageId"].lower() for name in done for row in read_csv(self.store.folder / name)}

    def _tell(self) -> list[Missing]:
        """What is missing as things stand, written into the folder for whoever reads it next."""
        missing = missing_of(self.plan, self.store.parts, self._settings, details_asked=self._details_asked)
        requests = self._traces.count + self._hunts.count
        files = [found.file for found in self._settings if found.file]
        body = summary(self.plan, self.store.parts, files, missing, now=self.clock.now(), requests=requests)
        self.store.write("collection.json", body)
        return missing
