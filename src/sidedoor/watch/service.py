"""`sidedoor watch` for ever: each workspace every so many hours, one after the other, until told to end."""

from __future__ import annotations

import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.blocking import BlockingScheduler
from apscheduler.triggers.interval import IntervalTrigger

from sidedoor.errors import SidedoorError
from sidedoor.watch.rounds import Round
from sidedoor.watch.workspace import open_workspace

_JITTER = 60  # seconds: a provider's tenants are not all asked at the same moment
_FALLBACK_HOURS = 6.0


def serve(work: Round) -> int:
    """Run until SIGTERM or SIGINT; a run that is under way then comes to its end. Returns the exit code."""
    scheduler = BlockingScheduler(
        timezone=UTC,
        executors={"default": ThreadPoolExecutor(1)},
        # Runs that were missed (asleep, a long run before) are made up for by one.
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
    )
    for number, folder in enumerate(work.folders):
        first = datetime.now(UTC) + timedelta(seconds=number)
        trigger = IntervalTrigger(hours=_hours(folder), jitter=_JITTER, timezone=UTC)
        scheduler.add_job(_one, trigger, args=(work, folder), next_run_time=first, id=str(folder))

    def end(_signal: int, _frame: FrameType | None) -> None:
        scheduler.shutdown(wait=False)

    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, end)
    work.say(f"watching {len(work.folders)} workspace(s)")
    scheduler.start()
    return 0


def _hours(folder: Path) -> float:
    """How often; a workspace whose settings cannot be read is tried again, and said to be so each time."""
    try:
        return open_workspace(folder).settings.every_hours
    except SidedoorError:
        return _FALLBACK_HOURS


def _one(work: Round, folder: Path) -> None:
    result = work.one(folder)
    if result.error:
        work.say(f"{result.tenant}: {result.error}")
        return
    for line in result.lines():
        work.say(line)
