"""Decisions of the tenant's edges, read from their logs: the last ones, and those that came since.

A cursor says how far each log was read. Logs are appended to and, now and then, begun anew (logrotate): another file
under the same name is read from its start.
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
class EdgePage:
    """Decisions, the newest first."""

    configured: Annotated[bool, doc("Whether the workspace's settings name a log.")]
    items: tuple[EdgeDecision, ...]
    unreadable: Annotated[int, doc("Lines that are no decision.")]
    cursor: Annotated[str, doc("For `after`: what comes later than this page.")]


def decisions(tenant: Tenant, after: str | None = None) -> EdgePage:
    """The last decisions, or those after a cursor, up to 100."""
    files = files_of(tenant)
    chunks = [_chunk(path, place) for path, place in zip(files, _places(after, len(files)), strict=True)]
    found = [_decision(line) for chunk in chunks for line in chunk.lines]
    items = sorted((each for each in found if each is not None), key=lambda each: each.time, reverse=True)
    cursor = ",".join(f"{chunk.inode}:{chunk.offset}" for chunk in chunks)
    return EdgePage(bool(tenant.workspace.settings.edge.logs), tuple(items[:SHOWN]), found.count(None), cursor)


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


def _decision(line: bytes) -> EdgeDecision | None:
    try:
        row = json.loads(line)
        if row["schema"] != _SCHEMA:
            return None
        return _told(row)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
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
