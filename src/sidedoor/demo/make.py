"""Write the whole invented tenant into a folder, with truth.json to score an audit against."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import TypeAlias

from sidedoor.demo import exports
from sidedoor.demo.broken import broken_enhanced, broken_events, broken_trace
from sidedoor.demo.message import Message
from sidedoor.demo.settings import TENANT_ID, fixed_zones, write_settings, write_zones
from sidedoor.demo.sinks import CsvSink, GraphSink, JsonSink, PagedSink, Sink
from sidedoor.demo.traffic import Plan, messages
from sidedoor.demo.truth import Truth
from sidedoor.errors import OutputError, UsageError

MARK = "made-by-sidedoor-demo.txt"
_BULK = {"mailboxes", "internet", "bounces"}  # senders in truth.json are all others
_HUNTING_DAYS = 30  # advanced hunting keeps no more
_DETAILS = 20

Wanted: TypeAlias = Callable[[Message], bool]


def make(folder: Path, plan: Plan) -> int:
    """Write settings, zones, history and truth; returns the number of messages.

    Raises UsageError for a folder that holds something else or a domain the zones need for others, OutputError where
    it cannot be written.
    """
    _refuse_others(folder)
    taken = [zone for zone in fixed_zones() if plan.domain == zone or plan.domain.endswith(f".{zone}")]
    if taken:
        raise UsageError(f"--domain: {plan.domain} belongs to somebody else in the invented world; choose another")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MARK).write_text(f"An invented tenant: {plan.domain}, seed {plan.seed}.\n", encoding="utf-8")
        for old in (*folder.glob("graph_page*.json"), *folder.glob("zones/*.zone")):
            old.unlink()  # a shorter history has fewer of them, another domain others
        write_settings(folder, plan.domain)
        write_zones(folder / "zones", plan.domain)
        return _write_history(folder, plan)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror})") from error


def _refuse_others(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: is a file; choose a folder")
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).exists():
        raise UsageError(f"{folder}: is not empty and not made by `sidedoor demo`; choose another folder")


def _write_history(folder: Path, plan: Plan) -> int:
    """One pass: each message goes to the exports that would hold it in a real tenant."""
    with ExitStack() as stack:
        truth = Truth(stack, folder)
        tables = _tables(stack, folder)
        sinks = [(truth, _first(plan.rows)), *_sinks(folder, tables, plan)]
        for message in messages(plan):
            for sink, wanted in sinks:
                if wanted(message):
                    sink.add(message)
        for sink, _ in sinks:
            sink.finish()
        truth.write(plan, [row for table in tables.values() for row in table.rejected])
        return truth.counts.total()


def _tables(stack: ExitStack, folder: Path) -> dict[str, CsvSink]:
    """The CSV exports: PowerShell 7 quotes every cell, the portal puts a BOM, historical searches are UTF-16."""
    trace, events, enhanced = exports.TRACE_HEADER, exports.EVENTS_HEADER, exports.ENHANCED_HEADER
    return {
        "trace": CsvSink(
            stack, folder / "MessageTraceV2.csv", trace, lambda message: [exports.trace_row(message)],
            encoding="utf-8", broken=broken_trace(trace), quoted=True,
        ),
        "events": CsvSink(
            stack, folder / "EmailEvents_last_30_days.csv", events, lambda message: [exports.event_row(message)],
            encoding="utf-8-sig", broken=broken_events(events),
        ),
        "extended": CsvSink(
            stack, folder / "historical_extended.csv", exports.EXTENDED_HEADER, _both_events, encoding="utf-16-le",
        ),
        "enhanced": CsvSink(
            stack, folder / "historical_enhanced.csv", enhanced, lambda message: [exports.enhanced_row(message)],
            encoding="utf-16", broken=broken_enhanced(enhanced), gap=11,
        ),
        "connector": CsvSink(
            stack, folder / "ConnectorReport_NoConnector.csv", exports.CONNECTOR_HEADER,
            lambda message: [exports.connector_row(message)], encoding="utf-16-le", quoted=True,
        ),
    }  # fmt: skip


def _both_events(message: Message) -> list[list[str]]:
    return [list(exports.extended_row(message, event, TENANT_ID)) for event in ("RECEIVE", "DELIVER")]


def _sinks(folder: Path, tables: dict[str, CsvSink], plan: Plan) -> list[tuple[Sink, Wanted]]:
    """Each sink with the messages it takes."""
    start = plan.end - timedelta(days=_HUNTING_DAYS)
    details, connector = _first(_DETAILS), _first(max(50, plan.rows // 100))
    return [
        (PagedSink(tables["trace"], exports.trace_row), lambda _: True),
        (tables["events"], lambda message: message.received_at >= start),
        (tables["extended"], _named),
        (tables["enhanced"], _first(max(100, plan.rows // 50))),
        (tables["connector"], lambda m: m.direction == "Inbound" and not m.connector and connector(m)),
        (GraphSink(folder, exports.graph_row), _first(min(1500, plan.rows // 20))),
        (JsonSink(folder / "MessageTraceDetailV2.json", exports.detail_row), lambda m: _named(m) and details(m)),
    ]


def _named(message: Message) -> bool:
    return message.sender not in _BULK


def _first(count: int) -> Wanted:
    """True for the first `count` messages asked about."""
    left = iter(range(count))
    return lambda _: next(left, None) is not None
