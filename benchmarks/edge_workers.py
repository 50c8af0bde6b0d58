"""What a second worker of the edge brings: messages a second with `--workers 2` beside `--workers 1`, in the same run.

    python benchmarks/edge_workers.py [--messages 3000] [--rounds 3]

Load by Postfix's smtp-source: 2 KB messages, 40 connections at a time, one message each. Two ways: `answered` (a twin
that throws away what it takes) and `kept and passed on` (spool on disk, then delivered to Postfix's smtp-sink; the time
ends when the spools are empty). The goal, 1.6 times, is for a load generator that takes nothing from the workers:

- three cores or more: a core for each worker, the others for the load;
- fewer: each worker is held to 0.2 of a core by a cgroup of its own (needs root), so that the load has the rest for
  itself. Beside it the same without bounds, where the load takes from the workers what it needs; that has no goal.

"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.audit.audit_kit import accepted_domain, write_settings

from gather.form import Bench
from sidedoor.edge.spool.files import spool_files
from sidedoor.edge.spool.store import Store

CONNECTIONS = 40
SIZE = 2_000
GOAL = "workers"  # of gather/goals.toml
SHARE = 0.2  # of a core, for each of two workers; the load and the next hop need less than the rest of two
PERIOD = 20_000  # microseconds
WAYS = ("answered", "kept and passed on")
GROUPS = (Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup"))  # version 1, version 2
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Place:
    """Where workers and load run. cores: one for each worker; load: for the rest; share: of a core for each worker."""

    name: str
    cores: Sequence[int]
    load: Sequence[int]
    share: float | None = None
    goal: str = ""


def places(bench: Bench) -> list[Place]:
    """Those that this machine allows."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) >= 3:
        return [Place("a core for each worker, the load on others", cores[:2], cores[2:], goal=GOAL)]
    if len(cores) < 2:
        bench.left_out("everything", "two workers need two cores")
        return []
    together = Place("a core for each worker, the load on the same cores", cores, cores)
    held = Place(f"{SHARE} of a core for each worker, the load on what is left", cores, cores, SHARE, GOAL)
    if _group_root() is None:
        bench.left_out("workers held to a share of a core", "needs root and a cgroup that may be written")
        return [together]
    return [held, together]


def _group_root() -> Path | None:
    for root in GROUPS:
        with suppress(OSError):
            probe = root / "sidedoor-bench"
            probe.mkdir(exist_ok=True)
            found = (probe / "cpu.cfs_quota_us").exists() or (probe / "cpu.max").exists()
            probe.rmdir()
            if found:
                return root
    return None


@contextmanager
def group(number: int, pid: int, share: float) -> Iterator[None]:
    """Hold a process to a share of a core (kernel.org: CFS bandwidth control; cgroup-v2, cpu.max)."""
    root = _group_root()
    assert root is not None
    made = root / f"sidedoor-bench-{number}"
    made.mkdir(exist_ok=True)
    quota = int(PERIOD * share)
    if (made / "cpu.max").exists():
        (made / "cpu.max").write_text(f"{quota} {PERIOD}")
    else:
        (made / "cpu.cfs_period_us").write_text(str(PERIOD))
        (made / "cpu.cfs_quota_us").write_text(str(quota))
    (made / "cgroup.procs").write_text(str(pid))
    try:
        yield
    finally:
        with suppress(OSError):  # the process has ended, or goes back to where it came from
            (root / "cgroup.procs").write_text(str(pid))
        time.sleep(0.05)
        made.rmdir()


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listening(port: int) -> int:
    """How many sockets listen on it (proc(5): state 0A)."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1].endswith(f":{port:04X}") and row[3] == "0A" for row in rows)


def children(pid: int) -> list[int]:
    """The processes it has started."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def cpu(pids: Sequence[int]) -> float:
    """Seconds of processor time that they have used."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    return sum(int(each[11]) + int(each[12]) for each in fields) / TICKS


def pin(pid: int, cores: Sequence[int]) -> None:
    """All of its threads."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), set(cores))


@dataclass
class Edge:
    """A running edge. pids: of its workers."""

    port: int
    pids: list[int]
    spool: Path

    def is_empty(self) -> bool:
        """Whether all that it took is gone."""
        for path in spool_files(self.spool):
            store = Store(path)
            waiting = store.count()
            store.close()
            if waiting:
                return False
        return True


