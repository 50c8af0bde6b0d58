"""Accepting an alert between two runs: the baseline takes what the last run saw; the next one finds it no more."""

from __future__ import annotations

from datetime import datetime

from sidedoor.errors import InputError, UsageError
from sidedoor.report import kept_report
from sidedoor.report.kept_report import KeptReport
from sidedoor.store.errors import NotThereError
from sidedoor.store.model import Alert
from sidedoor.store.model import Baseline as KeptBaseline
from sidedoor.store.tenant import TenantStore
from sidedoor.tenant.codec import CodecError
from sidedoor.watch import baseline_json, sight_json
from sidedoor.watch import seen as seen_file
from sidedoor.watch.accept import accept
from sidedoor.watch.around import kept_bounces
from sidedoor.watch.run import SIGHT, baseline_of
from sidedoor.watch.seeing import answer_of, sight_of
from sidedoor.watch.seen import Seen
from sidedoor.watch.sight import Sight
from sidedoor.watch.sight_json import Surroundings
from sidedoor.watch.workspace import Workspace


def accept_alert(workspace: Workspace, store: TenantStore, alert_id: str, *, who: str, via: str, at: datetime) -> Alert:
    """Say that what an alert is about is right as it is. Returns the alert, which the next run closes.

    Raises NotThereError where there is no such alert; RunningError while a run is under way; UsageError where it is
    none that can be accepted, is over, or what it is about cannot be had; InputError for what another version wrote.
    """
    with store.running():
        found = store.alert(alert_id)
        if found is None:
            raise NotThereError(f"{store.domain}: no alert {alert_id[:60]!r}")
        if found.recovered_at is not None:
            raise UsageError("the alert is over, so there is nothing to accept")
        baseline = baseline_of(store)
        if baseline is None:
            raise UsageError("there is no baseline yet: the first run makes one")
        after = accept(baseline, last_sight(workspace, store), found)
        kept = KeptBaseline(after.at, baseline_json.encode(after))
        return store.accept_alert(alert_id, kept, who, via, at)


def last_sight(workspace: Workspace, store: TenantStore) -> Sight:
    """What the last run saw, put together again. Raises UsageError before the first, InputError."""
    around = _around(store)
    report, seen = _answer(workspace)
    decisions = store.decisions()
    answer = answer_of(report, seen, store.known_senders(), decisions)
    return sight_of(answer, decisions, around, kept_bounces(store, around.now))


def _around(store: TenantStore) -> Surroundings:
    kept = store.value(SIGHT)
    if kept is None:
        raise UsageError("no run has ended yet, so nothing is known that could be accepted")
    try:
        return sight_json.decode(kept)
    except CodecError as error:
        raise InputError(f"what the last run of {store.domain} saw", str(error), "what this version wrote") from error


def _answer(workspace: Workspace) -> tuple[KeptReport | None, Seen | None]:
    """The answer in force; nothing where there is none. Raises InputError."""
    with workspace.publishing():
        seen = seen_file.read(workspace.report)
        return (None, None) if seen is None else (kept_report.read(workspace.report), seen)
