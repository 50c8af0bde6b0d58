"""A provider's run over 500 workspaces: how long, how much memory, and what doing some at a time is worth.

    python benchmarks/many_tenants.py [--tenants 500] [--jobs 2]

Every tenant has four weeks of mail. A tenth of them read it all as new. Then all of them, copies that have read it, get
a day each, and then nothing. Each run is `sidedoor watch --once --results` as a process, its memory that of all its
processes together (PSS, so that what they share counts once), looked at ten times a second. A day is also read one at a
time, by the tenth. A tenant that failed ends it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.watching.world import World

from gather.form import Bench

DAYS = 28
SAMPLE = 0.1


def made(folder: Path, tenants: int) -> World:
    """Workspaces side by side, alike but for their names, which have read nothing."""
    world = World(folder / "t0000")
    world.begun(DAYS)
    for number in range(1, tenants):
        copied(world.folder, folder, number)
    return world


def copied(model: Path, folder: Path, number: int) -> None:
    """A workspace under another name, its store that tenant's."""
    copy, domain = folder / f"t{number:04}", f"t{number:04}.example"
    shutil.copytree(model, copy)
    settings = copy / "sidedoor.toml"
    settings.write_text(settings.read_text("utf-8").replace('"northwind.example"', f'"{domain}"', 1))
    store = copy / "sidedoor.db"
    if store.exists():
        with closing(sqlite3.connect(store)) as database, database:
            changed = database.execute("UPDATE tenant SET domain = ?", (domain,)).rowcount
        assert changed == 1


def another_day(world: World, day: int) -> None:
    """The same new day in everybody's inbox."""
    name = f"{day}.csv"
    world.export(name, world.usual(day))
    for folder in world.folder.parent.iterdir():
        if folder != world.folder:
            shutil.copyfile(world.folder / "inbox" / name, folder / "inbox" / name)


def memory_of(group: int) -> int:
    """MB of all processes of a process group."""
    total = 0
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(path.name)) == group:
                total += int(re.findall(r"^Pss:\s+(\d+)", (path / "smaps_rollup").read_text(), re.MULTILINE)[0])
        except (OSError, IndexError):
            continue  # it has ended
    return total // 1024


def run(folder: Path, results: Path, *more: str) -> tuple[float, int]:
    """Seconds and peak memory of a run over all workspaces in a folder; every tenant must have been looked at."""
    asked = ["watch", str(folder), "--once", "--quiet", "--results", str(results), *more]
    command = [sys.executable, "-m", "sidedoor", *asked]
    started, peak = time.perf_counter(), 0
    process = subprocess.Popen(command, start_new_session=True)
    while process.poll() is None:
        peak = max(peak, memory_of(process.pid))
        time.sleep(SAMPLE)
    seconds = time.perf_counter() - started
    totals = json.loads(results.with_suffix(".json").read_text("ascii"))["totals"]
    if process.returncode or totals["failed"]:
        raise SystemExit(f"exit code {process.returncode}, {totals['failed']} failed")
    return seconds, peak


def told(bench: Bench, what: str, tenants: int, measured: tuple[float, int]) -> None:
    """Of one run: its time, a tenant's part of it, its memory."""
    seconds, peak = measured
    bench.tell(f"{what}, {tenants} tenants", seconds, "s")
    bench.tell(f"{what}, {tenants} tenants: each", seconds / tenants * 1000, "ms")
    bench.tell(f"{what}, {tenants} tenants: peak", peak, "MB", goal="tenants-memory")


def main() -> int:
    """Make, run, tell."""
    bench = Bench(__file__, __doc__)
    bench.size("--tenants", 500, quick=20)
    bench.size("--jobs", 2, quick=2)
    asked = bench.options()
    few, jobs = max(2, asked.tenants // 10), ("--jobs", str(asked.jobs))
    with tempfile.TemporaryDirectory(prefix="many-") as scratch:
        folder, page = Path(scratch) / "all", Path(scratch) / "results.html"
        world = made(folder, few)
        told(bench, "everything is new", few, run(folder, page, *jobs))
        another_day(world, DAYS)
        together = run(folder, page, *jobs)
        another_day(world, DAYS + 1)
        alone = run(folder, page, "--jobs", "1")
        bench.tell(f"a day, {asked.jobs} at a time", together[0], "s", ("one at a time", alone[0]))
        for number in range(few, asked.tenants):
            copied(world.folder, folder, number)
        another_day(world, DAYS + 2)
        told(bench, "a day", asked.tenants, run(folder, page, *jobs))
        told(bench, "nothing is new", asked.tenants, run(folder, page, *jobs))
    return bench.end()


if __name__ == "__main__":
    sys.exit(main())
