"""`sidedoor audit`: read exports, answer what Reject Direct Send would break, write the report."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

import click

from sidedoor.cli.extras import needs
from sidedoor.errors import OutputError, UsageError
from sidedoor.mailauth.source import resolver_of

if TYPE_CHECKING:
    from rich.console import Console

    from sidedoor.audit.discover import Inputs
    from sidedoor.audit.engine.staging import RejectSink
    from sidedoor.audit.listed import ListedSender
    from sidedoor.audit.model import Audit
    from sidedoor.audit.run import AuditOptions, Progress
    from sidedoor.mail.domain import Domain
    from sidedoor.policy.switches import Switches

_PATH = click.Path(path_type=Path)


@click.command(name="audit")
@click.argument("inputs", nargs=-1)
@click.option("-o", "--output", type=_PATH, default=Path("sidedoor-report"), show_default=True, help="Folder to write.")
@click.option("--tenant", multiple=True, type=_PATH, help="Tenant export (file or folder), if not among the inputs.")
@click.option("--accepted-domain", multiple=True, help="An own domain, where there is no Get-AcceptedDomain export.")
@click.option("--dns", "zones", multiple=True, type=_PATH, help="Master file (or folder of them) instead of live DNS.")
@click.option("--offline", is_flag=True, help="Ask no DNS at all; what it would tell stays unknown.")
@click.option("--date-format", help="How culture-shaped dates are written: en-US, en-GB, mdy, dmy, or a pattern.")
@click.option(
    "--trace-sender",
    type=click.Choice(["auto", "envelope", "header", "unknown"]),
    default="auto",
    show_default=True,
    help="What list-type traces show as sender: envelope sender or header From; auto lets the data show it.",
)
@click.option(
    "--switch", "switches", multiple=True, metavar="NAME=VALUE", help="Answer an open question (docs/rule.md)."
)
@click.option("--catalogue", type=_PATH, help="Entries of your own for the catalogue of senders (docs/catalogue.md).")
@click.option("--baseline", is_flag=True, help="State CIS 6.5.5, MS.EXO.15.1v1 and MT.1062 too (docs/baseline.md).")
@click.option("--require-ready", is_flag=True, help="Exit with 1 unless the tenant is ready for RejectDirectSend.")
@click.option("--engine", metavar="NAME", help="Who holds the records: duckdb, spark, spark:MASTER (docs/scale.md).")
@click.option("--records", metavar="PLACE", help="With --engine: where records lie, or are put; DIR/records if unsaid.")
@click.option("-q", "--quiet", is_flag=True, help="Print no summary and no progress.")
def audit_command(
    inputs: tuple[str, ...],
    output: Path,
    tenant: tuple[Path, ...],
    accepted_domain: tuple[str, ...],
    zones: tuple[Path, ...],
    offline: bool,
    date_format: str | None,
    trace_sender: str,
    switches: tuple[str, ...],
    catalogue: Path | None,
    baseline: bool,
    require_ready: bool,
    engine: str | None,
    records: str | None,
    quiet: bool,
) -> int:
    """Audit exports of a tenant's mail history.

    INPUTS are files and folders of any supported export; the tenant's settings may lie among them. Writes report.html,
    report.json, senders.csv, messages.parquet, tenant.json and rejected_rows.csv into the output folder.
    """
    from rich.console import Console

    from sidedoor.audit.discover import discover
    from sidedoor.audit.run import AuditOptions
    from sidedoor.catalogue.catalogue import load_catalogue
    from sidedoor.evidence.interface import ReadOptions

    _refuse_odd(inputs, engine, records)
    options = AuditOptions(
        resolver=resolver_of(zones, offline=offline),
        now=datetime.now(UTC),
        tenant=tenant,
        accepted_domains=_domains(accepted_domain),
        read=ReadOptions(date_format=date_format),
        listed_sender=_listed(trace_sender),
        switches=_switches(switches),
        catalogue=load_catalogue(catalogue),
    )
    found = discover((*(Path(text) for text in inputs if "://" not in text), *tenant)) if baseline else None
    if found is not None and found.settings and not found.histories and not (engine or records):
        _baseline(found, None, output, options.now, quiet=quiet)
        return 0
    console = Console(highlight=False)
    if engine or records:
        result = _run_on(engine or "duckdb", inputs, records or str(output / "records"), output, options, quiet=quiet)
    else:
        result = _run([Path(text) for text in inputs], output, options, quiet=quiet)
    if found is not None:
        _baseline(found, result, output, options.now, quiet=quiet)
    if not quiet:
        from sidedoor.report.terminal import summary

        summary(result, output, console)
    return 1 if require_ready and result.readiness.state != "ready" else 0


def _refuse_odd(inputs: Sequence[str], engine: str | None, records: str | None) -> None:
    if not inputs and not records:
        raise UsageError("found no INPUTS; expected exports, or --records with records that lie there")
    if far := [text for text in inputs if "://" in text and not (engine or records)]:
        raise UsageError(f"{far[0]}: only an engine reads that; expected --engine")


def _run(inputs: Sequence[Path], output: Path, options: AuditOptions, *, quiet: bool) -> Audit:
    """The audit with its files."""
    from sidedoor.audit.run import audit

    return _written(output, lambda reject, told: audit(inputs, output, options, reject, told), quiet=quiet)


def _run_on(
    engine: str, inputs: Sequence[str], place: str, output: Path, options: AuditOptions, *, quiet: bool
) -> Audit:
    """As `_run`, by an engine."""
    with needs("--engine", "spark"):
        from sidedoor.audit.engine.portable.open import open_engine
        from sidedoor.audit.on_engine import audit_on

    def audited(reject: RejectSink, told: Progress) -> Audit:
        # An audit without engine may have left one, of another history than the report that comes.
        (output / "messages.parquet").unlink(missing_ok=True)
        told.step("starting the engine")
        with needs(f"--engine {engine}", "spark"), open_engine(engine, output, place) as store:
            return audit_on(store, inputs, place, options, reject, progress=told)

    return _written(output, audited, quiet=quiet)


def _written(output: Path, audited: Callable[[RejectSink, Progress], Audit], *, quiet: bool) -> Audit:
    """Audit and write; the output folder is made first, so that an unwritable one is found at once."""
    from sidedoor.report.csv_report import RejectedRowsWriter
    from sidedoor.report.writer import REJECTED, write_all

    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{output}: cannot be made ({error.strerror})") from error
    with _progress(quiet=quiet) as progress, RejectedRowsWriter(output / REJECTED) as rejected:
        result = audited(rejected.write, progress)
        progress.step("writing the report")
    write_all(result, output)
    return result


def _baseline(found: Inputs, result: Audit | None, output: Path, now: datetime, *, quiet: bool) -> None:
    """The baselines; from the settings alone, where there is no audit of a history."""
    from sidedoor.audit.baseline import answers
    from sidedoor.evidence.tenant_files import read_tenant, setting_file
    from sidedoor.report.baseline import lines, write
    from sidedoor.tenant.kinds import SettingKind

    snapshot = read_tenant(found.settings).snapshot if result is None else result.snapshot
    stated = answers(snapshot.reject_direct_send, result)
    source = setting_file(found.settings, SettingKind.ORGANIZATION_CONFIG)
    write(stated, snapshot.name, source, now, output)
    if not quiet:
        for line in lines(stated):
            click.echo(line)


def _domains(texts: tuple[str, ...]) -> tuple[Domain, ...]:
    from sidedoor.mail.domain import DomainError, parse_domain

    try:
        return tuple(parse_domain(text) for text in texts)
    except DomainError as error:
        raise UsageError(f"--accepted-domain: {error}") from error


def _switches(given: tuple[str, ...]) -> Switches:
    from sidedoor.policy.switches import SwitchError, with_switches

    try:
        return with_switches({name: value for name, _, value in (text.partition("=") for text in given)})
    except SwitchError as error:
        raise UsageError(f"--switch: {error}") from error


def _listed(text: str) -> ListedSender | None:
    from sidedoor.audit.listed import ListedSender

    return None if text == "auto" else ListedSender(text)


class _Bar:
    """Progress on the terminal: the step under way and the rows read so far."""

    def __init__(self, console: Console) -> None:
        self._status = console.status("starting")
        self._text, self._rows = "", 0

    def __enter__(self) -> Self:
        self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._status.stop()

    def step(self, text: str) -> None:
        """Name the step under way."""
        self._text = text
        self._show()

    def rows(self, count: int) -> None:
        """Count rows read."""
        self._rows += count
        self._show()

    def _show(self) -> None:
        from rich.text import Text

        read = f"  {self._rows:,} rows read" if self._rows else ""
        self._status.update(Text(f"{self._text}{read}"))


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Progress]:
    """A bar on a terminal, silence elsewhere."""
    from sidedoor.audit.run import Silent

    if quiet or not sys.stderr.isatty():
        yield Silent()
        return
    from rich.console import Console

    with _Bar(Console(stderr=True, highlight=False)) as bar:
        yield bar
