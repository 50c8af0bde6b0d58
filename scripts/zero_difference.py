"""Compare the rule, a live edge and the audit of its log on many random envelopes: `python scripts/zero_difference.py`.

Each seed is a tenant of its own. Prints counts, and each difference; exits with 1 if there is one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.edge.difference_kit import Authority, Count, run


def main() -> int:
    """Run seeds until so many envelopes have been compared."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--envelopes", type=int, default=100_000)
    parser.add_argument("--connections", type=int, default=1_500, help="of each tenant")
    parser.add_argument("--seed", type=int, default=1_000)
    wanted = parser.parse_args()
    total, seed, started = Count(), wanted.seed, time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        authority = Authority(Path(name) / "ca")
        while total.envelopes < wanted.envelopes and not total.differences:
            folder = Path(name) / f"seed-{seed}"
            folder.mkdir()
            _add(total, run(folder, seed, wanted.connections, authority))
            seed += 1
    print(
        f"{seed - wanted.seed} tenants, {total.connections:,} connections ({total.under_tls:,} under TLS), "
        f"{total.envelopes:,} envelopes ({total.refused:,} refused), {len(total.differences)} differences, "
        f"{time.monotonic() - started:.0f} s"
    )
    for difference in total.differences[:20]:
        print(difference)
    return 1 if total.differences else 0


def _add(total: Count, one: Count) -> None:
    total.connections += one.connections
    total.envelopes += one.envelopes
    total.refused += one.refused
    total.under_tls += one.under_tls
    total.differences += one.differences


if __name__ == "__main__":
    sys.exit(main())
