"""What must hold before RejectDirectSend is switched on: the plan proven, fresh, in place, nobody left. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sidedoor.audit.model import Sender
from sidedoor.plan.apply import applied, differences
from sidedoor.plan.model import OWNER_METHODS, Plan
from sidedoor.tenant.snapshot import TenantSnapshot

FRESH = timedelta(days=7)
_STILL = timedelta(days=3)
_MOST = 20


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why the door is not closed: a stable id (docs/close.md) and a sentence. `final`: no word of a person helps."""

    id: str
    text: str
    final: bool = False


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
    """The tenant is the planned one, with the plan's connectors in it; a lock-down may come later."""
    before = [each for each in plan.connectors if not each.lockdown]
    wanted = applied(planned_for, before)
    found = differences(wanted, live)
    whole = differences(applied(planned_for, plan.connectors), live)
    for line in min(found, whole, key=len)[:_MOST]:
        if not line.startswith("RejectDirectSend"):
            yield Obstacle("tenant-differs", f"the tenant is not as planned: {line}", final=True)


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
