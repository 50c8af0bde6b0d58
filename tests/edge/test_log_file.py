"""The file of the decision log: whole lines of several processes, whatever becomes of one of them."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from sidedoor.edge.interface import DecisionRecord, Listener, Outcome, Recipient, Session
from sidedoor.edge.log import JsonLog
from sidedoor.mail.address import parse_address
from sidedoor.mail.network import parse_ip
from tests.edge.test_reception import DIRECT, NOW, TAKEN

WRITER = """
import sys
from pathlib import Path
from tests.edge.test_log_file import record
from sidedoor.edge.log import JsonLog
waiting = []
log = JsonLog(Path(sys.argv[1]), waiting.append, print)
for batch in range(120):
    for number in range(1, 1 + batch % 40):
        log.write(record(f"{sys.argv[2]}-{batch}-{number}"))
    while waiting:
        waiting.pop()()
log.close()
"""


def record(transaction: str) -> DecisionRecord:
    session = Session("0123456789abcdef", Listener.SMTP, parse_ip("203.0.113.10"), 4711)
    to = Recipient(parse_address("desk@contoso.com"), DIRECT, TAKEN, NOW)
    return DecisionRecord(session, transaction, parse_address("scan@contoso.com"), to, Outcome.KEPT, False, NOW)


class Written:
    """A log of one process, written when `flush` is called."""

    def __init__(self, path: Path, *, alone: bool = False) -> None:
        self.said: list[str] = []
        self._soon: list[Callable[[], None]] = []
        self.log = JsonLog(path, self._soon.append, self.said.append, alone=alone)

    def write(self, *transactions: str) -> None:
        for each in transactions:
            self.log.write(record(each))
        while self._soon:
            self._soon.pop()()


def transactions(path: Path) -> list[str]:
    """Of the lines that can be read, in order; `""` for another."""
    found = []
    for line in path.read_bytes().split(b"\n")[:-1]:
        try:
            found.append(json.loads(line)["transaction"])
        except ValueError:
            found.append("")
    return found


def test_processes_that_write_at_once_do_not_mix(tmp_path: Path) -> None:
    path, root = tmp_path / "log.jsonl", Path(__file__).parents[2]
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(each)], cwd=root) for each in range(3)]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    found = transactions(path)
    each = sum(batch % 40 for batch in range(120))
    assert Counter(name.partition("-")[0] for name in found) == {"0": each, "1": each, "2": each}


def test_half_a_line_of_one_that_was_killed_spoils_nobody_elses(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    one = Written(path)
    one.write("a")
    with path.open("ab") as torn:
        torn.write(b'{"schema":"sidedoor/edge-l')
    one.write("b", "c")
    Written(path).write("d")
    assert transactions(path) == ["a", "", "b", "c", "d"]


def test_who_is_in_the_middle_of_writing_is_not_taken_for_dead(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    one = Written(path)
    with path.open("ab") as writing:
        writing.write(b"x")
        writing.flush()
        fcntl.flock(writing, fcntl.LOCK_SH)
        one.write("a")
        assert not path.read_bytes().startswith(b"x\n")
        fcntl.flock(writing, fcntl.LOCK_UN)
    one.write("b")
    assert transactions(path)[-1] == "b"


def test_who_writes_alone_mends_what_an_earlier_process_left(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"schema":"sidedoor/edge-l')
    one = Written(path, alone=True)
    one.write("a")
    one.write("b")
    assert transactions(path) == ["", "a", "b"]


@pytest.mark.parametrize("alone", [True, False])
def test_a_line_that_found_no_room_is_written_again_as_a_whole(tmp_path: Path, alone: bool) -> None:
    path = tmp_path / "log.jsonl"
    one = Written(path, alone=alone)
    one.write("a")
    line = path.stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # setrlimit(2): write fails with EFBIG instead
    resource.setrlimit(resource.RLIMIT_FSIZE, (line * 2 + 100, before[1]))
    try:
        one.write("b", "c", "d")  # one more fits, and a part of the next
        one.write("e")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert len(one.said) == 1
    one.write("f")
    assert [name for name in transactions(path) if name] == ["a", "b", "c", "d", "e", "f"]
    assert one.log.lost == 0


def test_a_pipe_is_a_log_too() -> None:
    reading, writing = os.pipe()
    one = Written(Path(f"/proc/self/fd/{writing}"))
    one.write("a")
    assert json.loads(os.read(reading, 65_536))["transaction"] == "a"
