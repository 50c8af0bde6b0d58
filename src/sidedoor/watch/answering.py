"""What people answer to alerts: that what one is about is right. The baseline takes it, and the next run is quiet."""

from __future__ import annotations

from datetime import datetime

from sidedoor.errors import InputError, UsageError
from sidedoor.store.changes import Changes
from sidedoor.store.errors import NotThereError
from sidedoor.store.model import Alert, KnownSender, TrailEntry
from sidedoor.store.model import Baseline as KeptBaseline
from sidedoor.store.tenant import TenantStore
from sidedoor.tenant.codec import CodecError
from sidedoor.watch import baseline_json, sight_json
from sidedoor.watch.accept import accept
from sidedoor.watch.around import kept_bounces
from sidedoor.watch.find.made import subject_of
from sidedoor.watch.find.moves import successors
from sidedoor.watch.identity import merged
from sidedoor.watch.kinds import Kind
from sidedoor.watch.learning import in_force
from sidedoor.watch.run import SIGHT, baseline_of
from sidedoor.watch.seeing import answer_of, sight_of
from sidedoor.watch.sight import Baseline, Sight
from sidedoor.watch.workspace import Workspace


def accept_alert(
    workspace: Workspace, store: TenantStore, alert_id: str, *, who: str, via: str, at: datetime
) -> Alert:  # fmt: skip
    """Take what an alert is about into the baseline, and acknowledge it; the next run finds it to be over.

    Raises NotThereError; UsageError where it cannot be accepted, or another run is under way.
    """
    alert = store.alert(alert_id)
    if alert is None:
        raise NotThereError(f"{store.domain}: no alert {alert_id[:60]!r}")
    with workspace.running(), store.running():
        baseline, sight = baseline_of(store), last_sight(workspace, store)
        if baseline is None or sight is None:
            raise UsageError("no run has come to its end yet: there is nothing to accept it into")
        after = accept(baseline, sight, alert)
        senders, gone = _together(store, sight, baseline, alert)
        kept = KeptBaseline(after.at, baseline_json.encode(after))
        store.apply(Changes(at, senders=senders, gone=gone, baseline=kept))
        said = {"kind": alert.finding.kind, "subject": alert.finding.subject}
        store.note(TrailEntry(at, who, via, "accept", alert.id, {}, said))
        return store.acknowledge(alert_id, who, via, at)


def _together(
    store: TenantStore, sight: Sight, baseline: Baseline, alert: Alert
) -> tuple[tuple[KnownSender, ...], frozenset[str]]:
    """Where a sender moved, what was seen in its new place is that sender from now on, with what was decided of it.

    All known senders, and the keys that are none any more.
    """
    if alert.finding.kind != Kind.SENDER_MOVED:
        return (), frozenset()
    before = store.known_senders()
    known = tuple(before.values())
    for key, followers in successors(sight, baseline).items():
        if subject_of(key) == alert.finding.subject:
            for follower in followers:
                known = merged(known, follower.key, key)
    return known, frozenset(before) - {row.key for row in known}


def last_sight(workspace: Workspace, store: TenantStore) -> Sight | None:
    """What the last run saw; None before the first one. Raises InputError where another version wrote it."""
    kept = store.value(SIGHT)
    if kept is None:
        return None
    try:
        around = sight_json.decode(kept)
    except CodecError as error:
        raise InputError(f"the last run of {store.domain}", str(error), "what this version wrote") from error
    decisions = store.decisions()
    answer = answer_of(*in_force(workspace), store.known_senders(), decisions)
    return sight_of(answer, decisions, around, kept_bounces(store, around.now))
