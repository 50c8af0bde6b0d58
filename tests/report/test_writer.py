"""All files or none, and a sentence where the disk does not play along."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sidedoor.errors import SidedoorError
from sidedoor.evidence.record import RejectedRow
from sidedoor.report.atomic import partial_of
from sidedoor.report.csv_report import RejectedRowsWriter
from sidedoor.report.writer import write_all
from tests.report.example import ready_audit, rich_audit

NAMES = ["report.html", "report.json", "senders.csv", "tenant.json"]


def test_writes_four_files(tmp_path: Path) -> None:
    written = write_all(rich_audit(), tmp_path / "a" / "b")
    assert [path.name for path in written] == NAMES
    assert sorted(path.name for path in (tmp_path / "a" / "b").iterdir()) == NAMES
    assert json.loads(written[1].read_bytes())["readiness"]["state"] == "not-ready"


def test_replaces_an_earlier_report(tmp_path: Path) -> None:
    write_all(rich_audit(), tmp_path)
    write_all(ready_audit(), tmp_path)
    assert json.loads((tmp_path / "report.json").read_bytes())["readiness"]["state"] == "ready"


def test_never_writes_through_a_link_in_the_way(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    partial_of(tmp_path / "report.json").symlink_to(victim)
    write_all(rich_audit(), tmp_path)
    assert victim.read_bytes() == b"mine"


@pytest.mark.parametrize("blocked", ["", *NAMES])
def test_says_which_place_cannot_be_written(tmp_path: Path, blocked: str) -> None:
    place = tmp_path / "out"
    if blocked:
        (place / blocked / "in the way").mkdir(parents=True)
    else:
        place.write_bytes(b"")
    with pytest.raises(SidedoorError, match=r"out.*: cannot be written \(.+\)"):
        write_all(rich_audit(), place)
    assert not list(tmp_path.rglob("*.partial"))


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """A disk that takes no more than `size` bytes a file; CPython ignores SIGXFSZ, so writing fails."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.skipif(sys.platform == "win32", reason="needs RLIMIT_FSIZE")
def test_a_full_disk_leaves_the_earlier_report_whole(tmp_path: Path) -> None:
    write_all(ready_audit(), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with largest_file(20_000), pytest.raises(SidedoorError, match="cannot be written"):
        write_all(rich_audit(), tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def write_rejected(path: Path) -> None:
    with RejectedRowsWriter(path) as rejected:
        for number in range(10_000):
            rejected.write("trace.csv", RejectedRow(number, "a NUL character", "x" * 100))


@pytest.mark.skipif(sys.platform == "win32", reason="needs RLIMIT_FSIZE")
def test_a_full_disk_while_rows_are_rejected(tmp_path: Path) -> None:
    with largest_file(20_000), pytest.raises(SidedoorError, match=r"rejected_rows\.csv: cannot be written"):
        write_rejected(tmp_path / "rejected_rows.csv")
    assert list(tmp_path.iterdir()) == []
