"""The plan as a checklist: each step with what the settings show of it and what people have ticked."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any

from sidedoor.errors import InputError, UsageError
from sidedoor.mail.fact import Unknown
from sidedoor.plan.apply import applied, differences
from sidedoor.plan.model import Blocker, Change, Choice, ConnectorProposal, Plan, Stage
from sidedoor.report import words
from sidedoor.store.model import TrailEntry
from sidedoor.tenant.snapshot import TenantSnapshot
from sidedoor.web.access.visitor import Visitor
from sidedoor.web.book import Book
from sidedoor.web.problems import Problem
from sidedoor.web.roll import Roll
from sidedoor.web.service.describe import doc
from sidedoor.web.service.plan_files import PlanFile, files_of
from sidedoor.web.tenant import Tenant

_log = logging.getLogger(__name__)
TICKS = "web.plan-ticks"
_STILL = timedelta(days=3)  # as `plan.closing` judges who has moved


class Shown(StrEnum):
    """What the newest settings, or the history, show of a step."""

    DONE = "done"  # it is as the plan wants it
    NOT_DONE = "not-done"  # it is not
    UNKNOWN = "unknown"  # nothing tells


@dataclass(frozen=True, slots=True)
class Tick:
    """A person's word that a step is done, or is not."""

    done: bool
    who: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the plan, in order."""

    id: Annotated[str, doc("The same in the next plan, as long as it is the same step.")]
    number: int
    stage: Stage
    target: Annotated[str, doc("A connector, a rule, a sender; empty: the tenant.")]
    effect: str
    way_back: str
    senders: Annotated[tuple[str, ...], doc("Keys of the senders that it is for.")]
    shown: Annotated[Shown, doc("What the newest settings and the history show.")]
    evidence: Annotated[str, doc("By what.")]
    ticked: Annotated[Tick | None, doc("What a person said; null: nothing.")]
    script: Annotated[str | None, doc("The script that makes it, among `files`.")]


@dataclass(frozen=True, slots=True)
class BlockerView:
    """Why the plan is not ready."""

    id: str
    text: str
    sender: Annotated[str | None, doc("Key of the sender that it is about.")]


@dataclass(frozen=True, slots=True)
class DateView:
    """A date that the plan has to reckon with. whose: Microsoft's, or a sender's owner."""

    on: date
    text: str
    source: str
    sender: Annotated[str | None, doc("Key of the sender whose date it is.")]


@dataclass(frozen=True, slots=True)
class Replayed:
    """The same history, decided again with the plan in place; messages."""

    messages: int
    refused_before: Annotated[int, doc("If the door were closed today, nothing else done.")]
    refused_after: int
    honest_refused: int
    honest_undetermined: int
    unsavable_refused: int
    unclear_refused: int
    spoofing_refused: int
    spoofing_admitted: int
    newly_restricted: int


@dataclass(frozen=True, slots=True)
class MethodCount:
    """A method, and how many senders take it."""

    method: str
    senders: int


@dataclass(frozen=True, slots=True)
class PlanView:
    """The plan, or that there is none."""

    there: bool
    readable: Annotated[bool, doc("False where there is one that cannot be read; it can be made anew.")]
    generated_at: datetime | None
    outdated: Annotated[bool, doc("Whether somebody has decided something since.")]
    ready: bool
    steps: tuple[Step, ...]
    done: Annotated[int, doc("Steps that are ticked, or shown to be done.")]
    blockers: tuple[BlockerView, ...]
    dates: tuple[DateView, ...]
    proof: Replayed | None
    methods: tuple[MethodCount, ...]
    notes: tuple[str, ...]
    files: tuple[PlanFile, ...]


NO_PLAN = PlanView(False, True, None, False, False, (), 0, (), (), None, (), (), ())


def plan(tenant: Tenant, book: Book) -> PlanView:
    """The plan for showing. Raises SidedoorError."""
    made = book.plan
    if made is None:
        return NO_PLAN if book.plan_readable else replace(NO_PLAN, readable=False)
    roll, files, ticks = tenant.roll(book), book.once("files", lambda: files_of(book)), _ticks(tenant)
    scripts = frozenset(file.name for file in files if file.folder == "scripts")
    drawn = book.once("steps", lambda: _drawn(book, made, scripts))
    methods = book.once("methods", lambda: tuple(_methods(made.choices)))
    steps = tuple(_step(each, roll, ticks) for each in drawn)
    decided = (entry.decision.at for entry in roll.entries if entry.decision.at is not None)
    return PlanView(
        True, True, made.generated_at, any(at > words.utc(made.generated_at) for at in decided), made.ready, steps,
        sum(1 for step in steps if is_done(step)), tuple(_blocker(each, roll) for each in made.blockers),
        tuple(_dates(made, roll)), _proof(made), methods, tuple(note.text for note in made.notes),
        files,
    )  # fmt: skip


def is_done(step: Step) -> bool:
    """A person's word, else what is shown."""
    return step.ticked.done if step.ticked is not None else step.shown is Shown.DONE


