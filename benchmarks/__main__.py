"""`python benchmarks`: runs the benchmarks of this folder one after another; see `gather/run.py`."""

from __future__ import annotations

import sys

from gather.run import main

if __name__ == "__main__":
    sys.exit(main())
