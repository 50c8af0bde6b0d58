"""One run of `watch` over one workspace: read what is new, tell senders, compare, and tell people, each thing once.

Whatever cannot be had is said, and leaves what rests on it as it was. Only a store or a disk that fails ends a run; the
next one goes on from what is on disk.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sidedoor.errors import InputError, SidedoorError
from sidedoor.store.changes import Changes, RunEnd
from sidedoor.store.model import Alert, AlertFilter, Delivery, KnownSender
from sidedoor.store.model import Baseline as KeptBaseline
from sidedoor.store.tenant import TenantStore
from sidedoor.watch import baseline_json, sight_json
from sidedoor.watch.around import Around, look_around
from sidedoor.watch.baseline import first, grown
from sidedoor.watch.find import Untold, find
from sidedoor.watch.learning import Learned, learn
from sidedoor.watch.lifecycle import Changes as AlertChanges
from sidedoor.watch.lifecycle import ChannelRule, Rules, Standing, advance
from sidedoor.watch.planning import replan, stale
from sidedoor.watch.quiet import QuietError, QuietHours, parse_quiet
from sidedoor.watch.seeing import answer_of, sight_of
from sidedoor.watch.sight import Baseline, Sight
from sidedoor.watch.sight_json import Surroundings
from sidedoor.watch.telling import Told, tell
from sidedoor.watch.tools import Tools
from sidedoor.watch.workspace import Workspace

SIGHT = "sight"
"""The store's value with what the last run saw beside senders and bounces."""
TOLD = "told"
"""The store's value with `Baseline.told` of the last run: it changes in every run, the rest of a baseline seldom."""
_BACK = timedelta(minutes=1)
_MOST_SAID = 100


@dataclass(slots=True)
class Outcome:
    """What a run came to. raised, recovered: by this run. notes: sentences about what could not be had or is odd."""

    tenant: str
    started: datetime
    raised: list[Alert] = field(default_factory=list)
    recovered: list[Alert] = field(default_factory=list)
    open: list[Alert] = field(default_factory=list)
    told: Told = field(default_factory=Told)
    untold: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    sight: Sight | None = None
    certificates_unread: int | None = None
    learned: Learned = field(default_factory=Learned)


def run(workspace: Workspace, store: TenantStore, tools: Tools) -> Outcome:
    """One run. Raises UsageError where another is under way."""
    with workspace.running(), store.running():
        started, back = _time(store, tools)
        number = store.begin_run(started)
        outcome = Outcome(workspace.name, started)
        if back:
            outcome.notes.append(f"the clock was set back: it says {tools.now():%Y-%m-%d %H:%M} UTC")
        try:
            _run(workspace, store, tools, outcome, number)
        except SidedoorError as error:
            store.end_run(RunEnd(number, max(started, tools.now()), "failed", (str(error)[:1000],)))
            raise
        _plan(workspace, store, tools, outcome)
        outcome.told = tell(store, {each.channel.name: each.channel for each in tools.outlets}, started)
        outcome.open = store.open_alerts()
        return outcome


def _plan(workspace: Workspace, store: TenantStore, tools: Tools, outcome: Outcome) -> None:
    """The plan again, where the report or what people decided is newer. What it lacks is a note, no failure."""
    report = outcome.learned.report
    if report is None or not stale(workspace, store, report.generated_at):
        return
    tools.progress.step("planning")
    try:
        replan(workspace, store, outcome.started)
    except SidedoorError as error:
        outcome.notes.append(f"no plan could be made: {error}")


def _time(store: TenantStore, tools: Tools) -> tuple[datetime, bool]:
    """The time of this run: never before that of an earlier one; whether the clock says otherwise."""
    now, latest = tools.now(), store.latest_time()
    if latest is None or now >= latest:
        return now, False
    return latest, latest - now > _BACK


def _run(workspace: Workspace, store: TenantStore, tools: Tools, outcome: Outcome, number: int) -> None:
    now = outcome.started
    learned = learn(workspace, store, tools, now)
    around = look_around(workspace, store, learned.snapshot, now, tools.probe)
    known, decisions = store.known_senders(), store.decisions()
    answer = answer_of(learned.report, learned.seen, known, decisions)
    surroundings = _surroundings(now, learned, around)
    sight = sight_of(answer, decisions, surroundings, around.bounces)
    before = baseline_of(store)
    baseline = before or first(sight)
    thresholds = workspace.settings.alerts.thresholds
    found = find(sight, baseline, thresholds)
    changed = advance(
        _standing(store, now), found, Untold.of(sight, baseline), rules_of(workspace, tools),
        now=now, new_id=tools.new_id,
    )  # fmt: skip
    after = grown(baseline, sight, thresholds)
    _note(outcome, learned, around, sight)
    said = tuple(outcome.notes[:_MOST_SAID])
    end = RunEnd(number, max(now, tools.now()), "incomplete" if sight.untold else "done", said)
    same = before is not None and replace(after, told=before.told) == before
    senders = tuple(each for each in answer.known if known.get(each.key) != each)
    _apply(store, outcome, changed, senders, surroundings, (after, same), end)


