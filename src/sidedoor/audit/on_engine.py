"""The audit where an engine holds the records: raw exports become Parquet there, and only what is few comes back.

The same rule decides, the same code tells senders apart and writes the answer; `audit.run` is the way for exports that
one machine reads. Both give the same report.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sidedoor.audit.answer import Beside, Seen, accepted_of, answer_of, context_of, with_days
from sidedoor.audit.classes import classes_of
from sidedoor.audit.coverage import collection_coverage, report_coverage
from sidedoor.audit.discover import Inputs, discover
from sidedoor.audit.engine.normalise import RawFile
from sidedoor.audit.engine.portable.combine import Combined
from sidedoor.audit.engine.portable.disagree import disagreements
from sidedoor.audit.engine.portable.engine import Store
from sidedoor.audit.engine.portable.merge import United
from sidedoor.audit.engine.portable.reduce import reduced
from sidedoor.audit.engine.portable.stored import records_of, rejected_of, sources_of, tenants_of
from sidedoor.audit.engine.records import SourceRow
from sidedoor.audit.engine.staging import RejectSink
from sidedoor.audit.listed import ListedSender
from sidedoor.audit.model import Audit, Disagreement, FileCoverage
from sidedoor.audit.run import AuditOptions, Progress, Silent, reports_of, with_stated_domains
from sidedoor.audit.senders import make_senders
from sidedoor.errors import InputError
from sidedoor.evidence.collection import read_collection
from sidedoor.evidence.coverage import MORE
from sidedoor.evidence.tenant_files import read_tenant
from sidedoor.mailauth.facts import gather
from sidedoor.policy.rule import compile_rule

_NOTHING = Inputs((), frozenset(), (), ())
_SHOWN = 100_000  # rejected rows that come back; all of them lie in the place


def audit_on(
    store: Store,
    inputs: Sequence[str],
    place: str,
    options: AuditOptions,
    reject: RejectSink,
    *,
    progress: Progress | None = None,
) -> Audit:
    """Audit on an engine. inputs: raw exports, which become records in `place`; none where they lie there already.

    Of rejected rows `reject` receives the first hundred thousand; all of them lie in the place. Raises InputError where
    the inputs cannot be used at all.
    """
    progress = progress or Silent()
    progress.step("looking at the files")
    local = [Path(text) for text in inputs if "://" not in text]
    found = discover([*local, *options.tenant]) if local or options.tenant else _NOTHING
    if inputs:
        progress.step(f"turning raw exports into records in {place}")
        files = [*_listed(store, inputs), *_raw(found)]
        numbered = [replace(file, number=number, inputs=len(files)) for number, file in enumerate(files)]
        if not any(not file.skipped for file in files):
            raise InputError(", ".join(inputs), "no export of mail history", "at least one (docs/formats.md)")
        store.normalise(numbered, options.read, place)
    return _Run(store, place, found, options, reject, progress).audit()


def _listed(store: Store, inputs: Sequence[str]) -> Iterator[RawFile]:
    """The files of the inputs that lie on the engine's storage."""
    seen: set[str] = set()
    for text in inputs:
        for path, size in store.listed(text) if "://" in text else ():
            if path not in seen:
                seen.add(path)
                yield RawFile(0, 0, path, named=path == text, size=size, root=text)


def _raw(found: Inputs) -> Iterator[RawFile]:
    for source in found.histories:
        path = source.path
        parts = tuple(str(part) for part in source.parts)
        size = sum(Path(part).stat().st_size for part in parts) if parts else path.stat().st_size
        yield RawFile(0, 0, str(path), source.path in found.named, parts, size=size)
    for path, why in found.skipped:
        yield RawFile(0, 0, str(path), skipped=why)


