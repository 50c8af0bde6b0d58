"""From a history to a report: what changed is read, the whole is told anew, and the files are put in place."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from sidedoor.audit.answer import Beside, accepted_of
from sidedoor.audit.classes import classes_of
from sidedoor.audit.discover import Inputs
from sidedoor.audit.history import Assessed, History
from sidedoor.audit.listed import ListedSender
from sidedoor.audit.run import AuditOptions, Progress, reports_of, with_stated_domains
from sidedoor.catalogue.catalogue import load_catalogue
from sidedoor.errors import InputError, OutputError
from sidedoor.evidence.collection import read_collection
from sidedoor.evidence.interface import ReadOptions
from sidedoor.evidence.tenant_files import TenantReading, read_tenant
from sidedoor.mail.domain import parse_domain
from sidedoor.mail.fact import Unknown
from sidedoor.mailauth.facts import DnsFacts, gather
from sidedoor.mailauth.resolver import Resolver
from sidedoor.policy.switches import with_switches
from sidedoor.report.atomic import write_files
from sidedoor.report.csv_report import RejectedRowsWriter
from sidedoor.report.writer import REJECTED, write_all
from sidedoor.tenant.codec import encode
from sidedoor.tenant.snapshot import TenantSnapshot
from sidedoor.watch import seen
from sidedoor.watch.workspace import Workspace

DEFAULT_TRACE = "auto"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a run knows before it looks at the history: settings and DNS.

    now: the settings as they are now, unknown where they could not be read (`unread` says why). snapshot: the same with
    what is not known as it was last, so that an outage does not turn the history over.
    """

    found: Inputs
    now: TenantSnapshot
    snapshot: TenantSnapshot
    warnings: tuple[str, ...]
    dns: DnsFacts
    options: AuditOptions
    unread: str = ""


def ask(
    workspace: Workspace, found: Inputs, resolver: Resolver, now: datetime, before: TenantSnapshot | None = None
) -> Asked:
    """Read the settings that were found, and ask DNS about the accepted domains.

    before: the settings that the last answer rested on. Raises InputError for a catalogue that cannot be read.
    """
    options = audit_options(workspace, resolver, now)
    tenant, unread = _read(found)
    told = with_stated_domains(tenant.snapshot, options.accepted_domains)
    filled = told if before is None else _filled(told, before)
    dns = gather(accepted_of(filled), resolver)
    exchangers = {
        domain: before.mail_exchangers.get(domain, fact) if before and isinstance(fact, Unknown) else fact
        for domain, fact in dns.mx.items()
    }
    return Asked(
        found, replace(told, mail_exchangers=dns.mx), replace(filled, mail_exchangers=exchangers), tenant.warnings,
        dns, options, unread,
    )  # fmt: skip


def _read(found: Inputs) -> tuple[TenantReading, str]:
    """The settings, and why they cannot be read; then all are unknown."""
    try:
        return read_tenant(found.settings), ""
    except InputError as error:
        return TenantReading(TenantSnapshot(), ()), str(error)


def _filled(now: TenantSnapshot, before: TenantSnapshot) -> TenantSnapshot:
    """What is unknown now as it was before."""
    values = {each.name: getattr(now, each.name) for each in fields(TenantSnapshot)}
    return replace(now, **{name: getattr(before, name) for name, value in values.items() if isinstance(value, Unknown)})


def audit_options(workspace: Workspace, resolver: Resolver, now: datetime) -> AuditOptions:
    """What an audit of this workspace is told. Raises InputError for a catalogue that cannot be read."""
    inputs = workspace.settings.inputs
    return AuditOptions(
        resolver=resolver,
        now=now,
        accepted_domains=tuple(map(parse_domain, inputs.accepted_domains)),
        read=ReadOptions(date_format=inputs.date_format or None),
        listed_sender=None if inputs.trace_sender == DEFAULT_TRACE else ListedSender(inputs.trace_sender),
        switches=with_switches(dict(workspace.settings.switches)),
        catalogue=load_catalogue(workspace.path(inputs.catalogue) if inputs.catalogue else None),
    )


def history_of(workspace: Workspace, asked: Asked, progress: Progress | None = None) -> History:
    """The workspace's history under the settings as they are now."""
    return History(workspace.history, classes_of(asked.snapshot), asked.options, progress)


def fingerprint(asked: Asked) -> str:
    """What an answer rests on beside the history: the same text where telling it again would tell the same."""
    files = sorted((str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in asked.found.reports)
    parts = (
        json.dumps(encode(asked.snapshot), sort_keys=True), sorted(map(str, asked.dns.spf_unknown)),
        sorted((str(domain), repr(spf.warnings), spf.lookups_used) for domain, spf in asked.dns.spf.items()),
        sorted((str(domain), str(policy)) for domain, policy in asked.dns.dmarc.items()),
        asked.options.switches, asked.options.listed_sender, asked.options.accepted_domains, files,
    )  # fmt: skip
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def assess(workspace: Workspace, history: History, asked: Asked, progress: Progress) -> Assessed:
    """Tell senders, write the report and what only the history told, and put all of it in place."""
    with _draft(workspace) as folder:
        with RejectedRowsWriter(folder / REJECTED) as rejected:
            reported = reports_of(asked.found, rejected.write, progress)
            for path, row in history.rejected():
                rejected.write(path, row)
        collected = tuple(read_collection(path) for path in asked.found.collections)
        beside = Beside(asked.snapshot, asked.dns, reported, asked.warnings, collected)
        assessed = history.assess(asked.found, beside, folder)
        progress.step("writing the report")
        write_all(assessed.audit, folder)
        write_files({folder / seen.NAME: seen.dump(seen.seen_of(assessed, fingerprint(asked)))})
    return assessed


@contextmanager
def _draft(workspace: Workspace) -> Iterator[Path]:
    """A folder whose files are moved into the report's when the block ends well, all under one lock."""
    with TemporaryDirectory(prefix=".report-", dir=workspace.folder) as scratch:
        draft = Path(scratch)
        yield draft
        try:
            with workspace.publishing():
                _put(draft, workspace.report)
        except OSError as error:
            raise OutputError(f"{workspace.report}: cannot be written ({error.strerror})") from error


def _put(draft: Path, place: Path) -> None:
    """Move what was written to where it belongs; a folder replaces the one of before."""
    place.mkdir(exist_ok=True, mode=0o700)
    for path in sorted(draft.iterdir()):
        target = place / path.name
        if path.is_dir():
            shutil.rmtree(target, ignore_errors=True)
        path.replace(target)
