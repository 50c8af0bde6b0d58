"""What is to be collected, as it was asked for; the state keeps it, so that a later run goes on with the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from sidedoor.errors import UsageError
from sidedoor.exchange.hunting import KEPT, SLICE
from sidedoor.exchange.windows import SLACK, Window, iso, oldest, windows

SOURCES = ("exchange", "graph", "none")


@dataclass(frozen=True, slots=True)
class Plan:
    """`since` and `until` in UTC. lists: one of SOURCES. details: how many messages at most.

    hunting: from when on EmailEvents too, None for not at all.
    """

    tenant: str
    since: datetime
    until: datetime
    lists: str = "exchange"
    details: int = 2_000
    hunting: datetime | None = None

    def windows(self) -> list[tuple[str, Window]]:
        """File name and window of each trace list."""
        if self.lists == "none":
            return []
        prefix = "MessageTraceV2" if self.lists == "exchange" else "GraphMessageTraces"
        return [(f"{prefix}-{_stamp(each.start)}.csv", each) for each in windows(self.since, self.until)]

    def days(self) -> list[tuple[str, Window]]:
        """File name and window of each day of hunting."""
        if self.hunting is None:
            return []
        return [(f"EmailEvents-{_stamp(each.start)}.csv", each) for each in windows(self.hunting, self.until, SLICE)]

    @property
    def detail_file(self) -> str:
        """Where details go."""
        return "MessageTraceDetailV2.json" if self.lists == "exchange" else "GraphMessageTraceDetails.json"

    def as_json(self) -> dict[str, object]:
        """For the state."""
        hunting = None if self.hunting is None else iso(self.hunting)
        return {**asdict(self), "since": iso(self.since), "until": iso(self.until), "hunting": hunting}


def planned(asked: Plan, earlier: Mapping[str, object] | None, *, since: bool, until: bool) -> Plan:
    """The plan to follow: an earlier one where there is one, if it is the same in all that was asked for.

    `since`, `until`: whether the user gave them; if not, the earlier run's count. Raises UsageError.
    """
    if earlier is None:
        return asked
    try:
        past = Plan(
            str(earlier["tenant"]), datetime.fromisoformat(str(earlier["since"])),
            datetime.fromisoformat(str(earlier["until"])), str(earlier["lists"]), int(str(earlier["details"])),
            None if earlier["hunting"] is None else datetime.fromisoformat(str(earlier["hunting"])),
        )  # fmt: skip
    except (KeyError, ValueError) as error:
        raise UsageError("the folder holds a collection that this version cannot go on with; use a new one") from error
    same = (past.tenant.lower(), past.lists, past.hunting is None, past.details) == (
        asked.tenant.lower(), asked.lists, asked.hunting is None, asked.details,
    )  # fmt: skip
    if not same or (since and past.since != asked.since) or (until and past.until != asked.until):
        raise UsageError(
            f"the folder holds another collection (tenant {past.tenant}, {past.since:%Y-%m-%d %H:%M} to "
            f"{past.until:%Y-%m-%d %H:%M}, lists {past.lists}, {past.details} details): use a new one, or ask the same"
        )
    return past


def checked_stretch(since: datetime | None, until: datetime | None, now: datetime) -> tuple[datetime, datetime]:
    """The stretch to collect: 90 days if not given, never more. Raises UsageError where nothing is left."""
    end = min(until or now, now).replace(microsecond=0)
    start = max(since or oldest(now), oldest(now)).replace(microsecond=0)
    if start >= end:
        raise UsageError("nothing to collect: --since lies behind --until, or --until is more than 90 days ago")
    return start, end


def hunting_since(since: datetime, now: datetime) -> datetime:
    """The table goes 30 days back; an hour of them is left to what is collected before."""
    return max(since, (now - KEPT + SLACK).replace(microsecond=0))


def _stamp(when: datetime) -> str:
    return when.strftime("%Y%m%dT%H%M%SZ")
