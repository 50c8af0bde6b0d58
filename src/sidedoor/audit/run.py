"""The audit from end to end: inputs to events, events to flows, flows to senders, senders to an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Protocol

from sidedoor.audit.answer import Beside, Seen, accepted_of, answer_of, context_of
from sidedoor.audit.classes import Classes, classes_of
from sidedoor.audit.context import AssessmentContext
from sidedoor.audit.coverage import (
    collection_coverage,
    file_coverage,
    report_coverage,
)
from sidedoor.audit.discover import Inputs, discover
from sidedoor.audit.engine.columns import load_classes
from sidedoor.audit.engine.database import Database, open_database
from sidedoor.audit.engine.flows import authenticated_use, decide_events, few_possible_keys, reduce_flows
from sidedoor.audit.engine.merge import disagreements, tenants_of, unite
from sidedoor.audit.engine.output import (
    NotPlainError,
    daily_counts,
    load_senders,
    strangers,
    tallies,
    window,
    write_messages,
)
from sidedoor.audit.engine.staging import COLUMNAR_FROM_BYTES, RejectSink, Staged, Stager, stage_refused
from sidedoor.audit.flow import Flow
from sidedoor.audit.listed import ListedSender
from sidedoor.audit.model import Audit, Sender
from sidedoor.audit.senders import make_senders
from sidedoor.catalogue.catalogue import Catalogue, load_catalogue
from sidedoor.errors import InputError
from sidedoor.evidence.collection import Collected, read_collection
from sidedoor.evidence.coverage import incomplete_pages, notes
from sidedoor.evidence.dmarc_reports import Reported, read_reports
from sidedoor.evidence.interface import ReadOptions
from sidedoor.evidence.tenant_files import read_tenant
from sidedoor.mail.domain import Domain
from sidedoor.mail.fact import Unknown
from sidedoor.mailauth.facts import DnsFacts, gather
from sidedoor.mailauth.resolver import Resolver
from sidedoor.policy.rule import compile_rule
from sidedoor.policy.switches import DEFAULT_SWITCHES, Switches
from sidedoor.tenant.snapshot import AcceptedDomain, TenantSnapshot


class Progress(Protocol):
    """Told of long work: a new step, and rows read within it."""

    def step(self, text: str) -> None: ...

    def rows(self, count: int) -> None: ...


class Silent:
    """Progress for those who do not look."""

    def step(self, text: str) -> None:
        """Say nothing."""

    def rows(self, count: int) -> None:
        """Count nothing."""


@dataclass(frozen=True, slots=True)
class AuditOptions:
    """What a person may say beside the inputs.

    tenant: files and folders of the tenant export, beside what lies among the inputs.
    accepted_domains: stands in where the inputs hold no Get-AcceptedDomain export.
    listed_sender: what list-type traces show in their sender column; None lets the data show it.
    columnar_from: bytes from which DuckDB reads a CSV file by itself.
    """

    resolver: Resolver
    now: datetime
    tenant: tuple[Path, ...] = ()
    accepted_domains: tuple[Domain, ...] = ()
    read: ReadOptions = field(default_factory=ReadOptions)
    listed_sender: ListedSender | None = None
    switches: Switches = DEFAULT_SWITCHES
    columnar_from: int = COLUMNAR_FROM_BYTES
    catalogue: Catalogue = field(default_factory=load_catalogue)


def audit(
    inputs: Sequence[Path], out: Path, options: AuditOptions, reject: RejectSink, progress: Progress | None = None
) -> Audit:
    """Audit `inputs`, write messages.parquet into the folder `out`, and return the answer.

    `reject` receives every row that could not be read. Raises InputError where the inputs cannot be used at all.
    """
    progress = progress or Silent()
    progress.step("looking at the files")
    found = discover([*inputs, *options.tenant])
    collected = tuple(read_collection(path) for path in found.collections)
    if not found.histories:
        lacking = next((f"; {gap.why}" for each in collected for gap in each.gaps if gap.what == "traces"), "")
        raise InputError(
            ", ".join(map(str, inputs)), f"no export of mail history{lacking}", "at least one (docs/formats.md)"
        )
    tenant = read_tenant(found.settings)
    reported = reports_of(found, reject, progress)
    progress.step("asking DNS")
    dns = gather(accepted_of(tenant.snapshot), options.resolver)
    snapshot = replace(with_stated_domains(tenant.snapshot, options.accepted_domains), mail_exchangers=dns.mx)
    told = _Told(found, snapshot, dns, reported, options, reject, progress, tenant.warnings, collected)
    if len(found.histories) == 1:
        # One file is most likely of plain rows without doubles: take that on trust, and look when it is written.
        try:
            with open_database(out) as database:
                return _Run(database, told, on_trust=True).audit(out)
        except NotPlainError:
            progress.step("reading again, with care")
    with open_database(out) as database:
        return _Run(database, told, on_trust=False).audit(out)


@dataclass(frozen=True, slots=True)
class _Told:
    """What an audit is told before it reads the history."""

    found: Inputs
    snapshot: TenantSnapshot
    dns: DnsFacts
    reported: Reported
    options: AuditOptions
    reject: RejectSink
    progress: Progress
    warnings: tuple[str, ...]
    collected: tuple[Collected, ...]


@dataclass(frozen=True, slots=True)
class _Run:
    """One audit under way. `on_trust`: see `Staged`; ends in NotPlainError where trust was misplaced."""

    database: Database
    told: _Told
    on_trust: bool

    def audit(self, out: Path) -> Audit:
        """The steps in order; each says so to `progress`."""
        told, step = self.told, self.told.progress.step
        classes = classes_of(told.snapshot)
        load_classes(self.database, classes)
        files = self._stage(classes, on_trust=self.on_trust and few_possible_keys(classes))
        on_trust = any(file.on_trust for file in files)
        step("joining what several exports say of one message")
        kinds = unite(self.database, files, told.options.listed_sender, classes)
        self._refuse_two_tenants(files)
        step("deciding flows")
        rule = compile_rule(told.snapshot, told.options.switches)
        flows = reduce_flows(self.database, decide_events(self.database, rule, classes, on_trust=on_trust))
        step("telling senders apart")
        senders = make_senders(flows, self._context(flows))
        load_senders(self.database, senders)
        step("writing messages.parquet")
        messages = write_messages(self.database, out / "messages.parquet", on_trust=on_trust)
        for file in files:
            if file.on_trust:
                file.rows = file.records = messages
                told.progress.rows(messages)
        daily = daily_counts(self.database)
        senders = [replace(sender, daily=daily.get(sender.id, {})) for sender in senders]
        return self._answer(files, kinds, senders, flows, out / "messages.parquet")

    def _answer(
        self,
        files: Sequence[Staged],
        kinds: Mapping[str, ListedSender],
        senders: Sequence[Sender],
        flows: Sequence[Flow],
        path: Path,
    ) -> Audit:
        told = self.told
        counted = tallies(self.database, path)
        messages = sum(tally.messages for tally in counted)
        coverage = (
            *file_coverage(files, self._remarks(files), told.found.settings, told.found.skipped),
            *report_coverage(told.reported),
            *collection_coverage(told.collected),
        )
        return answer_of(
            Seen(
                tallies=counted,
                strangers=strangers(self.database, path),
                window=window(self.database, path),
                files=coverage,
                merged=sum(file.records for file in files) - messages,
                expanded=sum(file.expanded for file in files),
                disagreements=disagreements(self.database, files),
                kinds=kinds,
                flows=flows,
                senders=senders,
            ),
            Beside(told.snapshot, told.dns, told.reported, told.warnings, told.collected),
            now=told.options.now,
            catalogue=told.options.catalogue,
            switches=told.options.switches,
        )

    def _refuse_two_tenants(self, files: Sequence[Staged]) -> None:
        """Mail of two tenants in one audit would make each look like the other's stranger."""
        tenants = dict(tenants_of(self.database, files))
        if self.told.snapshot.tenant_id:
            tenants.setdefault(self.told.snapshot.tenant_id, "the tenant settings")
        if len(tenants) > 1:
            (first, one), (second, other), *_ = tenants.items()
            raise InputError(one, f"tenant {first} here and tenant {second} in {other}", "the exports of one tenant")

    def _stage(self, classes: Classes, *, on_trust: bool) -> list[Staged]:
        """Read every history; a file in a folder that cannot be read as a whole is noted, a named one is an error."""
        files: list[Staged] = []
        for source in self.told.found.histories:
            self.told.progress.step(f"reading {source.path.name}")
            named = source.path in self.told.found.named
            stager = Stager(
                self.database, classes, self.told.options.read, self.told.reject, self.told.progress.rows,
                keep_partial=not named, trusting=on_trust, columnar_from=self.told.options.columnar_from,
            )  # fmt: skip
            try:
                files.append(stager.stage(len(files), source))
            except InputError as error:
                if named:
                    raise
                files.append(stage_refused(source, error, self.told.reject))
        return files

    def _remarks(self, files: Sequence[Staged]) -> Mapping[Path, str]:
        """What is remarkable about each file, for coverage."""
        sources = self.told.found.histories
        pages = incomplete_pages({source.path: source.format for source in sources})
        parts = {
            source.path: (file.note, pages.get(source.path, ""), notes(source, file.rows))
            for source, file in zip(sources, files, strict=True)
        }
        return {path: "; ".join(part for part in texts if part) for path, texts in parts.items()}

    def _context(self, flows: Sequence[Flow]) -> AssessmentContext:
        """What the assessment is told beside the flows."""
        told = self.told
        span = window(self.database) or (told.options.now, told.options.now)
        beside = Beside(told.snapshot, told.dns, told.reported, told.warnings)
        return context_of(
            beside, flows, span, authenticated_use(self.database),
            resolver=told.options.resolver, catalogue=told.options.catalogue,
        )  # fmt: skip


def reports_of(found: Inputs, reject: RejectSink, progress: Progress) -> Reported:
    """The DMARC reports; one that breaks off is an error where it was named, and noted where it lay in a folder."""
    if found.reports:
        progress.step("reading DMARC reports")
    reported = read_reports(found.reports, reject)
    for path, error in reported.broken:
        if path in found.named:
            raise error
    return reported


def with_stated_domains(snapshot: TenantSnapshot, domains: Sequence[Domain]) -> TenantSnapshot:
    """The accepted domains a person stated stand in for an export that is not there."""
    if not domains or not isinstance(snapshot.accepted_domains, Unknown):
        return snapshot
    unknown = Unknown("stated by name only")
    return replace(snapshot, accepted_domains=tuple(AcceptedDomain(domain, unknown, False) for domain in domains))
