"""Many reports, added up by source: the table stays small, because records of one kind share everything but counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from sidedoor.errors import InputError
from sidedoor.evidence.dmarc_reports.model import DkimResult, Report, ReportedUse, ReportRow, ReportSummary, SpfResult
from sidedoor.evidence.dmarc_reports.read import PartEnd, readings
from sidedoor.evidence.record import RejectedRow

RejectSink = Callable[[str, RejectedRow], None]
MOST_KINDS = 500_000
"""Distinct combinations of source and results that are kept; messages of further ones are only counted."""
_MOST_REPORTERS = 100  # names kept of one kind


class Kind(NamedTuple):
    """All that records share which are counted together, their source apart. Fields as in ReportRow."""

    header_from: str
    envelope_from: str | None
    spf: tuple[SpfResult, ...]
    dkim: tuple[DkimResult, ...]
    spf_aligned: str | None
    dkim_aligned: str | None
    disposition: str | None
    overrides: tuple[str, ...]


class Count:
    """How often, when and by whom one kind of one source was seen."""

    __slots__ = ("first", "last", "messages", "reporters")

    def __init__(self, report: Report) -> None:
        self.messages = 0
        self.first, self.last = report.begin, report.end
        self.reporters: tuple[str, ...] = ()

    def add(self, messages: int, report: Report, reporters: tuple[str, ...]) -> None:
        """`reporters`: the report's organisation, one tuple for all records of a report."""
        self.messages += messages
        self.first = earlier(self.first, report.begin)
        self.last = later(self.last, report.end)
        if not self.reporters:
            self.reporters = reporters
        elif reporters[0] not in self.reporters and len(self.reporters) < _MOST_REPORTERS:
            self.reporters = (*self.reporters, *reporters)


class Reported:
    """What all reports say together. Filled by `read_reports`."""

    def __init__(self, most_kinds: int = MOST_KINDS) -> None:
        self.reports: list[ReportSummary] = []
        self.broken: list[tuple[Path, InputError]] = []
        self.uncounted = 0
        self._most_kinds = most_kinds
        self._kinds: dict[Kind, Kind] = {}
        self._counts: dict[tuple[str, Kind], Count] = {}
        self._by_source: dict[str, list[tuple[Kind, Count]]] | None = None

    def __len__(self) -> int:
        """Distinct combinations of source and results."""
        return len(self._counts)

    def add(self, row: ReportRow, reporters: tuple[str, ...]) -> None:
        """Count one record. `reporters` holds its report's organisation."""
        found = Kind(
            row.header_from,
            row.envelope_from,
            row.spf,
            row.dkim,
            row.spf_aligned,
            row.dkim_aligned,
            row.disposition,
            row.overrides,
        )
        kind = self._kinds.setdefault(found, found)
        count = self._counts.get((row.source_ip, kind))
        if count is None:
            if len(self._counts) >= self._most_kinds:
                self.uncounted += row.messages
                return
            count = self._counts[row.source_ip, kind] = Count(row.report)
            self._by_source = None
        count.add(row.messages, row.report, reporters)

    def of(self, ip: str) -> ReportedUse | None:
        """All that was seen of an address (in its usual spelling); None where no report names it."""
        found = self._index().get(ip)
        return _use(ip, found) if found else None

    def sources(self) -> Iterator[ReportedUse]:
        """Every source, those with the most messages first; each is added up when it is asked for."""
        totals = {address: sum(count.messages for _, count in uses) for address, uses in self._index().items()}
        order = sorted(totals, key=lambda address: (-totals[address], address))
        return (_use(address, self._index()[address]) for address in order)

    def details(self, source_ip: str) -> list[tuple[Kind, Count]]:
        """The combinations of results seen of an address, as they were first met."""
        return list(self._index().get(source_ip, ()))

    def _index(self) -> dict[str, list[tuple[Kind, Count]]]:
        if self._by_source is None:
            self._by_source = {}
            for (address, kind), count in self._counts.items():
                self._by_source.setdefault(address, []).append((kind, count))
        return self._by_source


def earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    """The earlier of two moments of which either may be unknown."""
    return one if other is None or (one is not None and one <= other) else other


def later(one: datetime | None, other: datetime | None) -> datetime | None:
    """The later of two moments of which either may be unknown."""
    return one if other is None or (one is not None and one >= other) else other


