"""A tenant's history on disk, by day: files are added once, only days that changed are read again.

    sources/<id>.json            a file that was added: where it lay, its counts, the days its records went to
    sources/<id>.rejected.jsonl  its rows that could not be read
    forgotten.json               the day before which nothing is kept any more
    2026-11-01/<id>.<format>.part.parquet   its records of a day
    2026-11-01/*.parquet, derived.json      what `audit.engine.derive` makes of a day's parts, and of which parts

Nothing is believed that is not on disk: a day is made anew when its derived.json does not name exactly its parts and
the settings they were read under. So whatever a run that was killed left behind, the next one mends.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from sidedoor.audit.answer import Beside, Seen, answer_of, context_of, with_days
from sidedoor.audit.classes import Classes
from sidedoor.audit.coverage import collection_coverage, file_coverage, report_coverage
from sidedoor.audit.discover import Inputs
from sidedoor.audit.engine.columns import load_classes
from sidedoor.audit.engine.database import DUCKDB_VERSION, Database, open_database
from sidedoor.audit.engine.days import UNDATED, bring_home, records_tenants, split
from sidedoor.audit.engine.erase import erase
from sidedoor.audit.engine.kept import KeptHistory
from sidedoor.audit.engine.kept_days import KeptDays
from sidedoor.audit.engine.staging import Staged, Stager
from sidedoor.audit.flow import Flow
from sidedoor.audit.listed import ListedSender
from sidedoor.audit.model import Audit, Disagreement, FileCoverage
from sidedoor.audit.run import AuditOptions, Progress, Silent
from sidedoor.audit.senders import make_senders
from sidedoor.audit.sources import (
    Source,
    identity_of,
    read_sources,
    refuse_other_tenants,
    size_of,
    stamp_of,
    write_json,
    write_source,
)
from sidedoor.errors import InputError, OutputError
from sidedoor.evidence.coverage import incomplete_pages, notes
from sidedoor.evidence.interface import Recognised
from sidedoor.evidence.record import RejectedRow
from sidedoor.mail.address import Address
from sidedoor.policy.decision import Submission
from sidedoor.policy.rule import compile_rule

_LAYOUT = 4  # raise it when what a day keeps changes
_DERIVED, _FORGOTTEN = "derived.json", "forgotten.json"


@dataclass(frozen=True, slots=True)
class Assessed:
    """The answer for a history, with what only a history tells: flows, counts by day, and who used which connector."""

    audit: Audit
    flows: Sequence[Flow]
    by_day: Mapping[Submission, Mapping[date, int]]
    connector_addresses: Mapping[str, Mapping[str, datetime]]


class History:
    """The history in one folder, which is made, under the classes of the tenant's settings.

    One process at a time may add, settle or forget.
    """

    def __init__(self, folder: Path, classes: Classes, options: AuditOptions, progress: Progress | None = None) -> None:
        self.folder, self._classes, self._options = folder, classes, options
        self._progress = progress or Silent()
        try:
            (folder / "sources").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{folder}: cannot be made ({error.strerror})") from error

    def sources(self) -> list[Source]:
        """Every file that was added, by path."""
        return read_sources(self.folder / "sources")

    def rejected(self) -> Iterator[tuple[str, RejectedRow]]:
        """Every row of every source that could not be read, with the path of its file."""
        for source in self.sources():
            with suppress(FileNotFoundError), self._rejects(source.id).open(encoding="utf-8") as file:
                for line in file:
                    yield source.path, RejectedRow(*json.loads(line))

    def days(self) -> list[Path]:
        """The folders of days that hold records, in order."""
        return days_of(self.folder)

    def add(self, found: Inputs) -> list[Source]:
        """Add the histories that are new or changed; returns their sources. A file that cannot be read is noted."""
        self._drop_replaced()
        known = {source.id: source for source in self.sources()}
        stamps = {(source.path, source.stamp): source for source in known.values()}
        added = []
        pages = incomplete_pages({source.path: source.format for source in found.histories})
        for recognised in found.histories:
            stamp = stamp_of(recognised.path, self._options)
            if (str(recognised.path), stamp) in stamps:
                continue
            identity, grown = identity_of(recognised.path, self._options, known.values())
            if identity in known and not recognised.path.is_dir() and not known[identity].note.startswith("not read"):
                continue  # the same contents under another name or time
            self._progress.step(f"adding {recognised.path.name}")
            source = replace(self._add(recognised, identity, stamp, known.values()), replaces=grown)
            source = self._noted(source, pages.get(recognised.path, ""), notes(recognised, source.rows))
            known[identity] = source
            added.append(source)
        self._drop_replaced()
        return added

    def _drop_replaced(self) -> None:
        """Take away the records of files that have grown since: the newer source has them all."""
        for old in {name for source in self.sources() for name in source.replaces}:
            for part in self.folder.glob(f"*/{old}.*.part.parquet"):
                part.unlink()
            self._rejects(old).unlink(missing_ok=True)
            (self.folder / "sources" / f"{old}.json").unlink(missing_ok=True)

    def _add(self, recognised: Recognised, identity: str, stamp: str, known: Iterable[Source]) -> Source:
        """Parts first, the note that they are there last."""
        rejects: list[RejectedRow] = []
        staged = Staged(recognised.path, recognised.format.name)
        days: tuple[str, ...] = ()
        tenants: tuple[str, ...] = ()
        with open_database(self.folder) as database:
            load_classes(database, self._classes)
            stager = Stager(
                database, self._classes, self._options.read, lambda _, row: rejects.append(row), self._progress.rows,
                keep_partial=True, columnar_from=self._options.columnar_from,
            )  # fmt: skip
            try:
                staged = stager.stage(0, recognised)
                tenants = records_tenants(database, staged)
                refuse_other_tenants(recognised.path, tenants, known)
                days = split(database, staged, self.folder, f"{identity}.{recognised.format.name}")
                staged.note = "; ".join(filter(None, (staged.note, self._forget_again(days))))
            except InputError as error:
                staged = Staged(recognised.path, recognised.format.name, note=f"not read: {error}")
                rejects = []
        self._write_rejects(identity, rejects)
        return Source(
            identity, str(recognised.path), stamp, staged.format, staged.rows, staged.rejected, staged.records,
            staged.expanded, days, tenants, staged.note, size_of(recognised.path),
        )  # fmt: skip

    def _noted(self, source: Source, *remarks: str) -> Source:
        """The source with what is remarkable about its file, written: from now on the file is added."""
        noted = replace(source, note="; ".join(part for part in (source.note, *remarks) if part))
        write_source(self.folder / "sources", noted)
        return noted

    def _rejects(self, identity: str) -> Path:
        return self.folder / "sources" / f"{identity}.rejected.jsonl"

    def _write_rejects(self, identity: str, rejects: Sequence[RejectedRow]) -> None:
        if rejects:
            self._rejects(identity).write_text("".join(json.dumps(list(row)) + "\n" for row in rejects), "utf-8")
        else:
            self._rejects(identity).unlink(missing_ok=True)

    def settle(self) -> tuple[str, ...]:
        """Make every day anew that is not as its parts and the settings want it; returns those days."""
        fingerprint = _fingerprint(self._classes, self._options)
        changed = [day for day in self.days() if _told(day) is None]
        with open_database(self.folder) as database:
            homeless = any(day.name == UNDATED for day in changed)
            bring_home(database, self.folder, self.days() if homeless else changed)
        done = [day for day in self.days() if _told(day, fingerprint) is None]
        # DuckDB lets other threads work; a day is little, so that starting is half of it.
        with ThreadPoolExecutor(max_workers=max(1, min(4, os.cpu_count() or 1))) as workers:
            for _ in workers.map(lambda day: self._derive(day, fingerprint), done):
                pass
        # One format writes one kind: what one day's file shows of its sender column holds for the other days.
        shown = self._kinds()
        for day in self.days() if self._options.listed_sender is None else ():
            kinds = (_told(day, fingerprint) or {}).get("kinds", {})
            if any(name in shown and kind == "unknown" for name, kind in kinds.items()):
                self._derive(day, fingerprint)
                done.append(day)
        return tuple(dict.fromkeys(day.name for day in done))

    def _derive(self, day: Path, fingerprint: str) -> None:
        # Ibis takes a fifth of a second to import, and most runs have nothing to derive.
        from sidedoor.audit.engine.derive import Part, derive

        self._progress.step(f"reading the day {day.name}")
        parts = sorted(day.glob("*.part.parquet"))
        listed = self._options.listed_sender or self._kinds()
        for stale in (day / _DERIVED, *day.glob("asked-*.parquet")):
            stale.unlink(missing_ok=True)
        with open_database(self.folder) as database:
            counts = derive(
                database, self._classes, [Part(path, path.name.split(".")[1]) for path in parts], listed, day
            )
        told = {
            "fingerprint": fingerprint,
            "parts": _parts(day),
            "records": counts.records,
            "messages": counts.messages,
            "kinds": {name: kind.value for name, kind in counts.kinds.items()},
            "disagreements": [asdict(row) for row in counts.disagreements],
        }
        write_json(day / _DERIVED, told)

    def _kinds(self) -> dict[str, ListedSender]:
        """Format -> what its sender column is, where the days that show it agree."""
        shown: dict[str, set[str]] = {}
        for day in self.days():
            for name, kind in (_told(day) or {}).get("kinds", {}).items():
                shown.setdefault(name, set()).add(kind)
        known = {name: kinds - {"unknown"} for name, kinds in shown.items()}
        return {name: ListedSender(next(iter(kinds))) for name, kinds in known.items() if len(kinds) == 1}

    def assess(self, found: Inputs, beside: Beside, out: Path) -> Assessed:
        """The answer for all days, and the index that joins their messages with it, into `out`. Call `settle` before.

        Raises InputError where no day holds a message.
        """
        if not self.days():
            raise InputError(str(self.folder), "no mail history", "exports to be added first")
        self._progress.step("telling senders apart")
        with open_database(self.folder) as database:
            return self._assess(database, found, beside, out)

    def _assess(self, database: Database, found: Inputs, beside: Beside, out: Path) -> Assessed:
        from sidedoor.audit.engine.derive import kept_tables, write_index
        from sidedoor.audit.engine.portable.combine import combine
        from sidedoor.audit.engine.portable.duckdb import DuckDBEngine

        options, days = self._options, self.days()
        rule = compile_rule(beside.snapshot, options.switches)
        seen = combine(DuckDBEngine(database), rule, self._classes, kept_tables(database, days))
        span = seen.window or (options.now, options.now)
        context = context_of(
            beside, seen.flows, span, seen.authenticated, resolver=options.resolver, catalogue=options.catalogue
        )
        senders = make_senders(seen.flows, context)
        write_index(database, senders, out)
        told = [_told(day) or {} for day in days]
        sources = self.sources()
        messages = sum(tally.messages for tally in seen.tallies)
        audit = answer_of(
            Seen(
                tallies=seen.tallies,
                strangers=seen.strangers,
                window=seen.window,
                files=(
                    *_coverage(sources, found),
                    *report_coverage(beside.reported),
                    *collection_coverage(beside.collected),
                ),
                merged=sum(each.get("records", 0) for each in told) - messages,
                expanded=sum(source.expanded for source in sources),
                disagreements=_disagreements(told),
                kinds=self._all_kinds(told),
                flows=seen.flows,
                senders=with_days(senders, seen.daily),
            ),
            beside,
            now=options.now,
            catalogue=options.catalogue,
            switches=options.switches,
        )
        return Assessed(audit, seen.flows, seen.by_day, seen.connector_addresses)

    def _all_kinds(self, told: Iterable[Mapping[str, Any]]) -> dict[str, ListedSender]:
        names = {name for each in told for name in each.get("kinds", {})}
        known = self._kinds()
        return {name: known.get(name, ListedSender.UNKNOWN) for name in sorted(names)}

    def forget_before(self, first: date) -> tuple[str, ...]:
        """Delete every day before `first`, for good: records of it that come later are not kept. Returns the days."""
        write_json(self.folder / _FORGOTTEN, {"before": max(first.isoformat(), self._forgotten())})
        gone = self._forget()
        kept = {day.name for day in self.days()}
        for source in self.sources():
            if gone and source.days and not kept.intersection(source.days):
                # The note stays, so that the file is not added again; its rejected rows hold what people wrote.
                self._rejects(source.id).unlink(missing_ok=True)
        return gone

    def forget_address(self, address: Address, mark: str) -> int:
        """Take a person's address out of all records, and out of rows that could not be read; returns rows changed.

        `settle` and `assess` afterwards: what was made of them still has it until then.
        """
        changed = 0
        with open_database(self.folder) as database:
            for day in self.days():
                for part in sorted(day.glob("*.part.parquet")):
                    changed += erase(database, part, address, mark)
        for path in (self.folder / "sources").glob("*.rejected.jsonl"):
            text = path.read_text("utf-8")
            cleaned = re.sub(re.escape(str(address)), mark, text, flags=re.IGNORECASE)
            if cleaned != text:
                path.write_text(cleaned, "utf-8")
                changed += 1
        return changed

    def _forgotten(self) -> str:
        """The day before which nothing is kept; "" where nothing was forgotten."""
        try:
            return str(json.loads((self.folder / _FORGOTTEN).read_bytes())["before"])
        except (OSError, ValueError, KeyError, TypeError):
            return ""

    def _forget(self) -> tuple[str, ...]:
        before = self._forgotten()
        folders = (path for path in self.folder.iterdir() if path.is_dir() and path.name not in {"sources", UNDATED})
        gone = sorted(path for path in folders if path.name < before and not path.name.startswith("."))
        for day in gone:
            shutil.rmtree(day)
        return tuple(day.name for day in gone)

    def _forget_again(self, days: Sequence[str]) -> str:
        """What a file brought back of days that are past their retention goes at once; a remark about it."""
        before = self._forgotten()
        back = [day for day in days if day != UNDATED and day < before]
        self._forget()
        return f"{len(back)} days before {before} are not kept any more" if back else ""


def days_of(folder: Path) -> list[Path]:
    """The folders of days that hold records, in order."""
    # What begins with a dot is scratch of a thread beside this one, and may be gone a moment later.
    named = [path for path in folder.iterdir() if path.name != "sources" and not path.name.startswith(".")]
    return sorted(path for path in named if any(path.glob("*.part.parquet")))


@contextmanager
def kept_days(folder: Path, report: Path) -> Iterator[KeptHistory]:
    """The history in `folder` as a plan asks it, with the index that `History.assess` wrote into `report`."""
    with open_database(folder) as database:
        yield KeptDays(database, days_of(folder), report)


def _coverage(sources: Sequence[Source], found: Inputs) -> tuple[FileCoverage, ...]:
    histories = [FileCoverage(one.path, one.format, one.rows, one.rejected, one.note) for one in sources]
    return (*histories, *file_coverage((), {}, found.settings, found.skipped))


def _disagreements(told: Iterable[Mapping[str, Any]]) -> tuple[Disagreement, ...]:
    together: dict[tuple[str, str, str], Disagreement] = {}
    for row in (Disagreement(**each) for one in told for each in one.get("disagreements", ())):
        key = (row.fact, row.believed, row.doubted)
        before = together.get(key)
        together[key] = replace(before, messages=before.messages + row.messages) if before else row
    return tuple(together[key] for key in sorted(together))


def _told(day: Path, fingerprint: str | None = None) -> dict[str, Any] | None:
    """A day's derived.json; None where it is not of the parts that are there, or of another fingerprint."""
    try:
        body: dict[str, Any] = json.loads((day / _DERIVED).read_bytes())
        fits = body["parts"] == _parts(day) and fingerprint in {None, body["fingerprint"]}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return body if fits else None


def _parts(day: Path) -> list[list[object]]:
    return [[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in sorted(day.glob("*.part.parquet"))]


def _fingerprint(classes: Classes, options: AuditOptions) -> str:
    """What derived files rest on beside their parts."""
    parts = (_LAYOUT, DUCKDB_VERSION, classes.fingerprint(), options.listed_sender)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]
