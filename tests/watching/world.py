"""A small tenant day by day: Northwind's mail as EmailEvents exports, its settings and DNS, on simulated days."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from sidedoor.watch.live import tools_of
from sidedoor.watch.rounds import Result, Round, Say
from sidedoor.watch.template import settings_text
from sidedoor.watch.tools import Tools
from sidedoor.watch.workspace import Workspace, make_workspace
from tests.audit.audit_kit import DOMAINS, write_settings
from tests.plan.plan_kit import HUNT_HEADER, SPOOF, mails

FIRST = date(2026, 10, 1)
HQ, ERP, BRANCH, ATTACKER = "203.0.113.10", "203.0.113.22", "203.0.113.77", "198.51.100.66"
PRINTER, BILLING = "scan@northwind.example", "billing@northwind.example"
SPF = "v=spf1 ip4:203.0.113.0/24 -all"


@dataclass
class World:
    """One workspace and what its tenant is like. `channel`: the JSON lines that a SIEM would get."""

    folder: Path
    spf: str = SPF
    reject: bool | None = False
    connectors: list[dict[str, Any]] = field(default_factory=list)
    extra: str = ""
    numbers: int = 0

    def __post_init__(self) -> None:
        text = settings_text("northwind.example").partition("# Whom to tell")[0]
        text = text.replace("# zones = []", 'zones = ["zones"]')
        text += '\n[alerts.channels.siem]\ntype = "jsonl"\npath = "alerts.jsonl"\nminimum = "warning"\n' + self.extra
        make_workspace(self.folder, text)
        (self.folder / "zones").mkdir()
        self.settle()

    def settle(self) -> None:
        """Write settings and DNS as they are now."""
        write_settings(self.folder / "inbox", DOMAINS, self.connectors, reject_direct_send=self.reject)
        (self.folder / "zones" / "northwind.zone").write_text(
            "$ORIGIN northwind.example.\n@ 3600 IN SOA ns hostmaster 1 7200 900 1209600 300\n"
            f'@ 3600 IN MX 0 northwind-example.mail.protection.outlook.com.\n@ 3600 IN TXT "{self.spf}"\n'
            '@ 3600 IN A 203.0.113.1\n_dmarc 3600 IN TXT "v=DMARC1; p=reject"\n',
            encoding="ascii",
        )

    def mail(self, day: int, address: str, sender: str, count: int = 3, **cells: str) -> list[dict[str, str]]:
        """Mails of a day from one address; honest unless told otherwise."""
        rows = []
        for number in range(count):
            self.numbers += 1
            when = datetime.combine(FIRST + timedelta(days=day), datetime.min.time(), UTC) + timedelta(
                hours=8, minutes=17 * number
            )
            (row,) = mails(self.numbers, address, sender, days=1, Timestamp=f"{when:%Y-%m-%dT%H:%M:%SZ}", **cells)
            rows.append(row)
        return rows

    def spoofs(self, day: int, count: int) -> list[dict[str, str]]:
        """A burst: colleagues who write to themselves, from abroad."""
        rows: list[dict[str, str]] = []
        for number in range(count):
            victim = f"user{number}@northwind.example"
            rows += self.mail(
                day, ATTACKER, victim, 1, RecipientEmailAddress=victim, AuthenticationDetails=SPOOF,
                DeliveryAction="Junked",
            )  # fmt: skip
        return rows

    def export(self, name: str, rows: Iterable[Mapping[str, str]]) -> None:
        """An export of EmailEvents in the inbox."""
        with (self.folder / "inbox" / name).open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, HUNT_HEADER)
            writer.writeheader()
            writer.writerows(rows)

    def usual(self, day: int) -> list[dict[str, str]]:
        """What comes on any day: the printer on working days, the billing server always."""
        weekday = (FIRST + timedelta(days=day)).weekday()
        rows = self.mail(day, ERP, BILLING, 4)
        return rows + (self.mail(day, HQ, PRINTER, 5) if weekday < 5 else [])

    def begun(self, days: int = 14) -> None:
        """The history before watching began."""
        self.export("before.csv", [row for day in range(days) for row in self.usual(day)])

    def watch(self, day: int, hour: int = 20) -> Result:
        """A run in the evening of a day."""
        now = datetime.combine(FIRST + timedelta(days=day), datetime.min.time(), UTC) + timedelta(hours=hour)
        return self.watch_at(now)

    def watch_at(self, now: datetime) -> Result:
        """A run at a time."""

        def tools(workspace: Workspace, *, collect: bool, say: Say) -> Tools:
            return replace(tools_of(workspace, collect=collect, say=say), now=lambda: now)

        return Round([self.folder], say=lambda _: None, tools=tools).one(self.folder)

    def told(self) -> list[tuple[str, str]]:
        """(occasion, kind) of every message that the channel got, in order."""
        path = self.folder / "alerts.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [(row["occasion"], row["kind"]) for row in map(json.loads, lines)]


@dataclass(frozen=True)
class Beginning:
    """A world as several tests begin with it. Each has it to itself, in the same place, which the history remembers."""

    world: World

    def __post_init__(self) -> None:
        shutil.copytree(self.world.folder, self._kept, symlinks=True)

    @property
    def _kept(self) -> Path:
        return self.world.folder.with_name(f"{self.world.folder.name}-kept")

    def again(self) -> World:
        """The world as it was, whatever a test made of it."""
        shutil.rmtree(self.world.folder, ignore_errors=True)
        shutil.copytree(self._kept, self.world.folder, symlinks=True)
        return deepcopy(self.world)