@contextmanager
def running(folder: Path, way: str, workers: int, hop: int) -> Iterator[Edge]:
    """`sidedoor edge` with so many workers, all of which listen."""
    port, spool = free_port(), folder / f"spool-{time.monotonic_ns()}"
    tenant = write_settings(folder / f"tenant-{port}", [accepted_domain("contoso.example", Default=True)])
    command = [sys.executable, "-m", "sidedoor", "edge", "--tenant", str(tenant), "--listen", f"127.0.0.1:{port}",
               "--workers", str(workers)]  # fmt: skip
    if way != WAYS[0]:
        command += ["--spool", str(spool), "--next-hop", f"127.0.0.1:{hop}"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(1_200):
                if listening(port) == workers:
                    break
                time.sleep(0.05)
            else:
                raise SystemExit("the edge does not listen")
            yield Edge(port, children(process.pid) if workers > 1 else [process.pid], spool)
        finally:
            process.send_signal(signal.SIGTERM)


@contextmanager
def sink(cores: Sequence[int]) -> Iterator[int]:
    """Postfix's smtp-sink as the next hop, on the load's cores."""
    port = free_port()
    who = ["-u", "nobody"] if os.getuid() == 0 else []
    with subprocess.Popen(["smtp-sink", *who, f"127.0.0.1:{port}", "1024"]) as process:
        pin(process.pid, cores)
        try:
            while not listening(port):
                time.sleep(0.02)
            yield port
        finally:
            process.terminate()


class Run(NamedTuple):
    """Messages a second; microseconds of processor time that a message took, of all workers and of the load."""

    rate: float
    worker: float
    load: float


def send(edge: Edge, messages: int, cores: Sequence[int]) -> float:
    """Seconds until all are taken and, where there is a spool, gone."""
    command = ["smtp-source", "-s", str(CONNECTIONS), "-m", str(messages), "-l", str(SIZE), "-f", "app@far.example",
               "-t", "desk@contoso.example", f"127.0.0.1:{edge.port}"]  # fmt: skip
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        pin(process.pid, cores)
    assert process.returncode == 0, "smtp-source was refused"
    while not edge.is_empty():
        time.sleep(0.02)
    return time.perf_counter() - started


def one_run(folder: Path, place: Place, way: str, workers: int, messages: int) -> Run:
    """Start, warm up, measure."""
    with sink(place.load) as hop, running(folder, way, workers, hop) as edge, ExitStack() as bounds:
        for pid, core in zip(edge.pids, place.cores, strict=False):
            pin(pid, [core])
        send(edge, 200, place.load)
        for number, pid in enumerate(edge.pids if place.share else ()):
            bounds.enter_context(group(number, pid, place.share or 1.0))
        before, used = cpu(edge.pids), _children_cpu()
        seconds = send(edge, messages, place.load)
        of_load = _children_cpu() - used
        return Run(messages / seconds, (cpu(edge.pids) - before) / messages * 1e6, of_load / messages * 1e6)


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def compare(bench: Bench, folder: Path, place: Place, way: str, messages: int, *, rounds: int) -> None:
    """One worker and two in turn."""
    runs: dict[int, list[Run]] = {1: [], 2: []}
    for _ in range(rounds):
        for workers, done in runs.items():
            done.append(one_run(folder, place, way, workers, messages))
    print(f"{way}; {place.name}", flush=True)
    for workers, done in runs.items():
        found = Run(*map(statistics.median, zip(*done, strict=True)))
        print(
            f"  {workers} worker{'s' * (workers > 1):2}{found.rate:>8,.0f} a second; a message takes "
            f"{found.worker:,.0f} µs of the workers' cores and {found.load:,.0f} µs of smtp-source's",
            flush=True,
        )
    one, two = ([each.rate for each in runs[workers]] for workers in (1, 2))
    what = f"{way}, {f'{place.share} of a core each' if place.share else place.name}"
    bench.tell_pairs(what, two, "/s", "one worker", one, goal=place.goal)


def main() -> int:
    """Measure and tell."""
    bench = Bench(__file__, __doc__)
    bench.size("--messages", 3_000, quick=1_000, text="half of them to be kept")
    bench.size("--rounds", 3, quick=1)
    wanted = bench.options()
    if shutil.which("smtp-source") is None or sys.platform != "linux":
        bench.left_out("everything", "workers need Linux, and the load Debian's package postfix")
        return bench.end()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        for place in places(bench):
            for number, way in enumerate(WAYS):
                compare(bench, folder, place, way, wanted.messages // (1 + number), rounds=wanted.rounds)
    return bench.end()


if __name__ == "__main__":
    sys.exit(main())
