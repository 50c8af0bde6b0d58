"""JSON lines: whole lines, each delivery once, whatever was torn, rotated or full."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidedoor.store.model import Occasion
from sidedoor.watch.channels.interface import PermanentError, TemporaryError
from sidedoor.watch.channels.jsonl import SCHEMA, JsonlChannel
from tests.watch.channel_kit import ALERT, alert


def send(channel: JsonlChannel, delivery: str = "D1", *, repeat: bool = False) -> None:
    """The usual alert."""
    channel.send(ALERT, Occasion.RAISED, "contoso.example", delivery, repeat=repeat)


def lines(path: Path) -> list[dict[str, object]]:
    """Whole lines of a file; what was torn off is none."""
    found = []
    for line in path.read_bytes().splitlines():
        with suppress(ValueError):
            found.append(json.loads(line))
    return found


def test_a_line_has_all_there_is(tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl"
    send(JsonlChannel("siem", path))
    (line,) = lines(path)
    assert line["schema"] == SCHEMA
    assert line["delivery"] == "D1"
    assert line["evidence"][1] == {"name": "HELO", "value": "MFP-HQ9"}  # type: ignore[index]
    assert line["time"] == "2026-11-20T09:30:15Z"
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("before", [0, 1, 3])
def test_a_repeat_that_is_there_is_not_written_again(tmp_path: Path, before: int) -> None:
    channel = JsonlChannel("siem", tmp_path / "alerts.jsonl")
    for number in range(before):
        send(channel, f"D{number}")
    send(channel, "D0", repeat=True)
    assert [line["delivery"] for line in lines(channel.path)].count("D0") == 1


def test_an_id_within_another_text_is_not_the_delivery(tmp_path: Path) -> None:
    channel = JsonlChannel("siem", tmp_path / "alerts.jsonl")
    channel.send(alert(title='"D9"', subject="D9"), Occasion.RAISED, "D9", "D1", repeat=False)
    send(channel, "D9", repeat=True)
    assert [line["delivery"] for line in lines(channel.path)] == ["D1", "D9"]


@given(st.data())
def test_a_torn_last_line_costs_no_message(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    channel = JsonlChannel("siem", tmp_path_factory.mktemp("torn") / "alerts.jsonl")
    send(channel, "D0")
    first = channel.path.stat().st_size
    send(channel, "D1")
    whole = channel.path.read_bytes()
    cut = data.draw(st.integers(first, len(whole)))
    channel.path.write_bytes(whole[:cut])
    send(channel, "D1", repeat=True)
    send(channel, "D2")
    assert [line["delivery"] for line in lines(channel.path)] == ["D0", "D1", "D2"]
    assert channel.path.read_bytes().endswith(b"}\n")


def test_rotation_keeps_so_many_files_and_looks_into_all(tmp_path: Path) -> None:
    channel = JsonlChannel("siem", tmp_path / "alerts.jsonl", most_bytes=1, kept=3)
    for number in range(6):
        send(channel, f"D{number}")
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"alerts.jsonl.{number}" for number in (1, 2, 3)]
    assert [lines(tmp_path / f"alerts.jsonl.{number}")[0]["delivery"] for number in (1, 2, 3)] == ["D5", "D4", "D3"]
    send(channel, "D3", repeat=True)
    assert not channel.path.exists() or not lines(channel.path)
    send(channel, "D0", repeat=True)  # gone for good: written again, marked
    assert lines(tmp_path / "alerts.jsonl.1")[0]["repeat"] is True


def test_rotation_by_another_program_is_taken_up(tmp_path: Path) -> None:
    channel = JsonlChannel("siem", tmp_path / "alerts.jsonl")
    send(channel, "D1")
    channel.path.rename(tmp_path / "alerts.jsonl.1")
    send(channel, "D1", repeat=True)
    send(channel, "D2")
    assert [line["delivery"] for line in lines(channel.path)] == ["D2"]


def test_two_at_once_write_whole_lines(tmp_path: Path) -> None:
    channel = JsonlChannel("siem", tmp_path / "alerts.jsonl", most_bytes=4_000, kept=100)

    def run(name: str) -> None:
        for number in range(30):
            send(channel, f"{name}{number}")

    threads = [threading.Thread(target=run, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    written = [line["delivery"] for path in tmp_path.iterdir() for line in lines(path)]
    assert len(written) == len(set(written)) == 90


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_is_temporary_and_leaves_no_half_line(tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl"
    send(JsonlChannel("siem", path), "D1")
    before = path.read_bytes()
    code = (
        "import resource, signal, sys; from pathlib import Path; from tests.watch.test_jsonl import *\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({len(before) + 100},) * 2)\n"
        "try:\n    send(JsonlChannel('siem', Path(sys.argv[1])), 'D2')\n"
        "except TemporaryError as error:\n    print('temporary', error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=60, check=True,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.stdout.startswith("temporary")
    assert path.read_bytes() == before


@pytest.mark.parametrize("what", ["no folder", "a folder", "a pipe", "a device"])
def test_what_is_no_file_is_said_and_permanent(tmp_path: Path, what: str) -> None:
    path = tmp_path / "alerts.jsonl"
    if what == "no folder":
        path = tmp_path / "none" / "alerts.jsonl"
    elif what == "a folder":
        path.mkdir()
    elif what == "a pipe":
        os.mkfifo(path)
    else:
        path = Path(os.devnull)
    with pytest.raises(PermanentError, match=path.name):
        send(JsonlChannel("siem", path))


def test_a_lock_that_is_kept_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    import fcntl

    path = tmp_path / "alerts.jsonl"
    with path.open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(TemporaryError):
            send(JsonlChannel("siem", path, patience=0.2))
    send(JsonlChannel("siem", path))


@given(st.text())
def test_whatever_a_stranger_writes_is_one_line_that_reads_back(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    channel = JsonlChannel("siem", tmp_path_factory.mktemp("text") / "alerts.jsonl")
    channel.send(alert(title=text, evidence=((text, text),)), Occasion.RAISED, text, text or "D", repeat=False)
    (line,) = channel.path.read_bytes().splitlines()
    read = json.loads(line)
    assert read["title"] == text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert len(read["evidence"]) == 1