def step_id(change: Change) -> str:
    """Of what the step is, not of its number: a plan that is made anew keeps its ticks."""
    digest = hashlib.sha256(f"{change.stage.value}\0{change.target}".encode("utf-8", "surrogatepass"))
    return f"{change.stage.value}-{digest.hexdigest()[:10]}"


def tick(tenant: Tenant, book: Book, step: str, done: bool, visitor: Visitor) -> Tick:
    """Say that a step is done, or is not. Raises Problem where the plan has no such step."""
    changes = {} if book.plan is None else {step_id(change): change for change in book.plan.changes}
    if step not in changes:
        raise Problem(404, "The plan has no such step (any more).")
    now, kept = tenant.clock(), dict(_ticks(tenant))
    before = kept.get(step)
    kept = {name: value for name, value in kept.items() if name in changes}
    kept[step] = {"done": done, "who": visitor.who, "at": now.isoformat()}
    entry = TrailEntry(
        now, visitor.who, visitor.via, "tick", step, {"done": bool(before and before["done"])},
        {"done": done, "step": f"{changes[step].stage.value} {changes[step].target}".strip()[:300]},
    )  # fmt: skip
    tenant.store.change_value(TICKS, kept, entry)
    return Tick(done, visitor.who, now)


def plan_anew(tenant: Tenant, visitor: Visitor) -> None:
    """Make the plan anew and put it in place, while no run is under way. Raises Problem."""
    from sidedoor.watch.planning import replan

    try:
        with tenant.workspace.running():
            made = replan(tenant.workspace, tenant.store, tenant.clock())
    except UsageError:
        raise Problem(409, "A run is under way; try again when it is over.", headers={"Retry-After": "60"}) from None
    except InputError as error:
        _log.warning("%s: %s", tenant.name, error)
        raise Problem(
            409, "Report and history do not hold what a plan rests on. The server's log says more."
        ) from error
    told = {"ready": made.ready, "blockers": len(made.blockers)}
    tenant.store.note(TrailEntry(tenant.clock(), visitor.who, visitor.via, "plan", "", {}, told))


