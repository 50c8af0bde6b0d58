"""Audits of small histories, planned: what the tests of plans are made of."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sidedoor.audit.engine.kept import open_kept
from sidedoor.catalogue.catalogue import load_catalogue
from sidedoor.cli.main import main
from sidedoor.plan.model import Choice, Plan
from sidedoor.plan.run import Question, make_plan
from sidedoor.plan.words import NO_WORDS, Words, parse_words
from sidedoor.report import kept_report, tenant_json
from tests.audit.audit_kit import write_settings

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan and where its report lies."""

    plan: Plan
    folder: Path

    def choice(self, part: str) -> Choice:
        """The choice whose sender's name holds `part`."""
        return next(choice for choice in self.plan.choices if part in choice.name)

    def blockers(self) -> set[str]:
        """Ids of what is in the way."""
        return {blocker.id for blocker in self.plan.blockers}


def planned(folder: Path, words: Words = NO_WORDS) -> Planned:
    """The plan of a report."""
    settings, report = tenant_json.read(folder), kept_report.read(folder)
    with open_kept(folder / "messages.parquet") as history:
        question = Question(
            report.senders, history, settings.snapshot, settings.switches, words, load_catalogue(), NOW, str(folder)
        )
        return Planned(make_plan(question), folder)


def said(**senders: Any) -> Words:
    """plan.toml with these senders."""
    lines = []
    for sender, values in senders.items():
        lines.append(f"[senders.{sender.removeprefix('_')}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    return parse_words("\n".join(lines), "plan.toml")


HUNT_HEADER = (
    "Timestamp", "NetworkMessageId", "InternetMessageId", "SenderMailFromAddress", "SenderFromAddress", "SenderIPv4",
    "SenderIPv6", "RecipientEmailAddress", "EmailDirection", "Connectors", "AuthenticationDetails", "DeliveryAction",
)  # fmt: skip


def mails(start: int, ip: str, sender: str, days: int = 30, **cells: str) -> list[dict[str, str]]:
    """A mail a day from one address in one name, to the same colleague; passes SPF unless told otherwise."""
    return [
        {
            "Timestamp": f"2026-{10 + day // 28:02d}-{1 + day % 28:02d}T08:00:00Z",
            "NetworkMessageId": f"c{start + day:07d}-1b62-4d07-db4f-08df1a18ee9b",
            "InternetMessageId": f"<{start + day}@x>",
            "SenderMailFromAddress": sender,
            "SenderFromAddress": sender,
            "SenderIPv4": "" if ":" in ip else ip,
            "SenderIPv6": ip if ":" in ip else "",
            "RecipientEmailAddress": "anna@northwind.example",
            "EmailDirection": "Inbound",
            "Connectors": "",
            "AuthenticationDetails": '{"SPF":"pass","DKIM":"none","DMARC":"pass","CompAuth":"pass"}',
            "DeliveryAction": "Delivered",
        }
        | cells
        for day in range(days)
    ]


SPOOF = '{"SPF":"fail","DKIM":"none","DMARC":"fail","CompAuth":"fail"}'


def spoofs(start: int, ip: str, sender: str, count: int = 40) -> list[dict[str, str]]:
    """A burst in one hour, to many people each in their own name."""
    rows = []
    for number in range(count):
        victim = f"user{number}@{sender.rpartition('@')[2]}"
        rows += [
            row | {"Timestamp": f"2026-11-20T03:{number % 60:02d}:00Z"}
            for row in mails(
                start + number, ip, victim, days=1, RecipientEmailAddress=victim, AuthenticationDetails=SPOOF,
                DeliveryAction="Junked",
            )
        ]  # fmt: skip
    return rows


def report(
    tmp_path: Path, rows: Sequence[Mapping[str, str]], zone: str = "", zones: Sequence[str] = (), **settings: Any
) -> Path:
    """Audit `rows` of EmailEvents with these settings of the tenant; the report's folder. `zones`: of others."""
    import csv

    folder, dns = tmp_path / "in", tmp_path / "zones"
    dns.mkdir(parents=True)
    write_settings(folder, **settings)
    with (folder / "EmailEvents.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, HUNT_HEADER)
        writer.writeheader()
        writer.writerows(rows)
    for number, text in enumerate((zone or ZONE, *zones)):
        (dns / f"{number}.zone").write_text(text, encoding="ascii")
    out = tmp_path / "report"
    code = main(["audit", str(folder), "-o", str(out), "--dns", str(dns), "--quiet"])
    assert code == 0
    return out


ZONE = """$ORIGIN northwind.example.
@ 3600 IN SOA ns hostmaster 1 7200 900 1209600 300
@ 3600 IN MX 0 northwind-example.mail.protection.outlook.com.
@ 3600 IN TXT "v=spf1 ip4:203.0.113.0/24 ip6:2001:db8::/32 include:spf.protection.outlook.com -all"
"""
