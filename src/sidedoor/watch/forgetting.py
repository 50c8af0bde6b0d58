"""Deletion that deletes: a stretch of time, a person, or all of a tenant, out of a workspace and its store."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from sidedoor.audit.run import Silent
from sidedoor.errors import InputError, OutputError, UsageError
from sidedoor.mail.address import AddressError, parse_address
from sidedoor.mailauth.resolver import Resolver
from sidedoor.store.store import Store
from sidedoor.watch.assessing import ask, assess, history_of
from sidedoor.watch.planning import replan
from sidedoor.watch.reading import look
from sidedoor.watch.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was deleted or changed: days and records of the history, rows of the store."""

    days: int = 0
    records: int = 0
    rows: int = 0


def forget_before(workspace: Workspace, store: Store, first: date, resolver: Resolver, now: datetime) -> Forgotten:
    """Everything from before a day; records of it that come later are not kept either."""
    with workspace.running(), store.tenant(workspace.name).running():
        tenant = store.tenant(workspace.name)
        history = history_of(workspace, ask(workspace, look(workspace), resolver, now))
        days = history.forget_before(first)
        moment = datetime.combine(first, time(), UTC)
        rows = tenant.forget(moment, trail_before=moment).rows
        _told_anew(workspace, store, resolver, now)
        store.compact()
        return Forgotten(days=len(days), rows=rows)


def forget_address(  # noqa: PLR0917  # who did it belongs to the trail
    workspace: Workspace, store: Store, address: str, who: str, resolver: Resolver, now: datetime
) -> Forgotten:
    """A person's address. Exports in the inbox and in collected/ are the user's own, and stay as they are."""
    try:
        parsed = parse_address(address)
    except AddressError as error:
        raise UsageError(f"{address}: {error}") from error
    tenant = store.tenant(workspace.name)
    with workspace.running(), tenant.running():
        erased = tenant.forget_address(address, who, "cli", now)
        history = history_of(workspace, ask(workspace, look(workspace), resolver, now))
        records = history.forget_address(parsed, erased.mark)
        _told_anew(workspace, store, resolver, now)
        store.compact()
        return Forgotten(records=records, rows=erased.deleted.rows + erased.changed.rows)


def _told_anew(workspace: Workspace, store: Store, resolver: Resolver, now: datetime) -> None:
    """Report and plan, which still hold what the history no longer does."""
    asked = ask(workspace, look(workspace), resolver, now)
    history = history_of(workspace, asked)
    history.settle()
    if not history.days():
        _empty(workspace)
        return
    assess(workspace, history, asked, Silent())
    try:
        replan(workspace, store.tenant(workspace.name), now)
    except InputError:
        shutil.rmtree(workspace.report / "plan", ignore_errors=True)


def _empty(workspace: Workspace) -> None:
    for path in workspace.report.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def forget_everything(workspace: Workspace, store: Store) -> None:
    """The tenant in the store, and the whole workspace with its exports. Raises OutputError."""
    with workspace.running():
        if workspace.name in store.tenants():
            store.delete_tenant(workspace.name)
        store.close()
    try:
        shutil.rmtree(workspace.folder)
    except OSError as error:
        raise OutputError(f"{workspace.folder}: cannot be deleted whole ({error.strerror})") from error
