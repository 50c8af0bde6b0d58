"""Kill workers, machines and PostgreSQL under load, and count: `python scripts/several_edges_run.py`.

Two machines with two workers each take mail behind a balancer that speaks PROXY; they hold messages back in one
PostgreSQL, which is a server of its own that this script starts. Exits with 1 if a message was lost.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.edge.shared.faults import Result, run
from tests.store.postgres import MISSING


def main() -> int:
    """Print the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=60, help="workers to kill")
    parser.add_argument("--machines", type=int, default=10, help="machines to kill, with all of their processes")
    parser.add_argument("--restarts", type=int, default=10, help="restarts of PostgreSQL, stopped without warning")
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    if MISSING:
        print(f"left out: {MISSING}")
        return 0
    with tempfile.TemporaryDirectory() as name:
        result = run(Path(name), wanted.workers, wanted.machines, wanted.restarts, wanted.seed)
    print(
        f"{wanted.workers} workers killed, {wanted.machines} machines, PostgreSQL stopped {wanted.restarts} times, in "
        f"{result.seconds:.0f} s"
    )
    _show(result)
    return 1 if result.lost else 0


def _show(result: Result) -> None:
    refused = ", ".join(f"{count:,} by {code}" for code, count in sorted(result.refused.items())) or "none"
    print(f"  {result.kept:,} acknowledged, {result.held:,} of them held back and released in the end")
    print(f"  {len(result.lost):,} lost{''.join(f' {mark}' for mark in result.lost[:10])}")
    print(f"  {result.doubled:,} delivered twice")
    print(f"  {result.unsaid:,} delivered though the sender never heard 250")
    print(f"  refused: {refused}; {result.plain_refused:,} of these needed no database")
    print(f"  {result.doubtful:,} connections broke before an answer")


if __name__ == "__main__":
    sys.exit(main())
