"""What must hold before RejectDirectSend is switched on: the plan proven, fresh, in place, nobody left. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sidedoor.audit.model import Sender, Verdict
from sidedoor.mail.fact import Fact, Unknown
from sidedoor.plan.apply import applied, differences
from sidedoor.plan.model import OWNER_METHODS, ConnectorProposal, Plan
from sidedoor.tenant.snapshot import TenantSnapshot

FRESH = timedelta(days=7)
_STILL = timedelta(days=3)
_MOST, _MOST_NAMED = 20, 5


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why the door is not closed: a stable id (docs/close.md) and a sentence. `final`: no word of a person helps."""

    id: str
    text: str
    final: bool = False


def losses(plan: Plan) -> list[str]:
    """Honest mail that will be refused, which somebody has to know: no plan saves it, or a person gave it up."""
    names = {choice.sender: choice for choice in plan.choices}
    found = {each.sender: each for each in plan.unsavable}
    lines = []
    for each in plan.replay.senders:
        choice = names[each.sender]
        if choice.assessment is Verdict.LEGITIMATE and each.after.refused:
            lost = found.get(each.sender)
            whom = f", to {', '.join(lost.affected[:_MOST_NAMED])}" if lost is not None and lost.affected else ""
            lines.append(f"{choice.name}: {each.after.refused:,} messages of the history{whom}")
    return lines


def unreadable(switch: Fact[bool | None]) -> list[Obstacle]:
    """A switch that cannot be read can be neither recorded nor seen to change; a blank one is off, as it came."""
    return [Obstacle("switch-unknown", switch.reason)] if isinstance(switch, Unknown) else []


def obstacles(
    plan: Plan, senders: Sequence[Sender], planned_for: TenantSnapshot, live: TenantSnapshot, now: datetime
) -> list[Obstacle]:
    """Empty where the switch may be set. `planned_for`: settings of the report; `live`: of the tenant now."""
    return [*_plan(plan), *_fresh(plan, now), *_in_place(plan, planned_for, live), *_moved(plan, senders)]


def _plan(plan: Plan) -> Iterator[Obstacle]:
    if not plan.ready:
        what = "; ".join(f"{blocker.id}: {blocker.text}" for blocker in plan.blockers[:_MOST])
        yield Obstacle("plan-not-ready", f"the plan is not ready: {what}")


def _fresh(plan: Plan, now: datetime) -> Iterator[Obstacle]:
    if plan.window is None:
        yield Obstacle("no-history", "the report has no history")
        return
    end = plan.window[1]
    end = end.replace(tzinfo=now.tzinfo) if end.tzinfo is None else end
    if now - end > FRESH:
        yield Obstacle("history-old", f"the history ends {(now - end).days} days ago: collect and audit again")


def _in_place(plan: Plan, planned_for: TenantSnapshot, live: TenantSnapshot) -> Iterator[Obstacle]:
    """The tenant is the one planned for, and the plan's connectors are in it; a lock-down may come later."""
    planned = frozenset(each.name for each in plan.connectors)
    for line in differences(_without(planned_for, planned), _without(live, planned))[:_MOST]:
        if not line.startswith("RejectDirectSend"):
            yield Obstacle("tenant-differs", f"the tenant is not as planned: {line}", final=True)
    for proposal in () if isinstance(live.inbound_connectors, Unknown) else plan.connectors:
        yield from _connector_in_place(proposal, planned_for, live)


def _connector_in_place(
    proposal: ConnectorProposal, planned_for: TenantSnapshot, live: TenantSnapshot
) -> Iterator[Obstacle]:
    """As planned; or as it was before the plan; or somebody has been at it."""
    name = proposal.name
    before, now = _only(planned_for, name), _only(live, name)
    missing = differences(_only(applied(planned_for, [proposal]), name), now)
    if missing and differences(before, now):
        yield Obstacle("tenant-differs", f"the tenant is neither as it was nor as planned: {missing[0]}", final=True)
    elif missing and not proposal.lockdown:
        text = f"the plan's connector {name!r} is not in place (scripts/30-connectors.ps1)"
        yield Obstacle("connectors-missing", text)


def _without(snapshot: TenantSnapshot, names: frozenset[str]) -> TenantSnapshot:
    """The snapshot without the connectors of these names."""
    rows = snapshot.inbound_connectors
    kept = rows if isinstance(rows, Unknown) else tuple(row for row in rows if row.name not in names)
    return replace(snapshot, inbound_connectors=kept)


def _only(snapshot: TenantSnapshot, name: str) -> TenantSnapshot:
    """Nothing but the connector of this name, if there is one."""
    return TenantSnapshot(inbound_connectors=tuple(row for row in snapshot.known_connectors if row.name == name))


def _moved(plan: Plan, senders: Sequence[Sender]) -> Iterator[Obstacle]:
    """Owners who have not moved their senders yet: still seen at the end of the history."""
    last = {sender.id: sender.last_seen for sender in senders}
    end = plan.window[1] if plan.window else None
    for choice in plan.choices:
        seen = last.get(choice.sender)
        if choice.method not in OWNER_METHODS or seen is None or end is None:
            continue
        if end.replace(tzinfo=seen.tzinfo) - seen <= _STILL:
            text = f"{choice.name} was to move ({choice.method.value}) and still comes by Direct Send ({seen:%Y-%m-%d})"
            yield Obstacle("not-moved", text)
