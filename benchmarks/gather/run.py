"""Runs the benchmarks one after another and gathers what they tell.

    python benchmarks [--quick] [--only NAME]... [--output PATH] [--timeout MINUTES] [--list]

Each is a process of its own, so that one that fails, hangs or is killed does not stop the rest; what it told until then
is kept, and that it failed is said. A whole run writes benchmarks/RESULTS.md; a part or a quick one writes
build/benchmarks/RESULTS.md, so that it never takes the place of a whole one. Exits with 1 where a benchmark failed; a
goal that was missed is told, and is no failure of the run.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from gather.form import FIGURES, Row
from gather.goals import read_goals
from gather.machine import load, machine, noise
from gather.results import markdown
from gather.table import Outcome, show

HERE = Path(__file__).resolve().parents[1]
BUILD = HERE.parent / "build" / "benchmarks"
QUICK = "A quick run: the sizes are smaller than those the goals speak of. A verdict is a hint, not an answer."
INTERRUPTED = "interrupted"
_ENDING = 20.0  # seconds that a benchmark has to stop its servers


def discovered(folder: Path = HERE) -> dict[str, Path]:
    """The benchmarks by name: every file of the folder that can be run by itself; others are what those import."""
    return {
        path.stem: path
        for path in sorted(folder.glob("*.py"))
        if path.name != "__main__.py" and 'if __name__ == "__main__":' in path.read_text(encoding="utf-8")
    }


@dataclass
class Running:
    """A benchmark's process, what it prints passed on as it comes."""

    process: subprocess.Popen[str]
    say: Callable[[str], None]
    last: deque[str] = field(default_factory=lambda: deque(maxlen=20))

    def __post_init__(self) -> None:
        assert self.process.stdout is not None
        self._reader = threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True)
        self._reader.start()

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            self.last.append(line.rstrip())
            self.say(line.rstrip())

    def wait(self, seconds: float) -> str:
        """Until its end. What went wrong, or nothing."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.stop()
            return f"not done within {seconds / 60:.0f} minutes"
        except KeyboardInterrupt:
            self.stop()
            raise
        self._reader.join(2)  # a server that it left behind may hold the pipe
        return f"exit code {code}" + (f": {self.last[-1]}" if self.last else "")

    def stop(self) -> None:
        """As Ctrl-C would, so that it can stop its servers; then without asking. Its own processes and no others."""
        for number, patience in ((signal.SIGINT, _ENDING), (signal.SIGKILL, None)):
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(patience)


def run(path: Path, figures: Path, *, quick: bool, timeout: float, say: Callable[[str], None]) -> Outcome:
    """One benchmark. Never raises for what it does."""
    figures.unlink(missing_ok=True)
    before, began = load(), time.perf_counter()
    running = Running(
        subprocess.Popen(
            [sys.executable, str(path), *(["--quick"] if quick else [])],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            # An empty PYTHONDONTWRITEBYTECODE is none: modules are compiled once, as those of an installed package are.
            env=os.environ | {FIGURES: str(figures), "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": ""},
            start_new_session=True,
        ),
        say,
    )
    wrong = running.wait(timeout)
    return told(path.stem, figures, wrong, time.perf_counter() - began, before)


def told(name: str, figures: Path, wrong: str, seconds: float, before: float | None) -> Outcome:
    """What the file of figures says; a benchmark that did not tell its end failed, and `wrong` is why."""
    outcome = Outcome(name, seconds, before)
    lines = figures.read_text(encoding="utf-8").splitlines() if figures.exists() else []
    ended = False
    for line in lines:
        try:
            content = json.loads(line)
        except ValueError:
            break  # killed while it wrote
        kind = content.pop("kind")
        if kind == "row":
            outcome.rows.append(Row(**content))
        elif kind == "sizes":
            outcome.sizes |= content["sizes"]
        elif kind == "left-out":
            outcome.left_out.append((content["what"], content["why"]))
        elif kind == "peer":
            outcome.peers[content["name"]] = content["version"]
        ended = ended or kind == "end"
    outcome.failed = "" if ended else wrong
    return outcome


def run_all(
    paths: dict[str, Path], build: Path, *, quick: bool, timeout: float, say: Callable[[str], None]
) -> list[Outcome]:
    """All, in order. Ctrl-C ends the one that runs, and leaves out the rest."""
    build.mkdir(parents=True, exist_ok=True)
    outcomes: list[Outcome] = []
    for number, (name, path) in enumerate(paths.items(), 1):
        say(f"== {name} ({number} of {len(paths)}), load {load() or 0:.1f}")
        try:
            outcome = run(path, build / f"{name}.jsonl", quick=quick, timeout=timeout, say=say)
        except KeyboardInterrupt:
            outcomes.append(told(name, build / f"{name}.jsonl", INTERRUPTED, 0, None))
            break
        say(f"== {name}: {f'FAILED, {outcome.failed}' if outcome.failed else 'done'}, {outcome.seconds:.0f} s")
        outcomes.append(outcome)
    return outcomes


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(
        prog="python benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--quick", action="store_true", help="smaller sizes, for a look: minutes, not most of an hour")
    made.add_argument("--only", action="append", default=[], metavar="NAME", help="this one; may be given again")
    made.add_argument("--output", type=Path, metavar="PATH", help="where the page of results goes")
    made.add_argument("--timeout", type=float, default=30, metavar="MINUTES", help="for each; then it is ended (30)")
    made.add_argument("--list", action="store_true", help="name the benchmarks and their goals, and run nothing")
    return made


def main(argv: Sequence[str] | None = None, folder: Path = HERE, build: Path = BUILD) -> int:
    """Run, print the table, write the page."""
    options = parser()
    asked = options.parse_args(argv)
    found = discovered(folder)
    if unknown := set(asked.only) - set(found):
        options.error(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(found)}")
    goals = read_goals()
    if asked.list:
        for name in found:
            print(
                name,
                *(f"  {goal.bound()}: {goal.asked}" for goal in goals.values() if goal.benchmark == name),
                sep="\n",
            )
        return 0
    chosen = {name: path for name, path in found.items() if not asked.only or name in asked.only}
    whole = not asked.quick and len(chosen) == len(found)
    began, facts = datetime.now(UTC), machine(folder)
    hints = [hint for hint in (noise(), QUICK if asked.quick else "") if hint]
    outcomes = run_all(
        chosen, build, quick=asked.quick, timeout=asked.timeout * 60, say=lambda text: print(text, flush=True)
    )
    wanted = [goal for goal in goals.values() if not asked.only or goal.benchmark in chosen]
    show(outcomes, wanted, hints)
    whole = whole and outcomes[-1].failed != INTERRUPTED
    page = asked.output or (folder if whole else build) / "RESULTS.md"
    page.write_text(markdown(outcomes, wanted, facts, began, hints), encoding="utf-8")
    print(f"written: {os.path.relpath(page)}")
    return int(any(outcome.failed for outcome in outcomes) or len(outcomes) < len(chosen))
