"""A report.json read again as a whole, for the pages that show it.

Not in the file, and so not here: which flows a sender is made of, its days (`watch.seen` keeps them), and the
settings whole (`tenant_json`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sidedoor.audit.model import (
    Audit,
    Coverage,
    DayCount,
    Disagreement,
    FileCoverage,
    MissingFact,
    Readiness,
    ReportedSource,
    Simulation,
    TenantSummary,
)
from sidedoor.policy.decision import Submission
from sidedoor.report.kept_report import read_body, senders_of, time_of, window_of


def read(folder: Path) -> Audit:
    """The audit whose report lies in a folder. Raises InputError."""
    return read_body(folder, _audit)


def _audit(body: Mapping[str, Any]) -> Audit:
    reported = body["dmarc_reports"]
    return Audit(
        tenant=_tenant(body["tenant"]),
        window=window_of(body),
        coverage=_coverage(body["coverage"]),
        totals={Submission(name): int(row["messages"]) for name, row in body["totals"].items()},
        senders=senders_of(body["senders"]),
        simulation=_simulation(body["simulation"]),
        readiness=Readiness(str(body["readiness"]["state"]), tuple(map(str, body["readiness"]["blockers"]))),
        timeline=tuple(
            DayCount(time_of(row["day"]).date(), int(row["legitimate"]), int(row["spoofing"]), int(row["unclear"]))
            for row in body["timeline"]
        ),
        generated_at=time_of(body["generated_at"]),
        reported=tuple(map(_source, reported["sources"])),
        reported_messages=int(reported["messages"]),
        switches=tuple(body["switches"]),
    )


def _tenant(row: Mapping[str, Any]) -> TenantSummary:
    domains, connectors = row["accepted_domains"], row["inbound_connectors"]
    return TenantSummary(
        str(row["name"]),
        None if domains is None else tuple(map(str, domains)),
        row["reject_direct_send"],
        None if connectors is None else tuple(connectors),
    )


def _coverage(row: Mapping[str, Any]) -> Coverage:
    return Coverage(
        messages=int(row["messages"]),
        files=tuple(
            FileCoverage(
                str(each["path"]), str(each["format"]), int(each["rows"]), int(each["rejected_rows"]),
                str(each.get("note", "")),
            )
            for each in row["files"]
        ),
        missing=tuple(
            MissingFact(str(each["fact"]), str(each["why"]), str(each["how_to_get_it"]), int(each["messages"]))
            for each in row["missing"]
        ),
        merged_records=int(row["merged_records"]),
        expanded_records=int(row["expanded_records"]),
        disagreements=tuple(Disagreement(**each) for each in row["disagreements"]),
        warnings=tuple(map(str, row["warnings"])),
    )  # fmt: skip


def _simulation(row: Mapping[str, Any]) -> Simulation:
    refused, stopped = row["reject_direct_send"], row["not_stopped"]
    return Simulation(
        rejected=int(refused["rejected"]),
        rejected_legitimate=int(refused["rejected_legitimate"]),
        rejected_spoofing=int(refused["rejected_spoofing"]),
        rejected_unclear=int(refused["rejected_unclear"]),
        undetermined=int(refused["undetermined"]),
        header_from_spoofs=int(stopped["header_from_spoofs"]),
        sent_directly=int(stopped["sent_directly"]),
    )


def _source(row: Mapping[str, Any]) -> ReportedSource:
    return ReportedSource(
        address=str(row["address"]),
        service=row["service"],
        sender=row["sender"],
        messages=int(row["messages"]),
        passed=int(row["passed"]),
        failed=int(row["failed"]),
        reporters=tuple(map(str, row["reporters"])),
        first=None if row["first"] is None else time_of(row["first"]),
        last=None if row["last"] is None else time_of(row["last"]),
        header_from=tuple(map(str, row["header_from"])),
        signers=tuple(map(str, row["signers"])),
    )
