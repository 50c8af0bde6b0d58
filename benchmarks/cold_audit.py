"""A tenant's first look at itself: a whole audit as a process of its own, from start to report.

    python benchmarks/cold_audit.py [--quick] [--messages 100000] [--rounds 3]

Two inputs: a message trace of so many rows, as CSV, and what `sidedoor demo` makes of so many messages (seven formats,
2.7 rows a message). The floor is a process that imports what every audit needs and does nothing.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from audit_scale import FLOWS, GENERATE, TENANT, python, timed
from gather.form import Bench

NOTHING = "import duckdb, jinja2, sidedoor.cli.main, sidedoor.audit.run, sidedoor.report.writer"
SIDEDOOR = (sys.executable, "-m", "sidedoor")


def trace(folder: Path, rows: int) -> list[str]:
    """What to audit of a message trace."""
    (folder / "tenant").mkdir()
    for file, content in TENANT.items():
        (folder / "tenant" / file).write_text(json.dumps(content))
    python(GENERATE, str(rows), str(FLOWS), str(folder / "trace.csv"))
    return [str(folder / "trace.csv"), "--tenant", str(folder / "tenant"), "--offline"]


def demo(folder: Path, messages: int) -> list[str]:
    """What to audit of the invented tenant."""
    made = folder / "demo"
    subprocess.run([*SIDEDOOR, "demo", str(made), "--rows", str(messages)], check=True, stdout=subprocess.DEVNULL)
    return [str(made), "--dns", str(made / "zones")]


def main() -> int:
    """Both inputs beside the floor."""
    bench = Bench(__file__, __doc__)
    bench.size("--messages", 100_000, quick=100_000)
    bench.size("--rounds", 3, quick=1)
    asked = bench.options()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        floor = statistics.median(python(NOTHING)[0] for _ in range(asked.rounds))
        inputs = {
            f"a trace of {asked.messages:,} rows": trace(folder, asked.messages),
            f"{asked.messages:,} messages in seven formats": demo(folder, asked.messages),
        }
        for what, given in inputs.items():
            command = [*SIDEDOOR, "audit", *given, "--quiet", "-o", str(folder / "out")]
            seconds = statistics.median(timed(*command)[0] for _ in range(asked.rounds))
            bench.tell(what, seconds, "s", ("imports alone", floor), goal="audit-cold")
    return bench.end()


if __name__ == "__main__":
    sys.exit(main())
