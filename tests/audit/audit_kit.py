"""A small tenant, Northwind, and writers of the exports it might hand in; used by the tests of the whole audit."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from sidedoor.cli.main import main

V2_HEADER = (
    "MessageTraceId", "MessageId", "Received", "SenderAddress", "RecipientAddress",
    "FromIP", "ToIP", "Subject", "Status", "Size",
)  # fmt: skip


def key(number: int) -> str:
    """A network message id."""
    return f"b{number:07d}-1b62-4d07-db4f-08df1a18ee9b"


def v2_row(number: int, **cells: str) -> dict[str, str]:
    """One row of Get-MessageTraceV2: a printer that mails a colleague."""
    return {
        "MessageTraceId": key(number),
        "MessageId": f"<{number}@mfp.northwind.example>",
        "Received": f"2026-11-03T08:{number // 60 % 60:02d}:{number % 60:02d}.1234567Z",
        "SenderAddress": "printer@northwind.example",
        "RecipientAddress": "anna@northwind.example",
        "FromIP": "203.0.113.10",
        "ToIP": "",
        "Subject": "Scan",
        "Status": "Delivered",
        "Size": "4100",
    } | cells


def csv_text(rows: Sequence[Mapping[str, str]], header: Sequence[str] = V2_HEADER, *, end: str = "\r\n") -> str:
    """A CSV export of `rows`."""
    out = io.StringIO()
    writer = csv.DictWriter(out, header, lineterminator=end, quoting=csv.QUOTE_MINIMAL, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def v2_file(path: Path, rows: Sequence[Mapping[str, str]]) -> Path:
    """Write `rows` as Get-MessageTraceV2 | Export-Csv does."""
    path.write_text(csv_text(rows), encoding="utf-8", newline="")
    return path


def connector(name: str, **settings: Any) -> dict[str, Any]:
    """One object of Get-InboundConnector."""
    return {
        "Name": name,
        "Identity": name,
        "Enabled": True,
        "ConnectorType": "Partner",
        "SenderIPAddresses": [],
        "SenderDomains": ["smtp:*;1"],
        "TlsSenderCertificateName": None,
        "RequireTls": False,
        "RestrictDomainsToIPAddresses": False,
        "RestrictDomainsToCertificate": False,
        "AssociatedAcceptedDomains": [],
        "TreatMessagesAsInternal": False,
        "CloudServicesMailEnabled": False,
    } | settings


def accepted_domain(name: str, **settings: Any) -> dict[str, Any]:
    """One object of Get-AcceptedDomain."""
    return {
        "DomainName": name, "Name": name, "DomainType": "Authoritative", "MatchSubDomains": False,
        "Default": False, "InitialDomain": False,
    } | settings  # fmt: skip


DOMAINS = (accepted_domain("northwind.example", Default=True),)


def write_settings(
    folder: Path,
    domains: Sequence[Mapping[str, Any]] = DOMAINS,
    connectors: Sequence[Mapping[str, Any]] = (),
    *,
    reject_direct_send: bool | None = False,
) -> Path:
    """Write a tenant export as ConvertTo-Json does, one file a cmdlet."""
    folder.mkdir(parents=True, exist_ok=True)
    organization = {"Name": "northwind.onmicrosoft.com", "IsMixedMode": False, "RejectDirectSend": reject_direct_send}
    parts = {"OrganizationConfig": organization, "AcceptedDomain": list(domains), "InboundConnector": list(connectors)}
    for name, value in parts.items():
        (folder / f"{name}.json").write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
    return folder


@dataclass(frozen=True)
class Outcome:
    """What a run of `sidedoor audit` left behind."""

    code: int
    folder: Path
    said: str

    @property
    def report(self) -> dict[str, Any]:
        """report.json."""
        loaded: dict[str, Any] = json.loads((self.folder / "report.json").read_text(encoding="utf-8"))
        return loaded

    def messages(self, columns: str = "*") -> list[tuple[Any, ...]]:
        """Rows of messages.parquet."""
        query = f"SELECT {columns} FROM read_parquet('{self.folder / 'messages.parquet'}')"
        with duckdb.connect(":memory:") as connection:
            return connection.execute(query).fetchall()

    def rejected(self) -> list[dict[str, str]]:
        """Rows of rejected_rows.csv."""
        with (self.folder / "rejected_rows.csv").open(encoding="utf-8-sig", newline="") as handle:
            return list(csv.DictReader(handle))


def audit(capsys: Any, out: Path, *arguments: object) -> Outcome:
    """Run `sidedoor audit` in this process; offline unless --dns is among `arguments`."""
    given = [str(argument) for argument in arguments]
    offline = [] if "--dns" in given else ["--offline"]
    code = main(["audit", "-o", str(out), *offline, *given])
    printed = capsys.readouterr()
    return Outcome(code, out, printed.out + printed.err)


def assert_balanced(outcome: Outcome) -> None:
    """Rows in = messages + rejected + merged - expanded, and every rejected row is written down."""
    coverage = outcome.report["coverage"]
    # Rows of DMARC reports are records about mail to others.
    histories = [file for file in coverage["files"] if file["format"] != "dmarc-report"]
    rows = sum(file["rows"] for file in histories)
    rejected = sum(file["rejected_rows"] for file in histories)
    merged, expanded = coverage.get("merged_records", 0), coverage.get("expanded_records", 0)
    assert rows == coverage["messages"] + rejected + merged - expanded
    assert sum(file["rejected_rows"] for file in coverage["files"]) == len(outcome.rejected())
    assert coverage["messages"] == len(outcome.messages("received_at"))
    assert coverage["messages"] == sum(total["messages"] for total in outcome.report["totals"].values())
