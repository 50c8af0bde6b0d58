"""`sidedoor watch`: look at workspaces, once or for ever, and tell people what changed."""

from __future__ import annotations

import gc
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sidedoor.cli.extras import needs
from sidedoor.cli.output import printable

if TYPE_CHECKING:
    from sidedoor.watch.rounds import Result

EXIT_ALERTS = 1
_PATH = click.Path(path_type=Path)


@click.command("watch")
@click.argument("workspaces", nargs=-1, type=_PATH)
@click.option("--once", is_flag=True, help="One run, and end: for cron and systemd timers.")
@click.option("--no-collect", is_flag=True, help="Ask no tenant; only what lies in the workspace is read.")
@click.option("--require-quiet", is_flag=True, help="With --once: exit with 1 where an alert is open.")
@click.option(
    "--json", "as_json", is_flag=True, help="With --once: print a JSON object a line, one for each workspace."
)
@click.option("-q", "--quiet", is_flag=True, help="Print errors only.")
def watch_command(
    workspaces: tuple[Path, ...], once: bool, no_collect: bool, require_quiet: bool, as_json: bool, quiet: bool
) -> int:
    """Watch tenants: fetch what is new, compare it with what was accepted, raise alerts, each once.

    WORKSPACES are folders that `sidedoor init` made, or that hold some side by side; the current folder if none is
    named. One that fails does not stop the others. Without --once it runs until it is told to end.
    """
    with needs("watch", "watch"):
        from sidedoor.watch.rounds import Round, settled
        from sidedoor.watch.workspace import workspaces as found_in

    # Twenty thousand senders are some millions of objects that all live until the end: looking for garbage among
    # them again and again costs as much as all the rest (measured: 4.3 s of processor time, 2.2 s without).
    gc.set_threshold(500_000, 50, 100)
    folders = found_in(workspaces or (Path(),))
    work = Round(folders, collect=not no_collect, say=_silent if quiet else _say)
    if not once:
        from sidedoor.watch.service import serve

        return serve(work)
    results = []
    for result in work.once():
        _tell(result, as_json=as_json, quiet=quiet)
        results.append(result)
    if len(results) > 1 and not (quiet or as_json):
        click.echo(settled(results))
    return _code(results, require_quiet=require_quiet)


def _code(results: Sequence[Result], *, require_quiet: bool) -> int:
    """The worst of what went wrong; else whether it is quiet."""
    failed = max((result.code for result in results), default=0)
    if failed or not require_quiet:
        return failed
    return EXIT_ALERTS if any(result.open for result in results) else 0


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
