"""Workspaces with a report in them, made from the demo tenant the way `watch` makes them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from sidedoor.audit.run import Silent
from sidedoor.demo.make import make
from sidedoor.demo.traffic import Plan
from sidedoor.mailauth.zonefile import read_zones
from sidedoor.store.store import open_store
from sidedoor.watch.assessing import ask, assess, history_of
from sidedoor.watch.planning import replan
from sidedoor.watch.reading import look
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
    assess(workspace, history, asked, Silent())
    with open_store(workspace.store_url) as store:
        replan(workspace, store.tenant(domain), NOW)
    return workspace


def empty_workspace(folder: Path, domain: str = "contoso.com") -> Path:
    """A workspace as `init` leaves it."""
    make_workspace(folder, settings_text(domain))
    return folder
