"""`sidedoor alerts`: what is open, and what people answer to it, for those who do not use the page."""

from __future__ import annotations

import getpass
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sidedoor.cli.extras import needs
from sidedoor.cli.output import printable
from sidedoor.errors import UsageError

if TYPE_CHECKING:
    from sidedoor.store.model import Alert
    from sidedoor.store.tenant import TenantStore
    from sidedoor.watch.workspace import Workspace

_PATH = click.Path(path_type=Path)
_VIA = "cli"
_LONGEST = 366
_TITLE = 76


@click.group("alerts")
def alerts_command() -> None:
    """List alerts of a workspace, and answer them."""


@alerts_command.command("list")
@click.argument("workspace", type=_PATH)
@click.option("--all", "everything", is_flag=True, help="Those that are over too, the newest first.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_command(workspace: Path, everything: bool, as_json: bool) -> int:
    """List the open alerts, the worst first."""
    with opened(workspace) as (_, store):
        found = store.alerts(limit=10_000) if everything else store.open_alerts()
    from sidedoor.watch.rounds import alert_json

    for alert in found:
        click.echo(json.dumps(alert_json(alert), ensure_ascii=True) if as_json else _listed(alert))
    if not found and not as_json:
        click.echo("No alert is open.")
    return 0


@alerts_command.command("show")
@click.argument("workspace", type=_PATH)
@click.argument("alert_id")
def show_command(workspace: Path, alert_id: str) -> int:
    """Show one alert: evidence, and what to do."""
    with opened(workspace) as (_, store):
        alert = _there(store, alert_id)
    finding = alert.finding
    for line in (_line(alert), finding.title, finding.text, f"Do: {finding.advice}"):
        click.echo(printable(line))
    for name, value in finding.evidence:
        click.echo(printable(f"  {name}: {value}"))
    return 0


@alerts_command.command("acknowledge")
@click.argument("workspace", type=_PATH)
@click.argument("alert_id")
def acknowledge_command(workspace: Path, alert_id: str) -> int:
    """Say that it is known: no more messages about it but that it is over."""
    with opened(workspace) as (_, store):
        alert = store.acknowledge(_there(store, alert_id).id, who(), _VIA, datetime.now(UTC))
    click.echo(printable(f"acknowledged: {alert.finding.title}"))
    return 0


@alerts_command.command("accept")
@click.argument("workspace", type=_PATH)
@click.argument("alert_id")
def accept_command(workspace: Path, alert_id: str) -> int:
    """Say that what it is about is right: it belongs to the baseline, and the next run is quiet about it."""
    with opened(workspace) as (place, store):
        from sidedoor.watch.answering import accept_alert

        alert = accept_alert(place, store, _there(store, alert_id).id, who=who(), via=_VIA, at=datetime.now(UTC))
    click.echo(printable(f"accepted: {alert.finding.title}"))
    return 0


@alerts_command.command("snooze")
@click.argument("workspace", type=_PATH)
@click.argument("alert_id")
@click.option("--days", type=click.IntRange(0, _LONGEST), required=True, help="For so many days; 0 ends a snooze.")
def snooze_command(workspace: Path, alert_id: str, days: int) -> int:
    """Send no message about it for some days."""
    now = datetime.now(UTC)
    with opened(workspace) as (_, store):
        until = now + timedelta(days=days) if days else None
        alert = store.snooze(_there(store, alert_id).id, until, who(), _VIA, now)
    click.echo(printable(f"{'snoozed' if days else 'no longer snoozed'}: {alert.finding.title}"))
    return 0


@contextmanager
def opened(folder: Path) -> Iterator[tuple[Workspace, TenantStore]]:
    """A workspace and its store."""
    with needs("this", "watch"):
        from sidedoor.store.store import open_store
        from sidedoor.watch.workspace import open_workspace
    workspace = open_workspace(folder)
    with open_store(workspace.store_url) as store:
        yield workspace, store.tenant(workspace.name)


def who() -> str:
    """Who answers, for the trail."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no such user: a container with a number only
        return f"user {os.getuid()}" if hasattr(os, "getuid") else "somebody"


def _there(store: TenantStore, alert_id: str) -> Alert:
    """By its id, or the beginning of one. Raises UsageError."""
    exact = store.alert(alert_id)
    if exact is not None:
        return exact
    found = [alert for alert in store.open_alerts() if alert_id and alert.id.startswith(alert_id)]
    if len(found) != 1:
        raise UsageError(f"{len(found) or 'no'} open alert(s) with the id {printable(alert_id)!r}")
    return found[0]


def _listed(alert: Alert) -> str:
    """Two lines of a terminal."""
    from sidedoor.report.text import shorten

    return f"{_line(alert)}\n    {shorten(alert.finding.title, _TITLE)}"


def _line(alert: Alert) -> str:
    finding = alert.finding
    state = "over" if alert.recovered_at else "known" if alert.acknowledged_at else "open"
    return f"{alert.id[:8]}  {finding.severity.value:<8}  {state:<5}  {alert.raised_at:%Y-%m-%d %H:%M}  {finding.kind}"
