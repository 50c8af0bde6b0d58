"""The parent of workers, with workers that do nothing but what a test asks of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tests.edge.workers.kit import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers need Linux")
_PROGRAM = """
import os, signal, sys, time
from pathlib import Path
from sidedoor.edge.workers.supervisor import Pace, Supervisor

folder = Path(sys.argv[1])

def say(text):
    print(text, file=sys.stderr, flush=True)

def starts(number):
    with (folder / f"starts-{number}").open("a") as file:
        file.write(f"{os.getpid()}\\n")
    return len((folder / f"starts-{number}").read_text().split())

def work(line):
    count = starts(line.number)
%s

pace = Pace(waits=(0.0, 0.1, 0.2), lived=600.0, starting=%s, silent=%s, ending=1.0)
sys.exit(Supervisor(2, work, say, pace).run())
"""
_READY = "    line._say(b'r')\n"
_SERVE = _READY + "    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))\n    time.sleep(60)\n    return 0\n"


class Parent:
    """A supervisor in a process of its own, and what it says."""

    def __init__(self, folder: Path, work: str, starting: float = 30.0, silent: float = 30.0) -> None:
        self.folder, self._said = folder, folder / "said"
        program = _PROGRAM % (textwrap.dedent(work) if work[0] != " " else work, starting, silent)
        with self._said.open("wb") as said:
            self.process = subprocess.Popen([sys.executable, "-c", program, str(folder)], stderr=said)

    def starts(self, number: int) -> list[int]:
        """The processes that were this worker."""
        path = self.folder / f"starts-{number}"
        return [int(pid) for pid in path.read_text().split()] if path.exists() else []

    def until(self, number: int, count: int) -> list[int]:
        """Wait until it was started so many times."""
        end = time.monotonic() + 60
        while len(self.starts(number)) < count:
            assert time.monotonic() < end, self.said()
            assert self.process.poll() is None, self.said()
            time.sleep(0.02)
        return self.starts(number)

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)

    def said(self) -> str:
        return self._said.read_text()


def test_one_that_dies_is_started_again_and_the_other_goes_on(tmp_path: Path) -> None:
    parent = Parent(tmp_path, _SERVE)
    other = parent.until(2, 1)
    for count in range(1, 4):
        os.kill(parent.until(1, count)[-1], signal.SIGKILL)
    parent.until(1, 4)
    assert parent.starts(2) == other
    assert parent.end() == 0
    assert parent.said().count("worker 1 was killed by signal 9; it is started again") == 3
    assert "again in 0.1 s" in parent.said()
    assert "again in 0.2 s" in parent.said()


def test_the_second_waits_for_the_first(tmp_path: Path) -> None:
    work = "    if line.number == 2: (folder / 'found').write_text(str((folder / 'ready').exists()))\n"
    work += "    time.sleep(0.3)\n    (folder / 'ready').touch()\n" + _SERVE
    parent = Parent(tmp_path, work)
    until((tmp_path / "found").exists)
    assert parent.end() == 0
    assert (tmp_path / "found").read_text() == "True"


@pytest.mark.parametrize(("work", "code"), [("    return 3\n", 3), ("    os.kill(os.getpid(), 9)\n", 137)])
def test_one_that_cannot_start_is_the_end(tmp_path: Path, work: str, code: int) -> None:
    parent = Parent(tmp_path, work)
    assert parent.process.wait(60) == code
    assert (len(parent.starts(1)), len(parent.starts(2))) == (1, 0)


def test_one_that_cannot_start_again_does_not_take_the_other_with_it(tmp_path: Path) -> None:
    """Its settings are broken for the moment, say."""
    parent = Parent(tmp_path, "    if count in (2, 3): return 3\n" + _SERVE)
    [other] = parent.until(2, 1)
    os.kill(parent.until(1, 1)[0], signal.SIGKILL)
    parent.until(1, 4)
    assert parent.starts(2) == [other]
    assert parent.said().count("ended with code 3") == 2
    assert parent.end() == 0


def test_where_none_can_start_again_it_is_the_end(tmp_path: Path) -> None:
    parent = Parent(tmp_path, "    if count > 1: return 3\n" + _SERVE)
    both = parent.until(1, 1) + parent.until(2, 1)
    for pid in both:
        os.kill(pid, signal.SIGKILL)
    assert parent.process.wait(60) == 3


def test_who_is_killed_while_it_starts_has_not_failed(tmp_path: Path) -> None:
    work = "    if count > 1:\n        time.sleep(0.5)\n" + _SERVE
    parent = Parent(tmp_path, work)
    for pid in parent.until(1, 1) + parent.until(2, 1):
        os.kill(pid, signal.SIGKILL)
    for number in (1, 2):  # none is up now
        os.kill(parent.until(number, 2)[-1], signal.SIGKILL)
        parent.until(number, 3)
    assert parent.end() == 0


def test_one_that_hangs_is_killed_and_started_again(tmp_path: Path) -> None:
    work = _READY + "    if count == 1 and line.number == 1: time.sleep(60)\n"
    work += "    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))\n"
    work += "    while True:\n        line._say(b'.')\n        time.sleep(0.1)\n"
    parent = Parent(tmp_path, work, silent=2.0)
    parent.until(1, 2)
    assert "worker 1 has given no sign of life" in parent.said()
    assert (len(parent.starts(1)), len(parent.starts(2))) == (2, 1)
    assert parent.end() == 0


def test_one_that_does_not_come_up_is_killed(tmp_path: Path) -> None:
    parent = Parent(tmp_path, "    time.sleep(60)\n", starting=0.5)
    assert parent.process.wait(60) == 137


def test_one_that_does_not_end_is_killed(tmp_path: Path) -> None:
    parent = Parent(tmp_path, "    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + _READY + "    time.sleep(60)\n")
    pids = parent.until(1, 1) + parent.until(2, 1)
    assert parent.end() == 0
    assert parent.said().count("does not end, and is killed") == 2
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_a_hang_up_is_passed_on_also_to_one_that_is_still_starting(tmp_path: Path) -> None:
    work = "    time.sleep(0.5 if line.number == 2 else 0)\n"
    work += "    signal.signal(signal.SIGHUP, lambda *_: (folder / f'hup-{line.number}').touch())\n" + _SERVE
    parent = Parent(tmp_path, work)
    parent.until(2, 1)
    parent.process.send_signal(signal.SIGHUP)
    until(lambda: {path.name for path in tmp_path.glob("hup-*")} == {"hup-1", "hup-2"})
    assert parent.end(signal.SIGINT) == 0
