"""Decisions of the tenant's edges: the last ones, and those that came since.

They are read from the logs that the workspace names. A cursor says how far each log was read. Logs are appended to and,
now and then, begun anew (logrotate): another file under the same name is read from its start.

Where it names none they are what edges tell the store, which several of them share: not all of them on a busy day.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from sidedoor.report.words import day, utc
from sidedoor.web.service.describe import doc
from sidedoor.web.tenant import Tenant

SHOWN = 100
_TAIL = 256 * 1024  # octets from the end of a log, for the last decisions
_MOST_READ = 1 << 20  # octets of a log at once
_MOST_FILES = 20
_SCHEMA = "sidedoor/edge-log/1"
_PLACE = re.compile(r"(\d{1,20}):(\d{1,20})")
_NUMBER = re.compile(r"store:(\d{1,10})")


@dataclass(frozen=True, slots=True)
class EdgeDecision:
    """One decided recipient, as the log has it; texts are those of the client and no truth."""

    time: Annotated[str, doc("RFC 3339, UTC, as the edge wrote it.")]
    shown_time: Annotated[str, doc("The same for people.")]
    outcome: Annotated[str, doc("What became of the recipient: accepted, refused, ...")]
    verdict: Annotated[str, doc("The rule's: accept, reject or quarantine.")]
    client_ip: str
    helo: str
    tls: Annotated[str, doc("Version of TLS; empty without.")]
    envelope_sender: str
    header_from: str
    recipient: str
    submission: str
    connector: str
    reply: Annotated[str, doc("What the client was told.")]
    reasons: tuple[str, ...]
    audit_only: Annotated[bool, doc("Whether refusals were only written down.")]


@dataclass(frozen=True, slots=True)
class EdgeProcess:
    """A process of an edge that shares the store."""

    name: Annotated[str, doc("Machine, worker, and digits by chance.")]
    seen_at: Annotated[datetime, doc("When it said something last; it does so every few seconds.")]
    settings: Annotated[int, doc("Version of the published settings in force there; 0: its own files.")]
    waiting: Annotated[int, doc("Messages in its spools.")]


@dataclass(frozen=True, slots=True)
class EdgePage:
    """Decisions, the newest first."""

    configured: Annotated[bool, doc("Whether the settings name a log, or edges share the store.")]
    items: tuple[EdgeDecision, ...]
    unreadable: Annotated[int, doc("Lines that are no decision.")]
    cursor: Annotated[str, doc("For `after`: what comes later than this page.")]
    edges: Annotated[tuple[EdgeProcess, ...], doc("Those that share the store and were seen within a day.")]


def decisions(tenant: Tenant, after: str | None = None) -> EdgePage:
    """The last decisions, or those after a cursor, up to 100."""
    edges = tuple(
        EdgeProcess(each.name, each.seen_at, each.settings, each.waiting) for each in tenant.store.seen_edges()
    )
    named = bool(tenant.workspace.settings.edge.logs)
    found, cursor = _of_logs(tenant, after) if named else _of_store(tenant, after)
    items = sorted((each for each in found if each is not None), key=lambda each: each.time, reverse=True)
    return EdgePage(named or bool(edges), tuple(items[:SHOWN]), found.count(None), cursor, edges)


def _of_store(tenant: Tenant, after: str | None) -> tuple[list[EdgeDecision | None], str]:
    last = _NUMBER.fullmatch(after or "")
    lines = tenant.store.edge_lines(SHOWN, None if last is None else int(last[1]))
    number = lines[0].number if lines else 0 if last is None else int(last[1])
    return [_decision(line.body) for line in lines], f"store:{number}"


def _of_logs(tenant: Tenant, after: str | None) -> tuple[list[EdgeDecision | None], str]:
    files = files_of(tenant)
    chunks = [_chunk(path, place) for path, place in zip(files, _places(after, len(files)), strict=True)]
    found = [_decision(_row(line)) for chunk in chunks for line in chunk.lines]
    return found, ",".join(f"{chunk.inode}:{chunk.offset}" for chunk in chunks)


def files_of(tenant: Tenant) -> list[Path]:
    """The logs that the settings name; of a folder, the files in it that may be logs."""
    found: list[Path] = []
    for path in map(tenant.workspace.path, tenant.workspace.settings.edge.logs):
        found += sorted(path.glob("*.json*")) if path.is_dir() else [path]
    return [path for path in found if path.is_file()][:_MOST_FILES]


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Whole lines of a log, and where they end."""

    inode: int
    offset: int
    lines: Sequence[bytes]


def _places(cursor: str | None, files: int) -> list[tuple[int, int] | None]:
    """Inode and offset for each log; None: from near the end. A cursor that fits no more counts as none."""
    parts = [_PLACE.fullmatch(part) for part in (cursor or "").split(",")]
    if cursor is None or len(parts) != files:
        return [None] * files
    return [None if part is None else (int(part[1]), int(part[2])) for part in parts]


def _chunk(path: Path, place: tuple[int, int] | None) -> _Chunk:
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            start = _start(place, status)
            file.seek(start)
            data = file.read(_MOST_READ)
    except OSError:
        return _Chunk(0, 0, ())
    end = data.rfind(b"\n") + 1 or (len(data) if len(data) == _MOST_READ else 0)  # no line is as long as that
    lines = data[:end].splitlines()
    if place is None and start:
        lines = lines[1:]  # it began in the middle of a line
    return _Chunk(status.st_ino, start + end, lines)


def _start(place: tuple[int, int] | None, status: os.stat_result) -> int:
    if place is None:
        return max(0, status.st_size - _TAIL)
    inode, offset = place
    return offset if inode == status.st_ino and offset <= status.st_size else 0


def _row(line: bytes) -> Any:
    """None for a line that is no JSON."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _decision(row: Any) -> EdgeDecision | None:
    try:
        return _told(row) if row["schema"] == _SCHEMA else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _shown(time: str) -> str:
    """`20 Nov, 07:11:00`; as it stands where it is no time."""
    try:
        at = utc(datetime.fromisoformat(time))
    except ValueError:
        return time
    return f"{day(at).rpartition(' ')[0]}, {at:%H:%M:%S}"


def _told(row: Mapping[str, Any]) -> EdgeDecision:
    reply = row["final"] or row["said"]
    return EdgeDecision(
        time=str(row["time"]),
        shown_time=_shown(str(row["time"])),
        outcome=str(row["outcome"]),
        verdict=str(row["verdict"]),
        client_ip=str(row["client_ip"]),
        helo=str(row["helo"] or ""),
        tls="" if row["tls"] is None else str(row["tls"]["version"]),
        envelope_sender=str(row["envelope_sender"]),
        header_from=str(row["header_from"] or ""),
        recipient=str(row["recipient"]),
        submission=str(row["submission"]),
        connector=str(row["connector"] or ""),
        reply=f"{reply['code']} {reply['enhanced']} {reply['text']}",
        reasons=tuple(map(str, row["reasons"])),
        audit_only=bool(row["audit_only"]),
    )