def _use(address: str, uses: Iterable[tuple[Kind, Count]]) -> ReportedUse:
    """Add up one source."""
    total, first, last = dict.fromkeys(_NUMBERS, 0), None, None
    reporters: dict[str, None] = {}
    names: tuple[dict[str, int], ...] = ({}, {}, {}, {}, {})
    for kind, count in uses:
        for number, holds in zip(_NUMBERS, _holds(kind), strict=True):
            total[number] += count.messages if holds else 0
        first, last = earlier(first, count.first), later(last, count.last)
        reporters.update(dict.fromkeys(count.reporters))
        signers: set[str | None] = {result.domain for result in kind.dkim if result.result == "pass"}
        shown: tuple[set[str | None], ...] = (
            {kind.header_from},
            {kind.envelope_from},
            signers,
            {kind.disposition},
            {*kind.overrides},
        )
        for tally, values in zip(names, shown, strict=True):
            for value in values:
                if value is not None:
                    tally[value] = tally.get(value, 0) + count.messages
    return ReportedUse(
        address,
        **total,
        reporters=tuple(sorted(reporters)),
        first=first,
        last=last,
        header_from=names[0],
        envelope_from=names[1],
        signers=names[2],
        dispositions=names[3],
        overrides=names[4],
    )


_NUMBERS = ("messages", "passed", "passed_spf", "passed_dkim", "failed", "untold")


def _holds(kind: Kind) -> tuple[bool, ...]:
    """Which of _NUMBERS the messages of a kind count for."""
    by_spf, by_dkim = kind.spf_aligned == "pass", kind.dkim_aligned == "pass"
    untold = not (by_spf or by_dkim) and None in {kind.spf_aligned, kind.dkim_aligned}
    return True, by_spf or by_dkim, by_spf, by_dkim, not (by_spf or by_dkim or untold), untold


def read_reports(paths: Iterable[Path], reject: RejectSink) -> Reported:
    """Read and add up the reports in files. A report that occurs again, in whatever container, is counted once.

    `reject` gets every record that could not be read. A file that breaks off keeps its records and is listed in
    `broken`, as is one that is no report at all; nothing is raised.
    """
    reported = Reported()
    seen: dict[tuple[object, ...], ReportSummary] = {}
    for path in paths:
        try:
            _read_file(path, reported, seen, reject)
        except InputError as error:
            reported.broken.append((path, error))
    return reported


class _Tally:
    """The rows of the report at hand, and whether it is a copy of one read before."""

    def __init__(self) -> None:
        self.records = self.rejected = self.messages = 0
        self.report: Report | None = None
        self.reporters: tuple[str, ...] = ()
        self.first: ReportSummary | None = None  # the copy that was counted

    def meet(self, report: Report, seen: Mapping[tuple[object, ...], ReportSummary]) -> None:
        """Take note of the head that a row belongs to."""
        self.report = report
        self.reporters = (report.org_name,)
        self.first = seen.get(report.identity) if report.identity else None


def _read_file(
    path: Path, reported: Reported, seen: dict[tuple[object, ...], ReportSummary], reject: RejectSink
) -> None:
    tally = _Tally()
    for reading in readings(path):
        if isinstance(reading, ReportRow):
            if reading.report is not tally.report:
                tally.meet(reading.report, seen)
            tally.records += 1
            tally.messages += reading.messages
            if tally.first is None:
                reported.add(reading, tally.reporters)
        elif isinstance(reading, RejectedRow):
            tally.records += 1
            tally.rejected += 1
            reject(str(path), reading)
        else:
            tally.meet(reading.report, seen)
            summary = _summary(path, reading, tally)
            reported.reports.append(summary)
            if reading.report.identity and tally.first is None:
                seen[reading.report.identity] = summary
            if reading.error is not None:
                reported.broken.append((path, reading.error))
            tally = _Tally()


def _summary(path: Path, end: PartEnd, tally: _Tally) -> ReportSummary:
    note, first = end.note, tally.first
    if first is not None:
        note = f"the same report as in {first.path}"
        if (first.records, first.messages) != (tally.records, tally.messages):
            note = f"another report of the same number as in {first.path}, which has {first.records:,} records"
        note += ": not counted again"
    if end.error is not None:
        note = f"breaks off: {end.error.found}" + (f"; {note}" if note else "")
    return ReportSummary(
        path, end.report, tally.records, tally.rejected, tally.messages, duplicate=first is not None, note=note
    )
