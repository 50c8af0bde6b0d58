"""How long the command takes to say anything, against a bare `import click` in the same run.

    python benchmarks/startup.py [rounds]

Prints a table: median seconds, ratio to the floor, and the limit. Exits with 1 where a limit is exceeded.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

TENANT = Path(__file__).parents[1] / "tests" / "data" / "policy" / "tenant"
SIDEDOOR = [sys.executable, "-m", "sidedoor.cli.main"]
ASK = ["check", "--tenant", str(TENANT), "--from", "a@contoso.com", "--to", "b@contoso.com", "--ip", "192.0.2.7"]
# name, command, limit in seconds (None: a floor, nothing to hold)
CASES: tuple[tuple[str, Sequence[str], float | None], ...] = (
    ("python -c pass", [sys.executable, "-c", "pass"], None),
    ("python -c 'import click'", [sys.executable, "-c", "import click"], None),
    ("sidedoor --help", [*SIDEDOOR, "--help"], 0.3),
    ("sidedoor check, one question", [*SIDEDOOR, *ASK], 0.4),
)
FLOOR = 1


def seconds(command: Sequence[str], rounds: int) -> float:
    """Median wall-clock seconds of a process, after one run that fills the caches."""
    taken = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken[1:])


def main(rounds: int) -> int:
    """Measure, print, and return the exit code."""
    medians = [seconds(command, rounds) for _, command, _ in CASES]
    late = 0
    print(f"{'':32}{'median s':>9}{'ratio':>7}{'limit':>7}")
    for (name, _, limit), median in zip(CASES, medians, strict=True):
        late += limit is not None and median > limit
        print(f"{name:32}{median:9.3f}{median / medians[FLOOR]:7.2f}{'' if limit is None else limit:>7}")
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 7))
