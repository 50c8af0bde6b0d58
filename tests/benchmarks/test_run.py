"""The runner: every benchmark has its turn whatever the others do, and what it told is kept."""

from __future__ import annotations

import ast
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gather.goals import read_goals
from gather.run import discovered, main, run, told

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
GOOD = """
import sys
from gather.form import Bench
bench = Bench(__file__, "")
bench.size("--lines", 10_000, quick=2_000)
bench.options()
bench.tell("a batch", 1.5, "s", ("bare loop", 0.5), goal="check-batch")
"""
END = "sys.exit(bench.end())\n"
HANGS = "import threading; threading.Event().wait()\n"
RUN = 'if __name__ == "__main__":\n    pass\n'
Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """A folder of benchmarks, made of their texts."""
    monkeypatch.setenv("PYTHONPATH", str(BENCHMARKS))
    folder = tmp_path / "benchmarks"
    folder.mkdir()

    def made(**texts: str) -> Path:
        for name, text in texts.items():
            (folder / f"{name}.py").write_text(text if name == "by_hand" else text + RUN, "utf-8")
        return folder

    return made


# -- the folder ----------------------------------------------------------------------------------------------------


def test_every_benchmark_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    described = set(re.findall(r"^\| `(\w+)\.py`", (BENCHMARKS / "README.md").read_text("utf-8"), re.MULTILINE))
    files = set(discovered())
    assert files == described > {"audit_scale", "edge", "web"}
    assert main(["--list"]) == 0
    listed = capsys.readouterr().out
    assert {line for line in listed.splitlines() if not line.startswith(" ")} == files
    assert all(goal.asked in listed for goal in read_goals().values())


@pytest.mark.parametrize("path", discovered().values(), ids=lambda path: path.stem)
def test_every_benchmark_has_the_form(path: Path) -> None:
    text = path.read_text("utf-8")
    called = {ast.unparse(node.func) for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)}
    assert {"Bench", "bench.options", "bench.end"} <= called
    assert "bench.size" in called, "its sizes, full and quick"


def test_every_goal_has_its_benchmark() -> None:
    goals = read_goals()
    for goal in goals.values():
        assert f'"{goal.id}"' in (BENCHMARKS / f"{goal.benchmark}.py").read_text("utf-8"), goal.id
    for path in discovered().values():
        for name in re.findall(r'goal="([a-z-]+)"', path.read_text("utf-8")):
            assert goals[name].benchmark == path.stem


# -- runs ----------------------------------------------------------------------------------------------------------


def test_one_that_fails_does_not_stop_the_rest(make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make(
        a_broken="raise RuntimeError('no disk')\n",
        b_killed=GOOD.replace('"check-batch"', '""') + "import os; os.kill(os.getpid(), 9)\n",
        c_mute="print('I know nothing of the form')\n",
        check=GOOD + END,
    )
    assert main([], folder, tmp_path / "build") == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "== a_broken (1 of 4)" in said
    assert "FAILED: a_broken: exit code 1: RuntimeError: no disk" in said
    assert "FAILED: b_killed: exit code -9" in said
    assert "FAILED: c_mute: exit code 0: I know nothing of the form" in said
    assert "a batch 1.5 s bare loop 0.5 s 3.00 <= 2 s met" in said
    page = (folder / "RESULTS.md").read_text("utf-8")
    assert page.count("| a batch | 1.5 s | bare loop 0.5 s |") == 2  # what the killed one told until then too
    assert "**FAILED**: exit code 1: RuntimeError: no disk" in page


def test_one_that_hangs_is_ended_with_what_it_started(make: Make, tmp_path: Path) -> None:
    started, asked = tmp_path / "pid", tmp_path / "asked"
    folder = make(
        check=GOOD + "import subprocess\nfrom pathlib import Path\n"
        f"child = subprocess.Popen([sys.executable, '-c', {HANGS!r}])\n"
        f"Path({str(started)!r}).write_text(str(child.pid))\n"
        f"try:\n    {HANGS}except KeyboardInterrupt:\n    Path({str(asked)!r}).touch()\n"
    )
    for patience in (1.0, 4.0, 16.0, 64.0):  # one that is too short for this machine to start it proves nothing
        outcome = run(folder / "check.py", tmp_path / "f.jsonl", quick=False, timeout=patience, say=lambda _: None)
        assert "not done within" in outcome.failed
        if started.exists():
            break
    assert [row.what for row in outcome.rows] == ["a batch"]
    assert asked.exists(), "not asked to end, so that it could not have stopped its servers"
    child = Path("/proc") / started.read_text()
    for _ in range(600):
        if not child.exists() or " Z " in (child / "stat").read_text():
            return
        time.sleep(0.1)
    raise AssertionError("its child still runs")


def test_a_part_or_a_quick_run_leaves_the_page_of_the_whole(make: Make, tmp_path: Path) -> None:
    folder, build = make(check=GOOD + END, other=GOOD.replace('"check-batch"', '""') + END), tmp_path / "build"
    assert main(["--only", "check"], folder, build) == 0
    assert main(["--quick"], folder, build) == 0
    assert not (folder / "RESULTS.md").exists()
    page = (build / "RESULTS.md").read_text("utf-8")
    assert "**A quick run:" in page
    assert "lines 2,000" in page
    assert main(["--quick", "--output", str(tmp_path / "here.md")], folder, build) == 0
    assert (tmp_path / "here.md").exists()


def test_ctrl_c_ends_the_one_that_runs_and_tells_what_there_is(make: Make, tmp_path: Path) -> None:
    folder = make(check=GOOD + HANGS, later=GOOD.replace('"check-batch"', '""') + END)
    # A terminal's Ctrl-C is heard; a shell that started the tests in the background had it ignored.
    code = "import pathlib, signal, gather.run; signal.signal(signal.SIGINT, signal.default_int_handler); "
    code += f"gather.run.main([], *map(pathlib.Path, {[str(folder), str(tmp_path)]!r}))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "a batch" in line:
                process.send_signal(signal.SIGINT)
                break
        said = process.stdout.read()
    assert "FAILED: check: interrupted" in said
    assert "== later" not in said
    assert not (folder / "RESULTS.md").exists()
    assert "a batch" in (tmp_path / "RESULTS.md").read_text("utf-8")


def test_a_missed_goal_is_shown_and_no_failure_of_the_run(
    make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make(check=GOOD.replace("1.5", "2.5") + END)
    assert main(["--only", "check"], folder, tmp_path) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "0 of 3 goals met MISSED: check: 10,000 lines of check --batch within 2 s (2.5 s)" in said
    assert "not measured: check: a decision under 50 microseconds" in said


def test_what_benchmarks_import_is_none(make: Make) -> None:
    assert set(discovered(make(check=GOOD + END, by_hand="ROWS = 5\n"))) == {"check"}


def test_a_name_that_is_none(make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--only", "chek"], make(check=GOOD + END), tmp_path)
    assert "no such benchmark: chek; there are check" in capsys.readouterr().err


def test_half_a_line_ends_what_was_told(tmp_path: Path) -> None:
    figures = tmp_path / "f.jsonl"
    figures.write_text('{"kind": "sizes", "sizes": {"rows": 5}}\n{"kind": "row", "wha', "utf-8")
    outcome = told("x", figures, "exit code -9", 3.0, None)
    assert (outcome.sizes, outcome.rows, outcome.failed) == ({"rows": 5}, [], "exit code -9")
