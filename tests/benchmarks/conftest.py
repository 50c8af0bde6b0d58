"""The benchmarks' own package is found where the benchmarks find it."""

from __future__ import annotations

import sys
from pathlib import Path

# At the end: `spf`, `web` and others of that folder are names that nobody here means.
sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
