"""The audit from end to end: inputs to events, events to flows, flows to senders, senders to an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Protocol

from sidedoor.audit.classes import Classes, classes_of
from sidedoor.audit.context import AssessmentContext
from sidedoor.audit.coverage import file_coverage, listed_sender_warnings, missing_facts
from sidedoor.audit.discover import Inputs, discover
from sidedoor.audit.dns import SpfLookups, client_names
from sidedoor.audit.engine.columns import load_classes
from sidedoor.audit.engine.database import Database, open_database
from sidedoor.audit.engine.flows import authenticated_use, decide_events, reduce_flows
from sidedoor.audit.engine.merge import disagreements, tenants_of, unite
from sidedoor.audit.engine.output import daily_counts, load_senders, window, write_messages
from sidedoor.audit.engine.staging import RejectSink, Staged, Stager
from sidedoor.audit.flow import Flow
from sidedoor.audit.listed import ListedSender
from sidedoor.audit.model import Audit, Coverage, Sender
from sidedoor.audit.senders import make_senders
from sidedoor.audit.simulate import readiness, simulate, timeline, totals
from sidedoor.audit.tenant import switch_rows, tenant_summary
from sidedoor.errors import InputError
from sidedoor.evidence.coverage import incomplete_pages, notes
from sidedoor.evidence.interface import ReadOptions, Recognised
from sidedoor.evidence.record import RejectedRow
from sidedoor.evidence.tenant_files import read_tenant
from sidedoor.mail.domain import Domain
from sidedoor.mail.fact import Unknown
from sidedoor.mailauth.facts import DnsFacts, gather
from sidedoor.mailauth.resolver import Resolver
from sidedoor.policy.decision import Decision
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
    """

    resolver: Resolver
    now: datetime
    tenant: tuple[Path, ...] = ()
    accepted_domains: tuple[Domain, ...] = ()
    read: ReadOptions = field(default_factory=ReadOptions)
    listed_sender: ListedSender | None = None
    switches: Switches = DEFAULT_SWITCHES


def audit(
    inputs: Sequence[Path], out: Path, options: AuditOptions, reject: RejectSink, progress: Progress | None = None
) -> Audit:
    """Audit `inputs`, write messages.parquet into the folder `out`, and return the answer.

    `reject` receives every row that could not be read. Raises InputError where the inputs cannot be used at all.
    """
    progress = progress or Silent()
    progress.step("looking at the files")
    found = discover([*inputs, *options.tenant])
    if not found.histories:
        raise InputError(", ".join(map(str, inputs)), "no export of mail history", "at least one (docs/formats.md)")
    tenant = read_tenant(found.settings)
    progress.step("asking DNS")
    dns = gather(_accepted(tenant.snapshot), options.resolver)
    snapshot = replace(_with_stated_domains(tenant.snapshot, options), mail_exchangers=dns.mx)
    with open_database(out) as database:
        return _Run(database, found, snapshot, dns, options, reject, progress, tenant.warnings).audit(out)


@dataclass(frozen=True, slots=True)
class _Run:
    """One audit under way: what its steps share."""

    database: Database
    found: Inputs
    snapshot: TenantSnapshot
    dns: DnsFacts
    options: AuditOptions
    reject: RejectSink
    progress: Progress
    warnings: tuple[str, ...]

    def audit(self, out: Path) -> Audit:
        """The steps in order; each says so to `progress`."""
        classes = classes_of(self.snapshot)
        load_classes(self.database, classes)
        files, notes = self._stage(classes)
        self.progress.step("joining what several exports say of one message")
        kinds = unite(self.database, files, self.options.listed_sender, classes)
        self._refuse_two_tenants(files)
        self.progress.step("deciding flows")
        decisions = decide_events(self.database, compile_rule(self.snapshot, self.options.switches), classes)
        flows = reduce_flows(self.database, [decision for decision, _ in decisions])
        self.progress.step("telling senders apart")
        senders = make_senders(flows, self._context(flows))
        load_senders(self.database, senders)
        self.progress.step("writing messages.parquet")
        messages = write_messages(self.database, out / "messages.parquet")
        daily = daily_counts(self.database)
        senders = [replace(sender, daily=daily.get(sender.id, {})) for sender in senders]
        coverage = Coverage(
            messages=messages,
            files=file_coverage(files, notes, self.found.settings, self.found.skipped),
            missing=missing_facts(decisions, self.snapshot, spf_unknown=bool(self.dns.spf_unknown) or not self.dns.spf),
            merged_records=sum(file.records for file in files) - messages,
            expanded_records=sum(file.expanded for file in files),
            disagreements=disagreements(self.database, files),
            warnings=(*self.warnings, *listed_sender_warnings(kinds)),
        )
        return self._answer(coverage, window(self.database, out / "messages.parquet"), decisions, flows, senders)

    def _refuse_two_tenants(self, files: Sequence[Staged]) -> None:
        """Mail of two tenants in one audit would make each look like the other's stranger."""
        tenants = dict(tenants_of(self.database, files))
        if self.snapshot.tenant_id:
            tenants.setdefault(self.snapshot.tenant_id, "the tenant settings")
        if len(tenants) > 1:
            (first, one), (second, other), *_ = tenants.items()
            raise InputError(one, f"tenant {first} here and tenant {second} in {other}", "the exports of one tenant")

    def _answer(
        self,
        coverage: Coverage,
        span: tuple[datetime, datetime] | None,
        decisions: Sequence[tuple[Decision, int]],
        flows: Sequence[Flow],
        senders: Sequence[Sender],
    ) -> Audit:
        simulation = simulate(decisions, senders, flows)
        known = not isinstance(self.snapshot.accepted_domains, Unknown)
        return Audit(
            tenant=tenant_summary(self.snapshot),
            window=span,
            coverage=coverage,
            totals=totals(decisions),
            senders=tuple(senders),
            simulation=simulation,
            readiness=readiness(senders, simulation, messages=coverage.messages, settings_known=known),
            timeline=timeline(senders),
            generated_at=self.options.now,
            switches=switch_rows(self.options.switches),
        )

    def _stage(self, classes: Classes) -> tuple[list[Staged], Mapping[Path, str]]:
        """Read every history; a file in a folder that cannot be read as a whole is noted, a named one is an error."""
        remarks = dict(incomplete_pages({source.path: source.format for source in self.found.histories}))
        files: list[Staged] = []
        for source in self.found.histories:
            self.progress.step(f"reading {source.path.name}")
            staged = self._stage_one(classes, len(files), source)
            files.append(staged)
            parts = (staged.note, remarks.get(source.path, ""), notes(source, staged.rows))
            remarks[source.path] = "; ".join(part for part in parts if part)
        return files, remarks

    def _stage_one(self, classes: Classes, number: int, source: Recognised) -> Staged:
        named = source.path in self.found.named
        stager = Stager(self.database, classes, self.options.read, self.reject, self.progress.rows, not named)
        try:
            return stager.stage(number, source)
        except InputError as error:
            if named:
                raise
            return _refused(source, error, self.reject)

    def _context(self, flows: Sequence[Flow]) -> AssessmentContext:
        """What the assessment is told beside the flows."""
        accepted = frozenset(_accepted(self.snapshot))
        span = window(self.database) or (self.options.now, self.options.now)
        addresses = sorted({flow.client_ip for flow in flows if flow.client_ip})
        return AssessmentContext(
            accepted_domains=accepted,
            window=span,
            spf=SpfLookups(self.dns, self.options.resolver),
            reverse_names=client_names(addresses, self.options.resolver),
            authenticated_use=authenticated_use(self.database),
        )


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
