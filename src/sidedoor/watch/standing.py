"""How a tenant stands: the door, whether it can be closed, and since when nobody looked. Also where a run failed.

After a failed run a page must not be silent about the tenant: what the last answer and the store still tell is told,
with the time that it is of.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from sidedoor.errors import InputError, OutputError, SidedoorError
from sidedoor.mail.fact import Unknown
from sidedoor.report import kept_report, tenant_json
from sidedoor.store.model import Alert
from sidedoor.store.store import open_store
from sidedoor.store.tenant import TenantStore
from sidedoor.tenant.snapshot import TenantSnapshot
from sidedoor.watch.run import Outcome
from sidedoor.watch.workspace import Workspace

_RUNS = 200  # looked through for one that came to its end


@dataclass(frozen=True, slots=True)
class Standing:
    """None and "": not known.

    closed: RejectDirectSend. readiness: as in report.json. known_at: when these were so. history_until: the last time
    that the history tells of. last_success: when a run last came to its end.
    """

    closed: bool | None = None
    readiness: str = ""
    known_at: datetime | None = None
    history_until: datetime | None = None
    last_success: datetime | None = None


def standing_of(outcome: Outcome) -> Standing:
    """After a run that came to its end."""
    sight, report = outcome.sight, outcome.learned.report
    if sight is None:
        return Standing(last_success=outcome.started)
    return Standing(
        closed_of(sight.snapshot),
        "" if report is None else report.state,
        outcome.started,
        sight.history_until,
        outcome.started,
    )


def closed_of(snapshot: TenantSnapshot) -> bool | None:
    """Whether the door is closed by these settings."""
    return None if isinstance(snapshot.reject_direct_send, Unknown) else snapshot.reject_direct_send


def left_behind(workspace: Workspace, *, ask_store: bool) -> tuple[Standing, tuple[Alert, ...]]:
    """What the last answer and, if it may be asked, the store still tell, and the alerts that are open."""
    standing = _of_report(workspace)
    if ask_store:
        with suppress(SidedoorError), open_store(workspace.store_url) as store:
            tenant = store.tenant(workspace.name)
            return replace(standing, last_success=_last_success(tenant)), tuple(tenant.open_alerts())
    return standing, ()


def _of_report(workspace: Workspace) -> Standing:
    with suppress(InputError, OutputError, OSError), workspace.publishing():
        kept, report = tenant_json.read(workspace.report), kept_report.read(workspace.report)
        until = None if report.window is None else report.window[1]
        return Standing(closed_of(kept.snapshot), report.state, report.generated_at, until)
    return Standing()


def _last_success(tenant: TenantStore) -> datetime | None:
    runs = tenant.last_runs(_RUNS)
    return next((each.started for each in runs if each.outcome in {"done", "incomplete"}), None)
