"""How long the command takes to say anything, against a bare `import click` in the same run.

python benchmarks/startup.py [--quick] [--rounds 15]
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from gather.form import Bench

TENANT = Path(__file__).parents[1] / "tests" / "data" / "policy" / "tenant"
SIDEDOOR = [sys.executable, "-m", "sidedoor.cli.main"]
ASK = ["check", "--tenant", str(TENANT), "--from", "a@contoso.com", "--to", "b@contoso.com", "--ip", "192.0.2.7"]
FLOOR = "import click"
# what, command, goal
CASES = (
    ("sidedoor --help", [*SIDEDOOR, "--help"], "startup-help"),
    ("sidedoor check, one question", [*SIDEDOOR, *ASK], "startup-check"),
)


def seconds(command: Sequence[str], rounds: int) -> float:
    """Median wall-clock seconds of a process, after one run that fills the caches."""
    taken = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken[1:])


def main() -> int:
    """The floor, then ours."""
    bench = Bench(__file__, __doc__)
    bench.size("--rounds", 15, quick=5)
    rounds = bench.options().rounds
    floor = seconds([sys.executable, "-c", FLOOR], rounds) * 1000
    for what, command, goal in CASES:
        bench.tell(what, seconds(command, rounds) * 1000, "ms", (FLOOR, floor), goal=goal)
    return bench.end()


if __name__ == "__main__":
    sys.exit(main())
