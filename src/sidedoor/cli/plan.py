"""`sidedoor plan`: from a report to connectors, scripts and letters, proven on the same history."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sidedoor.cli.extras import needs

if TYPE_CHECKING:
    from sidedoor.audit.engine.kept import KeptHistory
    from sidedoor.plan.model import Plan
    from sidedoor.plan.words import Words
    from sidedoor.report.kept_report import KeptReport
    from sidedoor.report.tenant_json import KeptSettings

EXIT_NOT_READY = 1
_PATH = click.Path(path_type=Path)
_WORKSPACE = "sidedoor.toml"


@click.command("plan")
@click.argument("report", metavar="REPORT_DIR", type=_PATH)
@click.option("-o", "--output", type=_PATH, help="Folder for the plan; REPORT_DIR/plan if not given.")
@click.option("--decisions", type=_PATH, help="Your plan.toml; REPORT_DIR/plan.toml if it is there.")
@click.option("--catalogue", type=_PATH, help="Senders of your own, as a TOML file (docs/catalogue.md).")
@click.option("--require-ready", is_flag=True, help="Exit with 1 where the plan is not ready.")
@click.option("--quiet", is_flag=True, help="Print nothing.")
def plan_command(
    report: Path, output: Path | None, decisions: Path | None, catalogue: Path | None, require_ready: bool, quiet: bool
) -> int:
    """Plan how each honest sender of an audit's report gets in once the door is closed.

    Applies the plan to the same history, and writes plan.json, PowerShell scripts, letters to the senders' owners and
    hunting queries. Changes nothing in any tenant. REPORT_DIR may be a workspace: then its history counts, and what
    people decided on the page.
    """
    from sidedoor.report.plan_folder import write_plan

    report = report_of(report)
    folder = output or report / "plan"
    plan, _, _ = plan_of(report, words_of(report, decisions), catalogue)
    write_plan(folder, plan)
    if not quiet:
        from rich.console import Console

        from sidedoor.report.plan_text import summary

        summary(plan, folder, Console(highlight=False))
    return EXIT_NOT_READY if require_ready and not plan.ready else 0


def report_of(path: Path) -> Path:
    """The folder of a report: the path itself, or the one in a workspace."""
    return path / "report" if (path / _WORKSPACE).is_file() else path


def _workspace_of(report: Path) -> Path | None:
    return report.parent if (report.parent / _WORKSPACE).is_file() else None


def words_of(report: Path, decisions: Path | None) -> Words:
    """plan.toml's words, if there is one; of a workspace what people decided besides."""
    from sidedoor.plan.words import NO_WORDS, read_words

    workspace = _workspace_of(report)
    if workspace is not None and decisions is None:
        with needs("the plan of a workspace", "watch"):
            from sidedoor.watch.planning import said_of
        return said_of(workspace)
    path = decisions or report / "plan.toml"
    return read_words(path) if decisions is not None or path.exists() else NO_WORDS


def _history_of(report: Path) -> AbstractContextManager[KeptHistory]:
    """The messages of an audit; of a workspace its history."""
    from sidedoor.audit.engine.kept import open_kept
    from sidedoor.audit.history import kept_days

    workspace = _workspace_of(report)
    if workspace is not None and not (report / "messages.parquet").exists():
        return kept_days(workspace / "history", report)
    return open_kept(report / "messages.parquet")


def plan_of(folder: Path, words: Words, catalogue: Path | None) -> tuple[Plan, KeptSettings, KeptReport]:
    """The plan of a report's folder, with what it was made from."""
    from sidedoor.catalogue.catalogue import load_catalogue
    from sidedoor.errors import InputError
    from sidedoor.plan.run import Question, make_plan
    from sidedoor.report import kept_report, tenant_json

    settings, report = tenant_json.read(folder), kept_report.read(folder)
    if settings.generated_at != report.generated_at:
        found = f"settings of {settings.generated_at.isoformat()}, and report.json of {report.generated_at.isoformat()}"
        raise InputError(str(folder / tenant_json.NAME), found, "the files of one audit, as it wrote them")
    with _history_of(folder) as history:
        plan = make_plan(
            Question(
                report.senders, history, settings.snapshot, settings.switches, words, load_catalogue(catalogue),
                datetime.now(UTC), str(folder),
            )
        )  # fmt: skip
    return plan, settings, report
