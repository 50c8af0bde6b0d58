"""report.json, the public contract (`docs/contract.md`): names and nesting change only with a changelog entry.

The file is ASCII (`\\uXXXX` for the rest): Windows PowerShell 5.1 reads a file without byte order mark as ANSI, and
nothing in it can play tricks on a terminal. The same audit gives the same bytes.
"""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from sidedoor.audit.model import Audit, Coverage, FileCoverage, ReportedSource, Sender, Simulation, TenantSummary
from sidedoor.policy.decision import Submission
from sidedoor.report.atomic import write_files
from sidedoor.report.plain import plain
from sidedoor.report.words import iso

SCHEMA_NAME = "sidedoor/report/1"
AUTHENTICATION = ("spf", "dkim", "dmarc")  # always present; others (compauth) where known


def render(audit: Audit) -> dict[str, Any]:
    """The report as JSON values. Keys beyond design.md section 4 are additive."""
    report = {
        "schema": SCHEMA_NAME,
        "generated_at": iso(audit.generated_at),
        "tenant": _tenant(audit.tenant),
        "window": _window(audit),
        "coverage": _coverage(audit.coverage),
        "totals": {word.value: {"messages": audit.totals.get(word, 0)} for word in Submission},
        "senders": [_sender(sender) for sender in audit.senders],
        "simulation": _simulation(audit.simulation),
        "readiness": {"state": audit.readiness.state, "blockers": list(audit.readiness.blockers)},
        "timeline": [
            {"day": bar.day.isoformat(), "legitimate": bar.legitimate, "spoofing": bar.spoofing, "unclear": bar.unclear}
            for bar in audit.timeline
        ],
        "dmarc_reports": {
            "messages": audit.reported_messages,
            "sources": [_source(source) for source in audit.reported],
        },
        "switches": [plain(switch) for switch in audit.switches],
    }
    return {key: plain(value) for key, value in report.items()}


def dump(audit: Audit) -> bytes:
    """The file's bytes: ASCII, indented by two, ending in a line feed."""
    return (json.dumps(render(audit), indent=2, ensure_ascii=True, allow_nan=False) + "\n").encode("ascii")


def write(audit: Audit, path: Path) -> None:
    """Write the file whole or not at all. Raises SidedoorError where it cannot be written."""
    write_files({path: dump(audit)})


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) that every report.json of this version fulfils."""
    text = files("sidedoor.report").joinpath("schema/report-1.schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def _tenant(tenant: TenantSummary) -> dict[str, Any]:
    return {
        "name": tenant.name,
        "accepted_domains": tenant.accepted_domains,
        "reject_direct_send": tenant.reject_direct_send,
        "inbound_connectors": tenant.inbound_connectors,
    }


def _window(audit: Audit) -> dict[str, str | None]:
    start, end = audit.window or (None, None)
    return {"start": iso(start) if start else None, "end": iso(end) if end else None}


def _coverage(coverage: Coverage) -> dict[str, Any]:
    return {
        "messages": coverage.messages,
        "files": [_file(file) for file in coverage.files],
        "missing": [
            {"fact": item.fact, "why": item.why, "how_to_get_it": item.how_to_get_it, "messages": item.messages}
            for item in coverage.missing
        ],
        "merged_records": coverage.merged_records,
        "expanded_records": coverage.expanded_records,
        "disagreements": [
            {
                "fact": item.fact,
                "believed": item.believed,
                "doubted": item.doubted,
                "messages": item.messages,
                "example": item.example,
            }
            for item in coverage.disagreements
        ],
        "warnings": coverage.warnings,
    }


def _file(file: FileCoverage) -> dict[str, Any]:
    entry = {"path": file.path, "format": file.format, "rows": file.rows, "rejected_rows": file.rejected_rows}
    return entry | ({"note": file.note} if file.note else {})


def _sender(sender: Sender) -> dict[str, Any]:
    return {
        "id": sender.id,
        "name": sender.name,
        "submission": sender.submission.value,
        "assessment": sender.assessment.value,
        "confidence": sender.confidence,
        "reasons": [{"id": item.id, "text": item.text, "weight": item.weight} for item in sender.reasons],
        "networks": sender.networks,
        "envelope_domains": sender.envelope_domains,
        "mail_from": sender.mail_from,
        "header_from": sender.header_from,
        "helo": sender.helo,
        "service": sender.service,
        "product": sender.product,
        "claims_product": sender.claims_product,
        "messages": sender.messages,
        "recipients": sender.recipients,
        "first_seen": iso(sender.first_seen),
        "last_seen": iso(sender.last_seen),
        "active_days": sender.active_days,
        "authentication": authentication(sender),
        "would_reject": would_reject(sender),
        "would_reject_messages": sender.would_reject,
        "would_reject_unknown_messages": sender.would_reject_unknown,
        "recommendation": sender.recommendation,
    }


def _source(source: ReportedSource) -> dict[str, Any]:
    return {
        "address": source.address,
        "service": source.service,
        "sender": source.sender,
        "messages": source.messages,
        "passed": source.passed,
        "failed": source.failed,
        "reporters": source.reporters,
        "first": iso(source.first) if source.first else None,
        "last": iso(source.last) if source.last else None,
        "header_from": source.header_from,
        "signers": source.signers,
    }


def authentication(sender: Sender) -> dict[str, dict[str, int]]:
    """Mechanism -> result -> messages, sorted; SPF, DKIM and DMARC always there, if empty."""
    mechanisms = sorted({*AUTHENTICATION, *sender.authentication})
    return {name: dict(sorted(sender.authentication.get(name, {}).items())) for name in mechanisms}


def would_reject(sender: Sender) -> bool | None:
    """True where any message would be refused; otherwise None where that is undetermined of any."""
    if sender.would_reject:
        return True
    return None if sender.would_reject_unknown else False


def _simulation(simulation: Simulation) -> dict[str, dict[str, int]]:
    return {
        "reject_direct_send": {
            "rejected": simulation.rejected,
            "rejected_legitimate": simulation.rejected_legitimate,
            "rejected_spoofing": simulation.rejected_spoofing,
            "rejected_unclear": simulation.rejected_unclear,
            "undetermined": simulation.undetermined,
        },
        "not_stopped": {
            "header_from_spoofs": simulation.header_from_spoofs,
            "sent_directly": simulation.sent_directly,
        },
    }
