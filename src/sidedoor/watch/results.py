"""One page about a run over many tenants, the worst first; the same as JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from sidedoor import __version__
from sidedoor.errors import UsageError
from sidedoor.report import words
from sidedoor.report.atomic import write_files
from sidedoor.report.csv_report import cell
from sidedoor.report.escaping import report_templates
from sidedoor.store.model import Severity
from sidedoor.watch.rounds import Result, standing_json
from sidedoor.watch.standing import Standing

SCHEMA = "sidedoor/watch-results/1"
_WORST = 3  # alerts of a tenant that the page names
_LEVELS = tuple(reversed(Severity))


class State(StrEnum):
    """What became of a tenant's run; members from worst to best."""

    FAILED = "failed"  # it did not come to its end: of this tenant nothing new is known
    INCOMPLETE = "incomplete"  # something could not be had
    DONE = "done"  # everything was looked at


@dataclass(frozen=True, slots=True)
class Row:
    """What is kept of a run, so that hundreds of them need little memory.

    alerts: open ones. worst: titles of some. gone_since: there was a workspace, and since then there is none.
    """

    tenant: str
    workspace: str
    state: State
    code: int
    error: str
    started: datetime | None
    seconds: float
    standing: Standing
    alerts: Mapping[Severity, int]
    raised: int
    worst: tuple[tuple[Severity, str], ...]
    waiting: int
    incomplete: tuple[str, ...]
    gone_since: datetime | None = None

    @property
    def urgency(self) -> tuple[object, ...]:
        """Sorts the worst first: what is not known at all before what is known to be bad."""
        counts = tuple(-self.alerts[level] for level in _LEVELS)
        return self.state is not State.FAILED, counts, list(State).index(self.state), self.tenant, self.workspace

    @property
    def quiet(self) -> bool:
        """Everything was looked at and nothing is open."""
        return self.state is State.DONE and not any(self.alerts.values())


def row_of(result: Result, gone_since: datetime | None = None) -> Row:
    """What is kept of a result."""
    worst = sorted(result.open, key=lambda alert: (-alert.finding.severity.rank, alert.raised_at))[:_WORST]
    state = State.FAILED if result.error else State.INCOMPLETE if result.incomplete else State.DONE
    return Row(
        tenant=result.tenant,
        workspace=result.folder,
        state=state,
        code=result.code,
        error=result.error,
        started=result.started,
        seconds=result.seconds,
        standing=result.standing,
        alerts={level: sum(alert.finding.severity is level for alert in result.open) for level in Severity},
        raised=len(result.raised),
        worst=tuple((alert.finding.severity, alert.finding.title) for alert in worst),
        waiting=result.waiting,
        incomplete=result.incomplete,
        gone_since=gone_since,
    )


@dataclass(frozen=True, slots=True)
class Results:
    """All rows of a run, the worst first."""

    rows: Sequence[Row]
    started: datetime
    ended: datetime

    @classmethod
    def of(cls, rows: Iterable[Row], started: datetime, ended: datetime) -> Results:
        """Sorted."""
        return cls(sorted(rows, key=lambda row: row.urgency), started, ended)

    def count(self, state: State) -> int:
        """Tenants whose run came to this."""
        return sum(row.state is state for row in self.rows)

    @property
    def totals(self) -> dict[str, int]:
        """Counts of tenants, each of them one column of the page or part of its first sentence."""
        doors = [row.standing.closed for row in self.rows]
        return {
            "tenants": len(self.rows),
            **{state.value: self.count(state) for state in State},
            "with_alerts": sum(any(row.alerts.values()) for row in self.rows),
            "urgent": sum(bool(row.alerts[Severity.CRITICAL] or row.alerts[Severity.SERIOUS]) for row in self.rows),
            "quiet": sum(row.quiet for row in self.rows),
            "open": doors.count(False),
            "closed": doors.count(True),
            "unknown": doors.count(None),
        }


def settled(results: Results) -> str:
    """One line about all of them."""
    totals, alerts = results.totals, sum(sum(row.alerts.values()) for row in results.rows)
    return (
        f"{words.count(totals['tenants'], 'workspace')}: {totals['failed']} failed, {words.count(alerts, 'open alert')}"
    )


def files_of(page: Path) -> tuple[Path, Path, Path]:
    """Where page, JSON and CSV go. Raises UsageError."""
    if page.suffix.lower() not in {".html", ".htm"}:
        raise UsageError(f"--results {page.name}: expected a name that ends in .html; .json and .csv are put beside it")
    return page, page.with_suffix(".json"), page.with_suffix(".csv")


def write(results: Results, page: Path) -> None:
    """Write all three, whole or not at all. Raises UsageError, OutputError."""
    html, plain, table = files_of(page)
    write_files({html: render(results).encode("utf-8"), plain: _json(results), table: _csv(results)})


def render(results: Results) -> str:
    """The page; the same results give the same text."""
    template = report_templates().get_template("results.html.j2")
    return template.render(
        results=results,
        totals=results.totals,
        levels=_LEVELS,
        when=words.minute,
        took=(results.ended - results.started).total_seconds(),
        version=__version__,
    )


def _json(results: Results) -> bytes:
    body: dict[str, Any] = {
        "schema": SCHEMA,
        "started": words.iso(results.started),
        "ended": words.iso(results.ended),
        "totals": results.totals,
        "tenants": [_plain(row) for row in results.rows],
    }
    return (json.dumps(body, indent=1, ensure_ascii=True) + "\n").encode("ascii")


def _plain(row: Row) -> dict[str, Any]:
    return {
        "tenant": row.tenant,
        "workspace": row.workspace,
        "state": row.state.value,
        "error": row.error or None,
        "exit_code": row.code,
        "started": None if row.started is None else words.iso(row.started),
        "seconds": round(row.seconds, 3),
        **standing_json(row.standing),
        "open_alerts": {level.value: row.alerts[level] for level in _LEVELS},
        "new_alerts": row.raised,
        "worst": [{"severity": level.value, "title": title} for level, title in row.worst],
        "messages_waiting": row.waiting,
        "incomplete": list(row.incomplete),
        "gone_since": None if row.gone_since is None else words.iso(row.gone_since),
    }


_COLUMNS = (
    "tenant", "workspace", "state", "error", "reject_direct_send", "readiness", "known_at",
    *(level.value for level in _LEVELS), "new_alerts", "messages_waiting", "last_run", "last_success", "history_until",
    "seconds", "incomplete",
)  # fmt: skip


def _csv(results: Results) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    writer.writerows(map(_cells, results.rows))
    return text.getvalue().encode("utf-8-sig")  # without the mark Excel reads it in the machine's old code page


def _cells(row: Row) -> Sequence[str]:
    stands = row.standing
    return (
        cell(row.tenant), cell(row.workspace), row.state.value, cell(row.error),
        {True: "true", False: "false", None: ""}[stands.closed], cell(stands.readiness), _time(stands.known_at),
        *(str(row.alerts[level]) for level in _LEVELS), str(row.raised), str(row.waiting), _time(row.started),
        _time(stands.last_success), _time(stands.history_until), f"{row.seconds:.1f}", cell("; ".join(row.incomplete)),
    )  # fmt: skip


def _time(moment: datetime | None) -> str:
    return "" if moment is None else words.iso(moment)
