"""A run of `watch` in a process of its own, to be killed or starved: -m tests.watching.child FOLDER TIME [LIMIT].

LIMIT: octets that no file may grow beyond, as on a full disk.
"""

from __future__ import annotations

import resource
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from sidedoor.watch.live import tools_of
from sidedoor.watch.rounds import Result, Round, Say
from sidedoor.watch.tools import Tools
from sidedoor.watch.workspace import Workspace


def run(folder: Path, now: datetime) -> Result:
    """One run at a time."""

    def tools(workspace: Workspace, *, collect: bool, say: Say) -> Tools:
        return replace(tools_of(workspace, collect=collect, say=say), now=lambda: now)

    return Round([folder], say=lambda _: None, tools=tools).one(folder)


if __name__ == "__main__":
    if len(sys.argv) > 3:
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # an error of the write in place of the end of the process
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
    sys.stdout.write("go\n")
    sys.stdout.flush()
    result = run(Path(sys.argv[1]), datetime.fromisoformat(sys.argv[2]))
    sys.stdout.write(f"{result.error or 'done'}\n")
    sys.exit(result.code)