def _ticks(tenant: Tenant) -> Mapping[str, Any]:
    kept = tenant.store.value(TICKS)
    return kept if isinstance(kept, dict) else {}


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A step as far as the book alone tells it."""

    id: str
    change: Change
    shown: Shown
    evidence: str
    script: str | None


def _drawn(book: Book, made: Plan, scripts: frozenset[str]) -> list[_Drawn]:
    return [
        _Drawn(
            step_id(change), change, *_shown(change, made, book),
            f"scripts/{name}" if (name := _SCRIPTS.get(change.stage)) in scripts else None,
        )
        for change in made.changes
    ]  # fmt: skip


def _step(drawn: _Drawn, roll: Roll, ticks: Mapping[str, Any]) -> Step:
    change, kept = drawn.change, ticks.get(drawn.id)
    return Step(
        drawn.id, change.number, change.stage, change.target, change.effect, change.way_back,
        tuple(roll.by_id[each].key for each in change.senders if each in roll.by_id), drawn.shown, drawn.evidence,
        None if kept is None else Tick(bool(kept["done"]), str(kept["who"]), datetime.fromisoformat(kept["at"])),
        drawn.script,
    )  # fmt: skip


_HERE = {"undecided": "The evidence does not decide whose it is; say honest or spoof."}
_SCRIPTS = {
    Stage.CHECK: "10-check.ps1", Stage.TAG: "20-tag-rule.ps1", Stage.CONNECTORS: "30-connectors.ps1",
    Stage.SWITCH: "40-switch.ps1", Stage.VERIFY: "50-verify.ps1", Stage.LOCKDOWN: "60-lockdown.ps1",
    Stage.QUARANTINE: "70-quarantine-rule.ps1",
}  # fmt: skip


def _shown(change: Change, made: Plan, book: Book) -> tuple[Shown, str]:
    """What the newest settings say of a step, or the history of a sender that was to move."""
    snapshot, read = book.settings.snapshot, words.minute(book.settings.generated_at)
    if change.stage in {Stage.TAG, Stage.QUARANTINE}:
        return _rule(change.target, snapshot, read)
    if change.stage in {Stage.CONNECTORS, Stage.LOCKDOWN}:
        found = next((each for each in made.connectors if each.name == change.target), None)
        return (Shown.UNKNOWN, "") if found is None else _connector(found, snapshot, read)
    if change.stage is Stage.SWITCH:
        reject = snapshot.reject_direct_send
        if isinstance(reject, Unknown):
            return Shown.UNKNOWN, f"RejectDirectSend is not known: {reject.reason}"
        return (Shown.DONE if reject else Shown.NOT_DONE), f"RejectDirectSend is {'on' if reject else 'off'} ({read})"
    return _moved(change, book) if change.stage is Stage.MIGRATE else (Shown.UNKNOWN, "")


def _rule(name: str, snapshot: TenantSnapshot, read: str) -> tuple[Shown, str]:
    if isinstance(snapshot.transport_rules, Unknown):
        return Shown.UNKNOWN, f"the transport rules are not known: {snapshot.transport_rules.reason}"
    rule = next((each for each in snapshot.transport_rules if each.name == name), None)
    if rule is None:
        return Shown.NOT_DONE, f"there is no such rule ({read})"
    return (Shown.NOT_DONE if rule.enabled is False else Shown.DONE), f"the rule is there ({read})"


def _connector(proposal: ConnectorProposal, snapshot: TenantSnapshot, read: str) -> tuple[Shown, str]:
    if isinstance(snapshot.inbound_connectors, Unknown):
        return Shown.UNKNOWN, f"the connectors are not known: {snapshot.inbound_connectors.reason}"
    try:
        missing = differences(applied(snapshot, [proposal]), snapshot)
    except ValueError:  # a plan.json that was changed by hand
        return Shown.UNKNOWN, "the plan's connector has settings that no connector can have"
    if not missing:
        return Shown.DONE, f"the connector is as planned ({read})"
    there = any(row.name == proposal.name for row in snapshot.inbound_connectors)
    return Shown.NOT_DONE, f"the connector {'is not as planned' if there else 'is not there'} ({read})"


def _moved(change: Change, book: Book) -> tuple[Shown, str]:
    senders = [book.by_id[each] for each in change.senders if each in book.by_id]
    if not senders or book.audit.window is None:
        return Shown.UNKNOWN, ""
    last = max(words.utc(sender.last_seen) for sender in senders)
    still = words.utc(book.audit.window[1]) - last <= _STILL
    return (Shown.NOT_DONE if still else Shown.DONE), f"last seen at the door on {words.day(last)}"


def _blocker(blocker: Blocker, roll: Roll) -> BlockerView:
    entry = roll.by_id.get(blocker.sender)
    if entry is None:
        return BlockerView(blocker.id, blocker.text, None)
    # The page names the sender beside it, and is the place to say what plan.toml would say.
    text = _HERE.get(blocker.id) or blocker.text.removeprefix(f"{entry.sender.name}: ")
    return BlockerView(blocker.id, text, entry.key)


def _dates(made: Plan, roll: Roll) -> list[DateView]:
    found = [DateView(each.on, each.text, each.source, None) for each in made.deadlines]
    found += [
        DateView(entry.decision.due, f"{entry.sender.name} is to have moved", entry.decision.owner, entry.key)
        for entry in roll.dated
        if entry.decision.due is not None
    ]
    return sorted(found, key=lambda each: (each.on, each.text))


def _proof(made: Plan) -> Replayed:
    replay = made.replay
    return Replayed(
        replay.messages, replay.before.refused, replay.after.refused, replay.honest_refused, replay.honest_undetermined,
        replay.unsavable_refused, replay.unclear_refused, replay.spoofing_refused, replay.spoofing_admitted,
        replay.newly_restricted,
    )  # fmt: skip


def _methods(choices: Iterable[Choice]) -> list[MethodCount]:
    counts: dict[str, int] = {}
    for choice in choices:
        counts[choice.method.value] = counts.get(choice.method.value, 0) + 1
    return [
        MethodCount(method, count) for method, count in sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    ]
