"""Kill an edge under load 200 times and count: `python scripts/kill_run.py`. Exits with 1 if a message was lost."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.edge.kill_kit import run


def main() -> int:
    """Print the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        result = run(Path(name), wanted.kills, wanted.seed)
    print(
        f"{result.kills} kills in {result.seconds:.0f} s: {result.said:,} acknowledged, {len(result.lost)} lost, "
        f"{result.doubled} delivered twice, {result.unsaid} delivered though the sender never heard 250"
    )
    return 1 if result.lost else 0


if __name__ == "__main__":
    sys.exit(main())
