"""`sidedoor watch`: look at workspaces, once or for ever, and tell people what changed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sidedoor.cli.extras import needs
from sidedoor.cli.output import printable
from sidedoor.errors import InputError, SidedoorError, UsageError

if TYPE_CHECKING:
    from sidedoor.watch.results import Results, Row
    from sidedoor.watch.rounds import Result, Round

EXIT_ALERTS = 1
_PATH = click.Path(path_type=Path)


@click.command("watch")
@click.argument("workspaces", nargs=-1, type=_PATH)
@click.option("--once", is_flag=True, help="One run, and end: for cron and systemd timers.")
@click.option(
    "--jobs",
    type=click.IntRange(1, 256),
    metavar="N",
    help="With --once: workspaces at a time, each in a process of its own; as many as there are cores if not given.",
)
@click.option(
    "--minutes",
    type=click.FloatRange(0.1, 10_080),
    metavar="M",
    help="With --once: end a workspace's run after so long; the next run goes on from there.",
)
@click.option(
    "--results",
    type=_PATH,
    metavar="FILE",
    help="With --once: write one page about all of them, FILE.html, and the same as .json and .csv beside it.",
)
@click.option("--no-collect", is_flag=True, help="Ask no tenant; only what lies in the workspace is read.")
@click.option("--require-quiet", is_flag=True, help="With --once: exit with 1 where an alert is open.")
@click.option(
    "--json", "as_json", is_flag=True, help="With --once: print a JSON object a line, one for each workspace."
)
@click.option("-q", "--quiet", is_flag=True, help="Print errors only.")
def watch_command(
    workspaces: tuple[Path, ...], once: bool, jobs: int | None, minutes: float | None, results: Path | None,
    no_collect: bool, require_quiet: bool, as_json: bool, quiet: bool,
) -> int:  # fmt: skip
    """Watch tenants: fetch what is new, compare it with what was accepted, raise alerts, each once.

    WORKSPACES are folders that `sidedoor init` made, or that hold some side by side; the current folder if none is
    named. One that fails does not stop the others. Without --once it runs until it is told to end.

    The exit code of --once is the highest of what went wrong in any workspace, 0 where nothing did.
    """
    with needs("watch", "watch"):
        from sidedoor.watch.garbage import look_seldom
        from sidedoor.watch.rounds import Round
        from sidedoor.watch.workspace import workspaces as found_in

    look_seldom()
    roots = workspaces or (Path(),)
    work = Round(found_in(roots), collect=not no_collect, say=_silent if quiet else _say)
    if once:
        return _once(work, roots, _Wanted(jobs, minutes, results, require_quiet, as_json, quiet))
    if jobs or minutes or results:
        raise UsageError("--jobs, --minutes and --results go with --once")
    from sidedoor.watch.service import serve

    return serve(work)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Options of a single run."""

    jobs: int | None
    minutes: float | None
    results: Path | None
    require_quiet: bool
    as_json: bool
    quiet: bool


def _once(work: Round, roots: Sequence[Path], wanted: _Wanted) -> int:
    with needs("watch", "watch"):
        from sidedoor.watch.many import at_once, default_jobs
    from sidedoor.watch.results import Results, row_of, settled

    started = datetime.now(UTC)
    rows, unwritable = _lost(work, roots, wanted.results, started)
    jobs = wanted.jobs or min(default_jobs(), len(work.folders))
    for result in at_once(work, jobs, None if wanted.minutes is None else wanted.minutes * 60):
        _tell(result, as_json=wanted.as_json, quiet=wanted.quiet)
        rows.append(row_of(result))
    results = Results.of(rows, started, datetime.now(UTC))
    if len(rows) > 1 and not (wanted.quiet or wanted.as_json):
        click.echo(settled(results))
    failed = max(*(row.code for row in rows), _written(results, wanted.results, unwritable))
    if failed or not wanted.require_quiet:
        return failed
    return EXIT_ALERTS if results.totals["with_alerts"] else 0


def _lost(
    work: Round, roots: Sequence[Path], page: Path | None, now: datetime
) -> tuple[list[Row], SidedoorError | None]:
    """Tenants of the last page that are not there; or why that page must not be replaced, which stops no run."""
    from sidedoor.watch.gone import gone

    if page is None:
        return [], None
    try:
        rows = gone(page, roots, work.folders, now)
    except InputError as error:
        return [], error
    for row in rows:
        click.echo(f"error: {printable(row.tenant)}: {printable(row.error)}", err=True)
    return rows, None


def _written(results: Results, page: Path | None, unwritable: SidedoorError | None) -> int:
    """Write the page, if it was asked for. The exit code of that alone."""
    from sidedoor.watch.results import write

    if page is None:
        return 0
    try:
        if unwritable is not None:
            raise unwritable
        write(results, page)
    except SidedoorError as error:
        click.echo(f"error: no page of results was written: {printable(str(error))}", err=True)
        return error.exit_code
    return 0


def _silent(_text: str) -> None:
    """Say nothing."""


def _say(text: str) -> None:
    click.echo(f"watch: {printable(text)}", err=True)


def _tell(result: Result, *, as_json: bool, quiet: bool) -> None:
    if as_json:
        click.echo(json.dumps(result.as_json(), ensure_ascii=True))
    elif result.error:
        click.echo(f"error: {printable(result.tenant)}: {printable(result.error)}", err=True)
    elif not quiet:
        for line in result.lines():
            click.echo(printable(line))
