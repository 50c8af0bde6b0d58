"""Workspaces with a report in them, made from the demo tenant the way `watch` makes them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from sidedoor.audit.history import Assessed
from sidedoor.audit.run import Silent
from sidedoor.demo.make import make
from sidedoor.demo.traffic import Plan
from sidedoor.mailauth.zonefile import read_zones
from sidedoor.plan.run import Question, make_plan
from sidedoor.plan.script.files import plan_files
from sidedoor.plan.words import NO_WORDS
from sidedoor.report import kept_report, plan_json, tenant_json
from sidedoor.report.atomic import write_files
from sidedoor.watch.assessing import ask, assess, fingerprint, history_of
from sidedoor.watch.reading import look
from sidedoor.watch.seen import NAME, dump, seen_of
from sidedoor.watch.template import settings_text
from sidedoor.watch.workspace import Workspace, make_workspace

END = datetime(2026, 11, 20, tzinfo=UTC)
NOW = datetime(2026, 11, 20, 7, 30, tzinfo=UTC)


def make_tenant(folder: Path, domain: str = "contoso.com", rows: int = 1_500, days: int = 14) -> Workspace:
    """A workspace for an invented tenant, its history filled and its report written."""
    workspace = make_workspace(folder, settings_text(domain))
    make(folder / "inbox", Plan(rows=rows, days=days, seed=5, domain=domain, end=END))
    resolver = read_zones(sorted((folder / "inbox" / "zones").iterdir()))
    asked = ask(workspace, look(workspace), resolver, NOW)
    history = history_of(workspace, asked)
    history.add(asked.found)
    history.settle()
    mark = fingerprint(asked)

    def extra(assessed: Assessed, draft: Path) -> None:
        write_files({draft / NAME: dump(seen_of(assessed, mark))})

    assess(workspace, history, asked, Silent(), extra)
    settings, report = tenant_json.read(workspace.report), kept_report.read(workspace.report)
    with history.kept(workspace.report) as kept:
        question = Question(
            report.senders, kept, settings.snapshot, settings.switches, NO_WORDS, asked.options.catalogue, NOW,
            str(workspace.report),
        )  # fmt: skip
        plan = make_plan(question)
    files = {plan_json.NAME: plan_json.dump(plan)} | plan_files(plan)
    write_files({workspace.report / "plan" / name: data for name, data in files.items()})
    return workspace


def empty_workspace(folder: Path, domain: str = "contoso.com") -> Path:
    """A workspace as `init` leaves it."""
    make_workspace(folder, settings_text(domain))
    return folder
