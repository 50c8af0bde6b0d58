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

    hunting: from when on EmailEvents too, None for not at all. asked: the stretch as the user gave it, which may reach
    beyond what the service has.
    """

    tenant: str
    since: datetime
    until: datetime
    lists: str = "exchange"
    details: int = 2_000
    hunting: datetime | None = None
    asked: tuple[datetime | None, datetime | None] = (None, None)

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
        asked = [None if each is None else iso(each) for each in self.asked]
        return {
            **asdict(self), "since": iso(self.since), "until": iso(self.until), "hunting": hunting, "asked": asked,
        }  # fmt: skip


def planned(asked: Plan, earlier: Mapping[str, object] | None) -> Plan:
    """The plan to follow: an earlier one where there is one, if it is the same in all that was asked for.

    Where the user gave no time, the earlier run's counts. Raises UsageError.
    """
    if earlier is None:
        return asked
    try:
        past = Plan(
            str(earlier["tenant"]), datetime.fromisoformat(str(earlier["since"])),
            datetime.fromisoformat(str(earlier["until"])), str(earlier["lists"]), int(str(earlier["details"])),
            _time(earlier["hunting"]), _stretch(earlier["asked"]),
        )  # fmt: skip
    except (KeyError, ValueError, TypeError) as error:
        raise UsageError("the folder holds a collection that this version cannot go on with; use a new one") from error
    same = (past.tenant.lower(), past.lists, past.hunting is None, past.details) == (
        asked.tenant.lower(), asked.lists, asked.hunting is None, asked.details,
    )  # fmt: skip
    # What was asked for, not what of it was there: that moves on with the days.
    if not same or any(now is not None and now != then for now, then in zip(asked.asked, past.asked, strict=True)):
        raise UsageError(
            f"the folder holds another collection (tenant {past.tenant}, {past.since:%Y-%m-%d %H:%M} to "
            f"{past.until:%Y-%m-%d %H:%M}, lists {past.lists}, {past.details} details): use a new one, or ask the same"
        )
    return past


def _time(text: object) -> datetime | None:
    return None if text is None else datetime.fromisoformat(str(text))


def _stretch(found: object) -> tuple[datetime | None, datetime | None]:
    if not isinstance(found, list):
        raise TypeError("no stretch")
    since, until = found
    return _time(since), _time(until)


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
