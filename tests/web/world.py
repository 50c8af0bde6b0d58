"""Workspaces with a report in them, made from the demo tenant by a run of `watch`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from sidedoor.demo.make import make
from sidedoor.demo.traffic import Plan
from sidedoor.mailauth.zonefile import read_zones
from sidedoor.store.store import open_store
from sidedoor.watch.run import run
from sidedoor.watch.template import settings_text
from sidedoor.watch.tools import Tools
from sidedoor.watch.workspace import Workspace, make_workspace

END = datetime(2026, 11, 20, tzinfo=UTC)
NOW = datetime(2026, 11, 20, 7, 30, tzinfo=UTC)


def make_tenant(folder: Path, domain: str = "contoso.com", rows: int = 1_500, days: int = 14) -> Workspace:
    """A workspace for an invented tenant, after its first run."""
    workspace = make_workspace(folder, settings_text(domain))
    make(folder / "inbox", Plan(rows=rows, days=days, seed=5, domain=domain, end=END))
    resolver = read_zones(sorted((folder / "inbox" / "zones").iterdir()))
    with open_store(workspace.store_url) as store:
        run(workspace, store.tenant(workspace.name), Tools(resolver, now=lambda: NOW))
    return workspace


def empty_workspace(folder: Path, domain: str = "contoso.com") -> Path:
    """A workspace as `init` leaves it."""
    make_workspace(folder, settings_text(domain))
    return folder
