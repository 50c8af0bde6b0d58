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
from sidedoor.exchange.hunting import KEPT, HuntingWork
from sidedoor.exchange.invoke import Exchange
from sidedoor.exchange.lists import GraphLister, Lister, ListWork, V2Lister
from sidedoor.exchange.pacing import Pacer, hunting_pacer, trace_pacer
from sidedoor.exchange.parts import Part, Store, read_csv
from sidedoor.exchange.plan import Plan
from sidedoor.exchange.windows import OLDEST, Window, iso, still_there
from sidedoor.exchange.wire import RefusedError
from sidedoor.exchange.work import Work
from sidedoor.tenant.snapshot import TenantSnapshot

SCHEMA = "sidedoor/collection/1"
_SETTLING = 4 * 3600  # seconds: rows as young as this change yet (measured of Graph's traces)
_TARGETS = "targets.json"
_HOW = {
    "settings": "the role that docs/collect.md names, or the PowerShell that `sidedoor collect --script` prints",
    "traces": "run the same command again, or narrow it with --since and --until",
    "hunting": "Defender for Office 365 Plan 2 and ThreatHunting.Read.All",
    "details": "run again with more --details into a new folder, or an extended historical search",
}


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that was asked for and not had."""

    what: str
    why: str
    how_to_get_it: str


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
    _traces: Pacer = field(init=False)
    _hunts: Pacer = field(init=False)

    def __post_init__(self) -> None:
        self._traces, self._hunts = trace_pacer(self.clock), hunting_pacer(self.clock)

    def run(self) -> list[Missing]:
        """Collect all there is to collect. Raises UnreachableError with everything kept that has come."""
        self.store.plan = self.plan.as_json()
        self.store.save()
        for line in estimate.outlook(len(self.plan.windows()), self.plan.details):
            self.say(line)
        try:
            self._collect()
        finally:
            missing = self._missing()
            self.store.write("collection.json", self._summary(missing))
        return missing

    def _collect(self) -> None:
        self._get_settings()
        for name, window in self.plan.windows():
            left = self._left(name, window, OLDEST)
            if left is not None:
                self._do(ListWork(self._lister(), left, name), "message traces")
        for name, window in self.plan.days():
            left = self._left(name, window, KEPT)
            if left is not None and not self._do(HuntingWork(self.graph, self._hunts, left, name), "EmailEvents"):
                break  # one day refused, all days refused
        if self.plan.details and self.plan.lists != "none":
            self._get_details()

    def _left(self, name: str, window: Window, kept: timedelta) -> Window | None:
        """What the service still has of a window; what it has forgotten since the plan was made is missing."""
        left = still_there(window, self.clock.now(), kept)
        part = self.store.parts.setdefault(name, Part())
        if part.done or left == window:
            return None if part.done else left
        gone = iso(window.end if left is None else left.start)
        part.failed = f"{name}: what is older than {gone} is more than {kept.days} days old by now"
        if left is not None and part.failed not in part.missing:
            part.missing.append(part.failed)  # `failed` is cleared when the rest is asked for
        return left

    def _get_settings(self) -> None:
        """Always fresh: they are few, and what they were in an earlier run is what they were then."""
        for kind in settings.ORDER:
            found = settings.fetch(self.exchange, kind)
            self._settings.append(found)
            if found.file:
                self.store.write(found.file, found.data)
            self.say(found.missing or f"{kind.value}: {found.rows} rows")
        if not any(found.file for found in self._settings):
            raise UnreachableError(f"the tenant shows none of its settings: {self._settings[0].missing}")

    def _lister(self) -> Lister:
        if self.plan.lists == "exchange":
            return V2Lister(self.exchange, self._traces)
        return GraphLister(self.graph, self._traces)

    def _do(self, work: Work, what: str) -> bool:
        """One work to its end; False where the service refuses it."""
        known = self.store.parts.get(work.name, Part()).told
        told = set(known)
        try:
            for number, part in enumerate(self.store.run(work), 1):
                for line in part.told:
                    if line not in told:
                        told.add(line)
                        self.say(f"{work.name}: {line}")
                if part.done or number % 20 == 0:
                    self.say(f"{work.name}: {part.rows:,} rows of {what}{'' if part.done else ' so far'}")
        except RefusedError as error:
            self.store.fail(work.name, str(error))
            self.say(f"{work.name}: {error}")
            return False
        return True

    def _get_details(self) -> None:
        targets = self._targets()
        if targets:
            self.say(f"details of {len(targets):,} messages: {estimate.of_details(len(targets))} by the limits")
            self._do(DetailWork(self._detail_source(), targets, self.plan.detail_file), "details")

    def _detail_source(self) -> DetailSource:
        if self.plan.lists == "exchange":
            return V2Details(self.exchange, self._traces, self.clock)
        return GraphDetails(self.graph, self._traces)

    def _targets(self) -> list[Target]:
        """Chosen once, when the lists are there, and kept: a later run goes on in the same order."""
        kept = self.store.read(_TARGETS)
        if isinstance(kept, list):
            return [Target(*each) for each in kept]
        parts = [(self.store.parts.get(name, Part()), window) for name, window in self.plan.windows()]
        now = self.clock.now()
        lists_done = all(part.done or still_there(window, now, OLDEST) is None for part, window in parts)
        chosen = choose(self._listed(), self.read(self.store.folder), self._hunted(), self.plan.details)
        self.say(
            f"undetermined by lists alone: {chosen.rows:,} rows of {chosen.flows:,} flows; the heaviest come first"
        )
        if lists_done:
            self.store.write(f".collect/{_TARGETS}", json.dumps(chosen.targets).encode())
            return chosen.targets
        return []  # a window is missing yet: which flows are the heaviest is not known

    def _listed(self) -> Iterator[Trace]:
        lister = self._lister()
        key, _, time, sender, recipient, address, *_ = lister.columns
        for name, _window in self.plan.windows():
            if self.store.parts.get(name, Part()).done:
                for row in read_csv(self.store.folder / name):
                    yield Trace(row[key], row[time], row[sender], row[recipient], row[address])

    def _hunted(self) -> set[str]:
        """Messages that EmailEvents tells all about."""
        names = [name for name, _ in self.plan.days()]
        done = [name for name in names if self.store.parts.get(name, Part()).done]
        return {row["NetworkMessageId"].lower() for name in done for row in read_csv(self.store.folder / name)}

    def _missing(self) -> list[Missing]:
        found = [Missing("settings", each.missing, _HOW["settings"]) for each in self._settings if each.missing]
        wanted = [("hunting", name) for name, _ in self.plan.days()]
        wanted += [("traces", name) for name, _ in self.plan.windows()]
        if self.plan.detail_file in self.store.parts:
            wanted.append(("details", self.plan.detail_file))
        elif self.plan.details and any(not self.store.parts.get(name, Part()).done for name, _ in self.plan.windows()):
            found.append(Missing("details", "not asked for before all lists are there", _HOW["traces"]))
        for what, name in wanted:
            part = self.store.parts.get(name, Part())
            whys = [*part.missing, *([part.failed] if part.failed else [])]
            if not part.done and not part.failed:
                whys.append(f"{name}: not collected to its end")
            found += [Missing(what, why, _HOW[what]) for why in whys]
        return found

    def _summary(self, missing: list[Missing]) -> bytes:
        files = [
            {"path": name, "rows": part.rows, "notes": part.told}
            for name, part in self.store.parts.items() if part.done
        ]  # fmt: skip
        body = {
            "schema": SCHEMA, "tenant": self.plan.tenant, "since": iso(self.plan.since),
            "until": iso(self.plan.until), "written": iso(self.clock.now()), "complete": not missing,
            "settings": [found.file for found in self._settings if found.file], "files": files,
            "requests": self._traces.count + self._hunts.count, "settling_seconds": _SETTLING,
            "missing": [
                {"what": each.what, "why": each.why, "how_to_get_it": each.how_to_get_it} for each in missing
            ],
        }  # fmt: skip
        return json.dumps(body, indent=1, ensure_ascii=True).encode()
