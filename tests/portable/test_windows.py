"""What an administrator needs runs on Windows too: nothing in it asks for what only POSIX systems have.

This machine is none; `windows.py` hides from Sidedoor what Windows lacks, and `walk.py` does an administrator's work.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.portable.windows import LACKING, REFUSED, complaint

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "sidedoor"
ELSEWHERE = ("tests/exchange/test_command.py::test_all_of_it_and_the_audit_after", "tests/cli/test_check.py")
# Each asks first whether it is there.
GUARDED = {
    ("watch/channels/jsonl.py", "fcntl"), ("exchange/parts.py", "fcntl"), ("watch/many.py", "os.sched_getaffinity"),
    ("cli/alerts.py", "os.getuid"), ("watch/channels/syslog.py", "socket.AF_UNIX"),
}  # fmt: skip


def test_an_administrators_work_is_done_as_on_windows() -> None:
    if os.name == "nt":
        pytest.skip("this is Windows: the other tests say it")
    plugin = ["-n", "0", "-p", "tests.portable.windows"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *plugin, "tests/portable/walk.py", *ELSEWHERE],
        cwd=ROOT,
        env={**os.environ, "SIDEDOOR_TESTS_ON": "windows", "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
        capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-8_000:]
    assert " passed" in done.stdout


def of_posix(path: Path) -> Iterator[str]:
    """What a file imports or asks for that Windows lacks."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names if each.name in REFUSED)
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module in REFUSED:
                yield node.module
            lacking = LACKING.get(node.module, frozenset())
            yield from (f"{node.module}.{each.name}" for each in node.names if each.name in lacking)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = node.value.id
            yield from (f"{module}.{name}" for name in [node.attr] if name in LACKING.get(module, frozenset()))


def test_nothing_but_the_edge_names_what_windows_lacks_without_asking_first() -> None:
    files = [path for path in SOURCE.rglob("*.py") if not path.is_relative_to(SOURCE / "edge")]
    found = {(path.relative_to(SOURCE).as_posix(), name) for path in files for name in of_posix(path)}
    assert {each for each in found if not each[0].startswith(("cli/edge", "cli/milter"))} == GUARDED


@pytest.mark.parametrize(
    ("name", "taken"),
    [("con.example", False), ("contoso.com", True), ("a:b", False), ("a.", False), ("nul", False), ("..", True)],
)
def test_what_windows_takes_as_a_name(name: str, taken: bool) -> None:
    assert (complaint(name) == "") is taken
