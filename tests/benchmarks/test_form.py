"""Figures, goals and numbers: what a benchmark tells, and how it is judged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gather.form import FIGURES, Bench
from gather.goals import Goal, Of, read_goals
from gather.numbers import measured, plain


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where figures go."""
    monkeypatch.setenv(FIGURES, str(tmp_path / "figures.jsonl"))
    return tmp_path / "figures.jsonl"


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def bench(*argv: str) -> Bench:
    """One by the name of check, which has goals."""
    made = Bench("benchmarks/check.py", "What it does.")
    made.size("--lines", 10_000, quick=2_000)
    made.options(argv)
    return made


@pytest.mark.parametrize(
    ("argv", "lines_"), [((), 10_000), (("--quick",), 2_000), (("--quick", "--lines", "7"), 7), (("--lines", "0"), 0)]
)
def test_sizes(argv: tuple[str, ...], lines_: int, told: Path) -> None:
    assert bench(*argv).asked == {"lines": lines_}
    assert lines(told) == [{"kind": "sizes", "sizes": {"lines": lines_}}]


def test_what_is_told_is_a_line_each(told: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = bench()
    made.tell("a batch", 1.5, "s", ("bare loop", 0.5), goal="check-batch")
    made.tell("alone", 12.0, "us")
    made.tell_pairs("in pairs", [3.0, 2.8, 9.0], "s", "floor", [2.0, 2.0, 5.0])
    made.left_out("a peer", "not installed")
    made.peer("parsedmarc", "11")
    assert made.end() == 0
    _, batch, alone, pairs, out, peer, end = lines(told)
    assert (batch["ratio"], batch["bound"], batch["met"]) == (3.0, "<= 2 s", True)
    assert (alone["ratio"], alone["theirs"], alone["met"]) == (None, None, None)
    assert (pairs["ours"], pairs["theirs"], pairs["ratio"], pairs["spread"]) == (3.0, 2.0, 1.5, [1.4, 1.8])
    assert (out["what"], out["why"], peer["version"], end) == ("a peer", "not installed", "11", {"kind": "end"})
    said = capsys.readouterr().out
    assert "a batch: 1.5 s, bare loop 0.5 s, RATIO 3, goal <= 2 s, met" in said
    assert "RATIO 1.5 (1.4 to 1.8)" in said


def test_a_missed_goal_is_said_and_is_the_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    made = bench()
    made.tell("a batch", 2.1, "s", goal="check-batch")
    made.tell("a batch", 1.9, "s", goal="check-batch")
    assert (made.missed, made.end()) == (1, 1)
    assert "goal <= 2 s, MISSED" in capsys.readouterr().out


def test_goals_are_those_of_the_benchmark_in_their_unit() -> None:
    made = bench()
    with pytest.raises(KeyError):
        made.tell("x", 1.0, "s", goal="plan")
    with pytest.raises(ValueError, match="check-batch is of a figure in s"):
        made.tell("x", 1.0, "ms", goal="check-batch")
    with pytest.raises(ValueError, match="decision-domains is of a ratio"):
        made.tell("x", 1.0, "us", goal="decision-domains")


@pytest.mark.parametrize(
    ("least", "most", "value", "met"),
    [(3.0, None, 3.0, True), (3.0, None, 2.999, False), (None, 1.5, 1.5, True), (None, 1.5, 1.501, False)],
)
def test_a_bound_holds_itself(least: float | None, most: float | None, value: float, met: bool) -> None:
    goal = Goal("x", "check", "as fast", Of.RATIO, "", least, most)
    assert goal.met(value) is met
    assert goal.bound() == (">= 3" if least else "<= 1.5")


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ('of = "ratio"', "either least or most"),
        ('of = "ratio"\nleast = 1\nmost = 2', "either least or most"),
        ('of = "figure"\nmost = 2', "a unit"),
        ('of = "ratio"\nunit = "s"\nmost = 2', "a unit"),
        ('of = "ratio"\nmots = 2', "no such key: mots"),
        ('of = "speed"\nmost = 2', "speed"),
    ],
)
def test_goals_that_are_none(text: str, wrong: str, tmp_path: Path) -> None:
    path = tmp_path / "goals.toml"
    path.write_text(f'[x]\nbenchmark = "check"\nasked = "fast"\n{text}\n', "utf-8")
    with pytest.raises(ValueError, match=wrong):
        read_goals(path)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"), (0.00012, "0.00012"), (0.0641, "0.064"), (0.6, "0.6"), (1.0, "1"), (1.5, "1.5"), (2.999, "3"),
        (12.34, "12.3"), (100.4, "100"), (29_412.3, "29,412"), (2048, "2,048"),
    ],
)  # fmt: skip
def test_numbers(value: float, text: str) -> None:
    assert plain(value) == text


def test_units() -> None:
    assert (measured(12.0, "s"), measured(7_479.0, "/s"), measured(2.0, "")) == ("12 s", "7,479/s", "2")