@dataclass(frozen=True, slots=True)
class _Run:
    """One audit of the records in a place."""

    store: Store
    place: str
    found: Inputs
    options: AuditOptions
    reject: RejectSink
    progress: Progress

    def audit(self) -> Audit:
        """The steps in order; each says so to `progress`."""
        step = self.progress.step
        beside = self._beside()
        classes = classes_of(beside.snapshot)
        sources = sources_of(self.store, self.place)
        records = records_of(self.store, self.place)
        self._refuse_two_tenants(tenants_of(self.store, records), beside.snapshot.tenant_id)
        self._pass_on_rejected(sources)
        step("reducing records to flows")
        rule = compile_rule(beside.snapshot, self.options.switches)
        united, seen = reduced(self.store, records, self.options.listed_sender, rule, classes)
        self._refuse_missing(sources, united)
        return self._answer(sources, united, seen, disagreements(self.store, united), beside)

    def _beside(self) -> Beside:
        """What stands beside the records, all of it on this machine."""
        tenant = read_tenant(self.found.settings)
        reported = reports_of(self.found, self.reject, self.progress)
        self.progress.step("asking DNS")
        dns = gather(accepted_of(tenant.snapshot), self.options.resolver)
        stated = with_stated_domains(tenant.snapshot, self.options.accepted_domains)
        collected = tuple(read_collection(path) for path in self.found.collections)
        return Beside(replace(stated, mail_exchangers=dns.mx), dns, reported, tenant.warnings, collected)

    def _refuse_two_tenants(self, tenants: Mapping[str, str], own: str) -> None:
        """As in `audit.run`."""
        told = {**tenants, **({own: "the tenant settings"} if own and own not in tenants else {})}
        if len(told) > 1:
            (first, one), (second, other), *_ = told.items()
            raise InputError(one, f"tenant {first} here and tenant {second} in {other}", "the exports of one tenant")

    def _refuse_missing(self, sources: Sequence[SourceRow], united: United) -> None:
        """Raises InputError where the records in the place are not those that were written: a part was lost."""
        for source in sources:
            shown = united.sources.get(source.source)
            records = shown.records if shown else 0
            if records != source.records:
                raise InputError(
                    self.place, f"{records:,} records of {source.source}", f"the {source.records:,} that were written"
                )

    def _pass_on_rejected(self, sources: Sequence[SourceRow]) -> None:
        for name, row in rejected_of(self.store, self.place, sources, most=_SHOWN):
            self.reject(name, row)

    def _answer(
        self,
        sources: Sequence[SourceRow],
        united: United,
        seen: Combined,
        differing: tuple[Disagreement, ...],
        beside: Beside,
    ) -> Audit:
        self.progress.step("telling senders apart")
        options = self.options
        span = seen.window or (options.now, options.now)
        context = context_of(
            beside, seen.flows, span, seen.authenticated, resolver=options.resolver, catalogue=options.catalogue
        )
        messages = sum(tally.messages for tally in seen.tallies)
        return answer_of(
            Seen(
                tallies=seen.tallies,
                strangers=seen.strangers,
                window=seen.window,
                files=(
                    *self._coverage(sources),
                    *report_coverage(beside.reported),
                    *collection_coverage(beside.collected),
                ),
                merged=sum(source.records for source in sources) - messages,
                expanded=sum(source.expanded for source in sources),
                disagreements=differing,
                kinds=_kinds(sources, united),
                flows=seen.flows,
                senders=with_days(make_senders(seen.flows, context), seen.daily),
            ),
            beside,
            now=options.now,
            catalogue=options.catalogue,
            switches=options.switches,
        )

    def _coverage(self, sources: Sequence[SourceRow]) -> tuple[FileCoverage, ...]:
        """Every file in the order of `coverage.file_coverage`."""
        pages = _incomplete_pages(sources)
        histories = [
            FileCoverage(
                source.source, source.format, source.rows, source.rejected,
                "; ".join(filter(None, (source.note, pages.get(source.source, ""), source.remark))),
            )
            for source in sources if not source.skipped
        ]  # fmt: skip
        tenant = [FileCoverage(str(path), "tenant-settings", 0, 0) for path in self.found.settings]
        skipped = [
            FileCoverage(source.source, "skipped", 0, 0, f"skipped: {source.skipped}")
            for source in sources if source.skipped
        ]  # fmt: skip
        return (*histories, *tenant, *skipped)


def _kinds(sources: Sequence[SourceRow], united: United) -> dict[str, ListedSender]:
    return {source.format: united.kinds[source.source] for source in sources if source.source in united.kinds}


def _incomplete_pages(sources: Sequence[SourceRow]) -> dict[str, str]:
    announcing: dict[str, list[SourceRow]] = {}
    for source in sources:
        announcing.setdefault(source.format, []).append(source)
    whole = [same for same in announcing.values() if all(source.announces for source in same)]
    return {source.source: MORE for same in whole for source in same}
