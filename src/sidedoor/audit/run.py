"""The audit from end to end: inputs to events, events to flows, flows to senders, senders to an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Protocol

from sidedoor.audit.classes import Classes, classes_of
from sidedoor.audit.context import AssessmentContext
from sidedoor.audit.coverage import (
    DECISIVE,
    collection_coverage,
    collection_gaps,
    file_coverage,
    listed_sender_warnings,
    missing_facts,
    report_coverage,
    stranger_warnings,
)
from sidedoor.audit.discover import Inputs, discover
from sidedoor.audit.dns import SpfLookups, client_names
from sidedoor.audit.elsewhere import reported_sources
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
from sidedoor.audit.engine.staging import COLUMNAR_FROM_BYTES, RejectSink, Staged, Stager
from sidedoor.audit.flow import Flow
from sidedoor.audit.listed import ListedSender
from sidedoor.audit.model import Audit, Coverage, Sender
from sidedoor.audit.senders import make_senders
from sidedoor.audit.simulate import readiness, simulate, timeline, totals
from sidedoor.audit.tenant import switch_rows, tenant_summary
from sidedoor.catalogue.catalogue import Catalogue, load_catalogue
from sidedoor.errors import InputError
from sidedoor.evidence.collection import Collected, read_collection
from sidedoor.evidence.coverage import incomplete_pages, notes
from sidedoor.evidence.dmarc_reports import Reported, read_reports
from sidedoor.evidence.interface import ReadOptions, Recognised
from sidedoor.evidence.record import RejectedRow
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
    reported = _reports(found, reject, progress)
    progress.step("asking DNS")
    dns = gather(_accepted(tenant.snapshot), options.resolver)
    snapshot = replace(_with_stated_domains(tenant.snapshot, options), mail_exchangers=dns.mx)
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
        foreign = self._strangers(path)
        accepted = frozenset(_accepted(told.snapshot))
        reported, reported_messages = reported_sources(told.reported, senders, accepted, told.options.catalogue)
        warnings = (*stranger_warnings(foreign, messages), *told.warnings, *listed_sender_warnings(kinds))
        simulation = simulate(counted, senders, flows)
        # Mostly strangers: the history and the settings are hardly of one tenant, and "ready" would be about another.
        known = not isinstance(told.snapshot.accepted_domains, Unknown) and foreign * 2 <= messages
        gaps = collection_gaps(told.collected)
        known = known and not any(gap.fact in DECISIVE for gap in gaps)
        spf_unknown = sorted(str(domain) for domain in told.dns.spf_unknown)
        return Audit(
            tenant=tenant_summary(told.snapshot),
            window=window(self.database, path),
            coverage=Coverage(
                messages=messages,
                files=(
                    *file_coverage(files, self._remarks(files), told.found.settings, told.found.skipped),
                    *report_coverage(told.reported),
                    *collection_coverage(told.collected),
                ),
                missing=(*gaps, *missing_facts(counted, told.snapshot, spf_unknown=spf_unknown)),
                merged_records=sum(file.records for file in files) - messages,
                expanded_records=sum(file.expanded for file in files),
                disagreements=disagreements(self.database, files),
                warnings=warnings,
            ),
            totals=totals(counted),
            senders=tuple(senders),
            simulation=simulation,
            readiness=readiness(senders, simulation, messages=messages, settings_known=known),
            timeline=timeline(senders),
            generated_at=told.options.now,
            reported=reported,
            reported_messages=reported_messages,
            switches=switch_rows(told.options.switches),
            snapshot=told.snapshot,
        )

    def _strangers(self, path: Path) -> int:
        """Messages between strangers; none where nobody knows who is one."""
        return 0 if isinstance(self.told.snapshot.accepted_domains, Unknown) else strangers(self.database, path)

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
                files.append(_refused(source, error, self.told.reject))
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
        accepted = frozenset(_accepted(self.told.snapshot))
        span = window(self.database) or (self.told.options.now, self.told.options.now)
        addresses = sorted({flow.client_ip for flow in flows if flow.client_ip})
        return AssessmentContext(
            accepted_domains=accepted,
            window=span,
            spf=SpfLookups(self.told.dns, self.told.options.resolver),
            reverse_names=client_names(addresses, self.told.options.resolver),
            authenticated_use=authenticated_use(self.database),
            reported=self.told.reported,
            catalogue=self.told.options.catalogue,
        )


def _reports(found: Inputs, reject: RejectSink, progress: Progress) -> Reported:
    """The DMARC reports; one that breaks off is an error where it was named, and noted where it lay in a folder."""
    if found.reports:
        progress.step("reading DMARC reports")
    reported = read_reports(found.reports, reject)
    for path, error in reported.broken:
        if path in found.named:
            raise error
    return reported


def _accepted(snapshot: TenantSnapshot) -> list[Domain]:
    if isinstance(snapshot.accepted_domains, Unknown):
        return []
    return [accepted.domain for accepted in snapshot.accepted_domains]


def _refused(source: Recognised, error: InputError, reject: RejectSink) -> Staged:
    """A file in a folder that stays unread, for ambiguous dates mostly: each of its rows is rejected, none is lost."""
    staged = Staged(source.path, source.format.name, note=f"not read: {error}")
    last_row = 0
    try:
        # Any order of day and month will do to walk over the rows: no time is kept.
        for reading in source.read(ReadOptions(date_format="mdy")):
            if reading.row != last_row:
                reject(str(source.path), RejectedRow(reading.row, f"the file is not read: found {error.found}", ""))
                staged.rows += 1
            last_row = reading.row
    except InputError:
        staged.note += " (its rows could not even be counted)"
    staged.rejected = staged.rows
    return staged


def _with_stated_domains(snapshot: TenantSnapshot, options: AuditOptions) -> TenantSnapshot:
    """The accepted domains a person stated stand in for an export that is not there."""
    if not options.accepted_domains or not isinstance(snapshot.accepted_domains, Unknown):
        return snapshot
    unknown = Unknown("stated by name only")
    return replace(
        snapshot,
        accepted_domains=tuple(AcceptedDomain(domain, unknown, False) for domain in options.accepted_domains),
    )
