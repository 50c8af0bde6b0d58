"""The shape of the code: sizes, who prints, what start-up imports, which way imports point, no traces of a machine."""

from __future__ import annotations

import ast
import re
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PYTHON = sorted(path for folder in ("src", "tests", "benchmarks", "scripts") for path in (ROOT / folder).rglob("*.py"))
SOURCE = [path for path in PYTHON if path.is_relative_to(ROOT / "src")]
HEAVY = (
    "duckdb",
    "jinja2",
    "dns",
    "rich",
    "ijson",
    "defusedxml",
    "openpyxl",
    "idna",
    "sidedoor.audit",
    "sidedoor.report",
)


class Function(NamedTuple):
    """Where a function stands, and its lines from `def` to the end."""

    place: str
    lines: int


def functions(path: Path) -> Iterator[Function]:
    """Every function and method of a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            place = f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
            yield Function(place, (node.end_lineno or node.lineno) - node.lineno + 1)


def tracked() -> list[Path]:
    """Files under version control; all text files of the project where there is no repository."""
    if shutil.which("git") and (ROOT / ".git").exists():
        done = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
        )
        return [path for name in done.stdout.split("\0") if name and (path := ROOT / name).is_file()]
    return [path for path in ROOT.rglob("*") if path.is_file() and not set(path.parts) & {".venv", ".git"}]


def test_functions_are_short() -> None:
    assert [each for path in PYTHON for each in functions(path) if each.lines > 60] == []


def test_nine_functions_in_ten_are_well_below_the_limit() -> None:
    lines = [each.lines for path in SOURCE for each in functions(path)]
    assert len(lines) > 500
    assert statistics.median(lines) <= 12
    assert statistics.quantiles(lines, n=10)[-1] < 50


def test_files_are_short() -> None:
    sizes = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in PYTHON}
    assert {path: size for path, size in sizes.items() if size > 500} == {}


def test_only_the_shell_prints_or_exits() -> None:
    calls = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in SOURCE
        if path.parent.name != "cli"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in {"print", "exit", "sys.exit", "os._exit", "click.echo"}
        and (path.name, ast.unparse(node.func)) != ("supervisor.py", "os._exit")  # the end of a process that it forked
    ]
    assert calls == []


# Written in parts here, and with % in the examples, so that this file does not find itself.
MACHINE = re.compile(
    r"(?<![\w.<*/-])/(?:" + "|".join(("wor" + "k", "ro" + "ot", "ho" + "me")) + r")/"
    r"|https?://[^/\s]*(?:pyp"
    + r"i|artifact"
    + r"ory|mirr"
    + r"or)[^/\s]*|--index"
    + r"-url|file"
    + r":///(?!etc/passwd)"
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("read /w%ork/shared/x", True),
        ("'/r%oot/.cache'", True),
        ("/h%ome/me/x", True),
        ("https://py%pi.org/simple", True),
        ("file:/%//opt/wheels", True),
        ("src/w%ork/x", False),
        ("<root>x</root>/", False),
        ("at home/work, or not", False),
    ],
)
def test_the_pattern_for_traces(text: str, found: bool) -> None:
    assert bool(MACHINE.search(text.replace("%", ""))) is found


def test_no_traces_of_a_machine() -> None:
    found = []
    for path in tracked():
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        found += [
            f"{path.relative_to(ROOT)}:{n}: {line[:100]}" for n, line in enumerate(lines, 1) if MACHINE.search(line)
        ]
    assert found == []


@pytest.mark.parametrize("arguments", [[], ["--help"], ["--version"]], ids=["import", "help", "version"])
def test_start_up_loads_nothing_heavy(arguments: list[str]) -> None:
    run = f"main({arguments!r});" if arguments else ""
    code = (
        f"import sys; from sidedoor.cli.main import main; {run}"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr.strip() == "[]"


def test_imports_point_down() -> None:
    command = Path(sys.executable).with_name("lint-imports")
    if not command.exists():
        pytest.skip("import-linter is not installed")
    done = subprocess.run(
        [str(command), "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout
