"""Workers of a real edge, killed one by one under load; and what became of every message that was acknowledged."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from aiosmtpd.controller import Controller

from tests.edge.kill_kit import Edge, Load, Sink, _wait_for
from tests.ports import free_port


def workers_of(pid: int) -> list[int]:
    """The processes that a parent has started and that have not ended, the oldest first."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(each) for each in listed if not _is_over(int(each))]


def _is_over(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def until(holds: Callable[[], object], seconds: float = 90.0) -> None:
    """Wait for it."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.05)


@dataclass
class Result:
    """As `kill_kit.Result`; `restarts`: workers that were killed and came again."""

    kills: int
    said: int
    lost: Sequence[str]
    doubled: int
    restarts: int
    lines: int


def kill_workers(folder: Path, kills: int, seed: int = 1) -> Result:
    """Kill one of two workers so many times, then let the edge end in order."""
    dice, sink = random.Random(seed), Sink()
    hop = Controller(sink, hostname="127.0.0.1", port=free_port())
    hop.start()
    edge = Edge(folder, hop.port, "--workers", "2", "--log", str(folder / "log.jsonl"))
    edge.start()
    until(lambda: len(workers_of(edge.pid)) == 2)
    load, restarts = Load(edge.port), 0
    try:
        for _ in range(kills):
            seen = len(load.said)
            until(lambda seen=seen: len(load.said) > seen + 10)  # type: ignore[misc]
            time.sleep(dice.uniform(0.0, 0.5))
            before = workers_of(edge.pid)
            os.kill(dice.choice(before), signal.SIGKILL)
            until(lambda before=before: len(workers_of(edge.pid)) == 2 and workers_of(edge.pid) != before)  # type: ignore[misc]
            restarts += 1
        load.stop()
        _wait_for(sink, load.said)
        assert edge.end(signal.SIGTERM) == 0
    finally:
        load.stop()
        hop.stop()
        with suppress(ProcessLookupError):
            os.kill(edge.pid, signal.SIGKILL)
    lost = sorted(load.said - sink.got.keys())
    lines = sum(1 for _ in (folder / "log.jsonl").open("rb"))
    return Result(kills, len(load.said), lost, sum(sink.got.values()) - len(sink.got), restarts, lines)
