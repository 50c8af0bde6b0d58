"""All files of an audit that `report` owns, in one go; messages.parquet and rejected_rows.csv come from the engine."""

from __future__ import annotations

from pathlib import Path

from sidedoor.audit.model import Audit
from sidedoor.report import csv_report, html_report, json_report, tenant_json
from sidedoor.report.atomic import write_files

HTML, JSON, SENDERS, REJECTED = "report.html", "report.json", "senders.csv", "rejected_rows.csv"


def write_all(audit: Audit, directory: Path) -> tuple[Path, ...]:
    """Write report.html, report.json, senders.csv and tenant.json into `directory`, which is made; returns their paths.

    Files of an earlier run are replaced only when all new ones are written whole. Raises SidedoorError.
    """
    contents = {
        directory / HTML: html_report.dump(audit),
        directory / JSON: json_report.dump(audit),
        directory / SENDERS: csv_report.dump(audit),
        directory / tenant_json.NAME: tenant_json.dump(audit),
    }
    write_files(contents)
    return tuple(contents)