def _surroundings(now: datetime, learned: Learned, around: Around) -> Surroundings:
    return Surroundings(
        now=now,
        history_until=learned.until,
        snapshot=learned.snapshot,
        domains=learned.domains,
        certificates=around.certificates,
        probe=around.probe,
        untold=learned.untold | around.untold,
        truncated=learned.truncated,
    )


def _note(outcome: Outcome, learned: Learned, around: Around, sight: Sight) -> None:
    outcome.learned, outcome.sight = learned, sight
    outcome.untold, outcome.certificates_unread = dict(sight.untold), around.unread_certificates
    outcome.notes += [*learned.notes, *around.notes]


def _apply(  # noqa: PLR0917  # everything that one transaction writes
    store: TenantStore, outcome: Outcome, changed: AlertChanges, senders: tuple[KnownSender, ...],
    around: Surroundings, baseline: tuple[Baseline, bool], end: RunEnd,
) -> None:  # fmt: skip
    """Alerts, their messages, senders, baseline and the run's end: all of it or nothing.

    senders: those that are not as they are kept. baseline: and whether it is as it is kept, but for `told`.
    """
    after, same = baseline
    before = {alert.id: alert for alert in store.open_alerts()}
    applied = store.apply(
        Changes(
            at=around.now,
            raised=changed.raised,
            seen=changed.seen,
            recovered=changed.recovered,
            deliveries=changed.deliveries,
            needless=changed.needless,
            held=changed.held,
            senders=senders,
            baseline=None if same else KeptBaseline(after.at, baseline_json.encode(after)),
            values={SIGHT: sight_json.encode(around), TOLD: baseline_json.encode_told(after.told)},
            end=end,
        )
    )
    outcome.raised = [alert for alert in changed.raised if alert.id in applied.raised]
    outcome.recovered = [before[key] for key in sorted(applied.recovered) if key in before]


def baseline_of(store: TenantStore) -> Baseline | None:
    """The baseline in the store; None before the first run. Raises InputError where it is another version's."""
    kept = store.baseline()
    if kept is None:
        return None
    try:
        baseline = baseline_json.decode(kept.body)
        return replace(baseline, told={**baseline.told, **baseline_json.decode_told(store.value(TOLD))})
    except (ValueError, TypeError) as error:
        raise InputError(f"the baseline of {store.domain}", str(error), "what this version wrote") from error


def _standing(store: TenantStore, now: datetime) -> Standing:
    """What the store holds of alerts and messages about them."""
    rules = Rules()
    past = [
        alert
        for alert in store.alerts(AlertFilter(), limit=10_000)
        if alert.recovered_at is not None and alert.recovered_at > now - 2 * rules.flap_span
    ]
    opened = store.open_alerts()
    deliveries: list[Delivery] = [each for alert in opened for each in store.deliveries(alert.id)]
    return Standing(tuple(opened), tuple(past), tuple(deliveries))


def rules_of(workspace: Workspace, tools: Tools) -> Rules:
    """Which alerts go where and when. Raises InputError for quiet hours that are none."""
    quiet = _quiet(workspace)
    return Rules(
        tuple(
            ChannelRule(each.channel.name, each.wants, None if each.channel.looks else quiet) for each in tools.outlets
        ),
        at_once=workspace.settings.alerts.thresholds.at_once,
    )


def _quiet(workspace: Workspace) -> QuietHours | None:
    alerts = workspace.settings.alerts
    path = str(workspace.folder / "sidedoor.toml")
    try:
        zone: tzinfo = UTC if alerts.timezone == "UTC" else ZoneInfo(alerts.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InputError(path, f"timezone = {alerts.timezone[:60]!r}", 'a zone like "Europe/Berlin"') from error
    try:
        return parse_quiet(alerts.quiet, zone)
    except QuietError as error:
        raise InputError(path, f"quiet = {alerts.quiet[:60]!r}", str(error)) from error
