"""A run of `sidedoor watch --once` that finds nothing new, as every timer's run but one a day does.

    python benchmarks/watch.py [--quick] [--senders 20000] [--days 5] [--rounds 5]

Makes a workspace with mail of so many senders on so many days, lets a first run read it, and then runs again and again
as a process of its own. The floor is a process that imports what a run needs.
"""

from __future__ import annotations

import csv
import statistics
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.plan.plan_kit import HUNT_HEADER
from tests.watching.world import World

from audit_scale import python, timed
from gather.form import Bench

FLOOR = "import duckdb, sqlalchemy, sidedoor.watch.rounds, sidedoor.watch.run, sidedoor.store.store"


def mail(senders: int, days: int) -> list[list[str]]:
    """A message a day from each, until yesterday."""
    said = '{"SPF":"pass","DKIM":"none","DMARC":"pass","CompAuth":"pass"}'
    start, rows = date.today() - timedelta(days=days), []  # noqa: DTZ011  # as a workspace's own days are
    for number in range(senders):
        who = f"device{number}@northwind.example"
        address = f"{11 + (number >> 16)}.{number >> 8 & 255}.{number & 255}.{7 + 2 * (number % 100)}"
        for day in range(days):
            key = f"{number:08x}-1b62-4d07-{day:04x}-08df1a18ee9b"
            rows.append(
                [f"{start + timedelta(days=day)}T08:00:00Z", key, f"<{key}@x>", who, who, address, "",
                 "anna@northwind.example", "Inbound", "", said, "Delivered"]
            )  # fmt: skip
    return rows


def workspace(folder: Path, senders: int, days: int) -> Path:
    """With the mail in its inbox."""
    world = World(folder)
    with (folder / "inbox" / "mail.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HUNT_HEADER)
        writer.writerows(mail(senders, days))
    return world.folder


def main() -> int:
    """The first run, then those with nothing new."""
    bench = Bench(__file__, __doc__)
    bench.size("--senders", 20_000, quick=2_000)
    bench.size("--days", 5, quick=5)
    bench.size("--rounds", 5, quick=3)
    asked = bench.options()
    with tempfile.TemporaryDirectory(prefix="watch-") as scratch:
        folder = workspace(Path(scratch) / "northwind", asked.senders, asked.days)
        command = [sys.executable, "-m", "sidedoor", "watch", str(folder), "--once", "--no-collect", "--quiet"]
        began = time.perf_counter()
        timed(*command)
        bench.tell("the first run, which reads all", time.perf_counter() - began, "s")
        floor = statistics.median(python(FLOOR)[0] for _ in range(asked.rounds))
        runs = [timed(*command) for _ in range(asked.rounds)]
        seconds = statistics.median(each for each, _ in runs)
        bench.tell("nothing new", seconds, "s", ("imports alone", floor), goal="watch-nothing-new")
        bench.tell("nothing new: peak memory", max(memory for _, memory in runs), "MB")
    return bench.end()


if __name__ == "__main__":
    sys.exit(main())
