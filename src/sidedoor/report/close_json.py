"""The record of a change of the switch (`sidedoor/close/1`): what was, what was asked for, what came of it.

It is written before the tenant is asked and again at every step, so that whatever ends the run, the file says how far
it came. A file of an earlier run is never written over.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import count
from pathlib import Path
from typing import Any

from sidedoor.mail.fact import Fact, Unknown
from sidedoor.plan.closing import Obstacle
from sidedoor.probe.model import ProbeResult
from sidedoor.report import probe_json
from sidedoor.report.atomic import write_files
from sidedoor.report.text import clean
from sidedoor.tenant.codec import encode
from sidedoor.tenant.snapshot import TenantSnapshot

SCHEMA = "sidedoor/close/1"
_MOST_BYTES = 256 << 20
_NOT_READ = Unknown("not read yet")
Switch = Fact[bool | None]
"""RejectDirectSend: None where the tenant shows it blank."""


class State(StrEnum):
    """How far a change came."""

    PENDING = "pending"  # about to be asked for: whether it was made is not written down yet
    UNKNOWN = "unknown"  # asked for, no proper answer, and it cannot be read back: look yourself
    UNCHANGED = "unchanged"  # asked for, and it reads as before
    CHANGED = "changed"  # made, by the tenant's answer or by what reads back; not seen in force yet
    PROVEN = "proven"  # it reads back, and the door answers so (or nobody was to ask the door)


CHANGED = frozenset({State.PENDING, State.UNKNOWN, State.CHANGED, State.PROVEN})
"""The change was made, or may have been."""


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the tenant after the change. verdict: the probe's, None where it was not asked."""

    at: datetime
    switch: Switch
    verdict: str | None


@dataclass
class Record:
    """One run of `close` or `reopen`.

    change: what RejectDirectSend is set to; None where it was so already. former: what it was. answer: what the tenant
    said to the change, "" while it has said nothing. after: the settings at the end. losses: honest mail that the plan
    knows to be refused.
    """

    command: str
    started: datetime
    before: TenantSnapshot
    former: Switch
    change: bool | None
    forced: bool = False
    obstacles: Sequence[Obstacle] = ()
    losses: Sequence[str] = ()
    state: State = State.PENDING
    answer: str = ""
    after: TenantSnapshot | Unknown = _NOT_READ
    looks: list[Look] = field(default_factory=list)
    probe_before: ProbeResult | None = None
    probe: ProbeResult | None = None
    ended: datetime | None = None


class Book:
    """Where one run's record is kept: a name of its own in REPORT_DIR/plan."""

    def __init__(self, report: Path, record: Record) -> None:
        self.record = record
        stem = f"{record.command}-{record.started:%Y%m%dT%H%M%SZ}"
        names = (f"{stem}-{number}.json" if number > 1 else f"{stem}.json" for number in count(1))
        self.path = next(path for name in names if not (path := report / "plan" / name).exists())

    def write(self) -> None:
        """The record as it stands. Raises OutputError."""
        text = json.dumps(render(self.record), indent=1, ensure_ascii=True) + "\n"
        write_files({self.path: text.encode("ascii")})


def render(record: Record) -> dict[str, Any]:
    """The values."""
    return {
        "schema": SCHEMA,
        "command": record.command,
        "change": None if record.change is None else {"RejectDirectSend": record.change},
        "former": {"RejectDirectSend": encode(record.former)},
        "state": record.state.value,
        "answer": clean(record.answer),
        "started": record.started.isoformat(),
        "ended": None if record.ended is None else record.ended.isoformat(),
        "forced": record.forced,
        "obstacles": [{"id": each.id, "text": clean(each.text)} for each in record.obstacles],
        "losses": [clean(text) for text in record.losses],
        "before": encode(record.before),
        "after": encode(record.after),
        "looks": [
            {"at": each.at.isoformat(), "RejectDirectSend": encode(each.switch), "verdict": each.verdict}
            for each in record.looks
        ],
        "probe_before": None if record.probe_before is None else probe_json.render(record.probe_before),
        "probe": None if record.probe is None else probe_json.render(record.probe),
    }


@dataclass(frozen=True, slots=True)
class Former:
    """What an earlier run left: its file, the switch before it, and how far it came."""

    path: Path
    switch: Switch
    state: State


def last_close(report: Path) -> Former | None:
    """The latest run of `close` that changed the switch, or may have; None where there is none. Files that are no
    records are passed over: a folder holds what it holds.
    """
    return next((found for found in _closes(report) if found.state in CHANGED), None)


def _closes(report: Path) -> Iterator[Former]:
    paths = sorted((report / "plan").glob("close-*.json"), key=lambda path: (path.stem.split("-")[1], len(path.stem)))
    for path in reversed(paths):
        try:
            found = _former(path)
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            continue
        if found is not None:
            yield found


def _former(path: Path) -> Former | None:
    """None where the run changed nothing."""
    if path.stat().st_size > _MOST_BYTES:
        return None
    body = json.loads(path.read_bytes())
    if body["schema"] != SCHEMA or body["change"] != {"RejectDirectSend": True}:
        return None
    value = body["former"]["RejectDirectSend"]
    switch = Unknown(str(value["unknown"])) if isinstance(value, dict) else value
    if not isinstance(switch, Unknown | bool | None):
        return None
    return Former(path, switch, State(body["state"]))
