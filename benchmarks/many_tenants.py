"""A provider's run over 500 workspaces: how long, how much memory, and what doing some at a time is worth.

    python benchmarks/many_tenants.py [--tenants 500] [--jobs 2]

Every tenant has four weeks of mail. The first run reads it all; then a day comes in at each, and then nothing. Each run
is `sidedoor watch --once --results` as a process, its memory that of all its processes together (PSS, so that what they
share counts once), looked at ten times a second. The day's run is made one at a time too, over a part of the tenants.
Exits with 1 where memory is beyond 1 GB, or where a tenant failed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.watching.world import World

DAYS, MEMORY_GOAL = 28, 1_000  # MB
SAMPLE = 0.1


def made(folder: Path, tenants: int) -> World:
    """Workspaces side by side, alike but for their names."""
    world = World(folder / "t0000")
    world.begun(DAYS)
    for number in range(1, tenants):
        copy = folder / f"t{number:04}"
        shutil.copytree(world.folder, copy)
        settings = copy / "sidedoor.toml"
        settings.write_text(settings.read_text("utf-8").replace('"northwind.example"', f'"t{number:04}.example"', 1))
    return world


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
    command = [
        sys.executable,
        "-m",
        "sidedoor",
        "watch",
        str(folder),
        "--once",
        "--quiet",
        "--results",
        str(results),
        *more,
    ]
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


def main() -> int:
    """Make, run, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--tenants", type=int, default=500)
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="many-") as scratch:
        folder, page, jobs = Path(scratch) / "all", Path(scratch) / "results.html", ("--jobs", str(asked.jobs))
        world = made(folder, asked.tenants)
        print(f"{asked.tenants} tenants, {DAYS} days of mail each, {asked.jobs} at a time", flush=True)
        peaks = []
        for day, what in ((None, "everything is new"), (DAYS, "a day at each"), (None, "nothing is new")):
            if day:
                another_day(world, day)
            seconds, peak = run(folder, page, *jobs)
            peaks.append(peak)
            each = seconds / asked.tenants * 1000
            print(f"  {what:18} {seconds:8.1f} s, {each:7.0f} ms a tenant, peak {peak:,} MB", flush=True)
        some = Path(scratch) / "some"
        some.mkdir()
        for path in sorted(folder.iterdir())[: max(2, asked.tenants // 10)]:
            path.rename(some / path.name)
        world.folder = some / world.folder.name
        another_day(world, DAYS + 1)
        together, _ = run(some, page.with_name("some.html"), *jobs)
        another_day(world, DAYS + 2)
        alone, _ = run(some, page.with_name("some.html"), "--jobs", "1")
    print(
        f"  one at a time, over a tenth: {alone:.1f} s, {asked.jobs} at a time {together:.1f} s, RATIO {alone / together:.2f}"
    )
    print(f"  peak memory {max(peaks):,} MB (goal {MEMORY_GOAL:,})")
    return int(max(peaks) > MEMORY_GOAL)


if __name__ == "__main__":
    sys.exit(main())
