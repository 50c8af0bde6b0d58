"""Runs over many workspaces: each by itself, so that one that fails does not stop the others."""

from __future__ import annotations

import errno
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from sidedoor.errors import InputError, OutputError, SidedoorError, UnreachableError
from sidedoor.report.words import count, iso
from sidedoor.store.model import Alert, Severity
from sidedoor.store.store import open_store
from sidedoor.watch.house import keep_house
from sidedoor.watch.live import tools_of
from sidedoor.watch.run import Outcome, run
from sidedoor.watch.standing import Standing, left_behind, standing_of
from sidedoor.watch.tools import Tools
from sidedoor.watch.workspace import Workspace, open_workspace

Say = Callable[[str], None]
_DISK_IS_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}
_MARKS = {Severity.CRITICAL: "!!", Severity.SERIOUS: "!", Severity.WARNING: "*", Severity.INFO: "-"}


@dataclass(frozen=True, slots=True)
class Result:
    """What a run over one workspace came to, for people and programs. code: exit code, 0 where it worked.

    incomplete: sentences about what could not be had. standing: how the tenant stands, after a failure as far as the
    last answer tells. seconds: how long the run took.
    """

    tenant: str
    folder: str
    code: int = 0
    error: str = ""
    started: datetime | None = None
    files: int = 0
    days: int = 0
    raised: tuple[Alert, ...] = ()
    recovered: tuple[Alert, ...] = ()
    open: tuple[Alert, ...] = ()
    sent: int = 0
    waiting: int = 0
    incomplete: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    standing: Standing = field(default_factory=Standing)
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """`sidedoor/watch/1` (docs/contract.md)."""
        return {
            "schema": "sidedoor/watch/1",
            "tenant": self.tenant,
            "workspace": self.folder,
            "error": self.error or None,
            "started": None if self.started is None else iso(self.started),
            "files": self.files,
            "days": self.days,
            "raised": [alert_json(each) for each in self.raised],
            "recovered": [alert_json(each) for each in self.recovered],
            "open": [alert_json(each) for each in self.open],
            "messages": {"sent": self.sent, "waiting": self.waiting},
            "incomplete": list(self.incomplete),
            "notes": list(self.notes),
            **standing_json(self.standing),
        }

    def lines(self) -> list[str]:
        """For a terminal, 80 columns wide."""
        worst = count(len(self.open), "open alert")
        lines = [f"{self.tenant}: {worst}, {len(self.raised)} new, {len(self.recovered)} over; {self._read()}"]
        lines += [f"  {_MARKS[each.finding.severity]:<2} new   {each.finding.title}" for each in self.raised]
        lines += [f"     over  {each.finding.title}" for each in self.recovered]
        lines += [f"  ?  {text}" for text in self.incomplete]
        if self.waiting:
            lines.append(f"  ?  {count(self.waiting, 'message')} could not be sent yet")
        return lines

    def _read(self) -> str:
        return f"{count(self.files, 'new file')}, {count(self.days, 'day')} read" if self.files else "nothing new"


def alert_json(alert: Alert) -> dict[str, Any]:
    """An alert for programs."""
    finding = alert.finding
    return {
        "id": alert.id, "kind": finding.kind, "subject": finding.subject, "severity": finding.severity.value,
        "title": finding.title, "text": finding.text, "advice": finding.advice,
        "evidence": [{"name": name, "value": value} for name, value in finding.evidence],
        "raised_at": iso(alert.raised_at),
        "recovered_at": None if alert.recovered_at is None else iso(alert.recovered_at),
        "acknowledged": alert.acknowledged_at is not None,
    }  # fmt: skip


def standing_json(standing: Standing) -> dict[str, Any]:
    """How a tenant stands, for programs."""
    return {
        "reject_direct_send": standing.closed,
        "readiness": standing.readiness or None,
        "known_at": None if standing.known_at is None else iso(standing.known_at),
        "history_until": None if standing.history_until is None else iso(standing.history_until),
        "last_success": None if standing.last_success is None else iso(standing.last_success),
    }


class MakeTools(Protocol):
    """See `live.tools_of`."""

    def __call__(self, workspace: Workspace, *, collect: bool, say: Say) -> Tools: ...


@dataclass(frozen=True, slots=True)
class Round:
    """Workspaces to run over. collect: whether live tenants are asked. tools: what a workspace's run is given."""

    folders: Sequence[Path]
    collect: bool = True
    say: Say = print
    tools: MakeTools = tools_of

    def once(self) -> Iterator[Result]:
        """One run over each, in order."""
        for folder in self.folders:
            yield self.one(folder)

    def one(self, folder: Path) -> Result:
        """One run. What goes wrong is in the result, whatever it is."""
        result, workspace, began = Result(folder.name, str(folder)), None, time.monotonic()
        try:
            workspace = open_workspace(folder)
            result = replace(result, tenant=workspace.name)
            result = self._run(workspace, result)
        except Exception as error:  # noqa: BLE001  # a fault of ours in one tenant's run is no reason to leave the others
            result = _failed(result, workspace, error)
        return replace(result, seconds=time.monotonic() - began)

    def unfinished(self, folder: Path, error: Exception) -> Result:
        """A run of which only this is known."""
        try:
            workspace = open_workspace(folder)
        except SidedoorError:
            return _failed(Result(folder.name, str(folder)), None, error)
        return _failed(Result(workspace.name, str(folder)), workspace, error)

    def _run(self, workspace: Workspace, result: Result) -> Result:
        tools = self.tools(workspace, collect=self.collect, say=self.say)
        with open_store(workspace.store_url) as store:
            tenant = store.tenant(workspace.name)
            outcome = run(workspace, tenant, tools)
            keep_house(workspace, store, tenant, outcome)
        return _result(result, outcome)


def _failed(result: Result, workspace: Workspace | None, error: Exception) -> Result:
    """Why, and what is known of the tenant all the same. A store that does not answer is not asked a second time."""
    code, why = said_of(error)
    result = replace(result, code=code, error=why)
    if workspace is not None:
        with suppress(Exception):  # the first error is the one that people must read
            standing, opened = left_behind(workspace, ask_store=not isinstance(error, UnreachableError))
            return replace(result, standing=standing, open=opened)
    return result


def said_of(error: Exception) -> tuple[int, str]:
    """Exit code and sentence of an error that ended a run."""
    if isinstance(error, SidedoorError):
        return error.exit_code, str(error)
    if isinstance(error, OSError):
        writing = error.errno in _DISK_IS_FULL
        where = f"{error.filename}: " if error.filename else ""
        return (OutputError if writing else InputError).exit_code, f"{where}{error.strerror or error}"
    last = traceback.extract_tb(error.__traceback__)[-1:]
    where = "".join(f" ({Path(frame.filename).name}, line {frame.lineno})" for frame in last)
    return SidedoorError.exit_code, f"internal: {type(error).__name__}: {str(error)[:200]}{where}"


def _result(result: Result, outcome: Outcome) -> Result:
    told = outcome.told
    return replace(
        result,
        started=outcome.started,
        files=outcome.learned.files,
        days=outcome.learned.days,
        raised=tuple(outcome.raised),
        recovered=tuple(outcome.recovered),
        open=tuple(outcome.open),
        sent=told.sent,
        waiting=told.waiting,
        incomplete=(
            *(f"{source}: {why}" for source, why in sorted(outcome.untold.items())),
            *(f"channel {name}: {why}" for name, why in sorted(told.troubles.items())),
        ),
        notes=tuple(outcome.notes),
        standing=standing_of(outcome),
    )
