"""The form of a benchmark: its options, and the figures it tells, for people on stdout, for the runner as JSON lines.

    bench = Bench(__file__, __doc__)
    bench.size("--rows", 10_000_000, quick=500_000)
    asked = bench.options()
    bench.tell("the whole audit", seconds, "s", ("DuckDB alone", floor), goal="audit-floor")
    return bench.end()

`--quick` takes the smaller sizes. Where SIDEDOOR_BENCH_FIGURES names a file, each thing told is a line of it: `sizes`
at the start, then `row`, `left-out` and `peer` in any order, and `end`, whose absence means that the benchmark failed.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gather.goals import Of, read_goals
from gather.numbers import measured, plain

FIGURES = "SIDEDOOR_BENCH_FIGURES"


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `ratio`: ours over theirs. `spread`: least and greatest ratio of several runs. `met`: None without a
    goal; `bound` is the goal in short."""

    what: str
    ours: float
    unit: str
    beside: str = ""
    theirs: float | None = None
    ratio: float | None = None
    spread: tuple[float, float] | None = None
    goal: str = ""
    bound: str = ""
    met: bool | None = None

    def between(self) -> str:
        """The spread of its ratio, where there was more than one run."""
        if self.spread is None or self.spread[0] == self.spread[1]:
            return ""
        return f" ({plain(self.spread[0])} to {plain(self.spread[1])})"

    def line(self) -> str:
        """The same for people."""
        parts = [f"{self.what}: {measured(self.ours, self.unit)}"]
        if self.theirs is not None:
            parts.append(f"{self.beside} {measured(self.theirs, self.unit)}")
        if self.ratio is not None:
            parts.append(f"RATIO {plain(self.ratio)}{self.between()}")
        if self.met is not None:
            parts.append(f"goal {self.bound}, {'met' if self.met else 'MISSED'}")
        return "  " + ", ".join(parts)


class Bench:
    """One benchmark's options and figures."""

    def __init__(self, file: str, doc: str | None) -> None:
        self.name = Path(file).stem
        self.missed = 0
        self.quick = False
        # The runner ends a benchmark as Ctrl-C would; what a shell starts in the background has that ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self._goals = {id_: goal for id_, goal in read_goals().items() if goal.benchmark == self.name}
        self.asked: dict[str, int] = {}
        self._sizes: dict[str, tuple[int, int]] = {}
        self._parser = argparse.ArgumentParser(
            description=doc, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
        )
        self._parser.add_argument("--quick", action="store_true", help="smaller sizes, for a look")

    def size(self, option: str, full: int, *, quick: int, text: str = "") -> None:
        """An option that says how much is measured."""
        self._parser.add_argument(option, type=int, help=f"{text} ({full:,}; quick: {quick:,})".strip())
        self._sizes[option.removeprefix("--").replace("-", "_")] = (full, quick)

    def option(self, *names: str, **how: Any) -> None:
        """Any other option, as argparse has it."""
        self._parser.add_argument(*names, **how)

    def options(self, argv: Sequence[str] | None = None) -> argparse.Namespace:
        """What was asked for, each size filled in; the sizes are told."""
        asked = self._parser.parse_args(argv)
        self.quick = asked.quick
        for name, (full, quick) in self._sizes.items():
            if getattr(asked, name) is None:
                setattr(asked, name, quick if asked.quick else full)
        self.asked = {name: getattr(asked, name) for name in self._sizes}
        print(", ".join(f"{name} {value:,}" for name, value in self.asked.items()), flush=True)
        self._write("sizes", sizes=self.asked)
        return asked

    def tell(
        self,
        what: str,
        ours: float,
        unit: str,
        beside: tuple[str, float] | None = None,
        *,
        goal: str = "",
        ratio: float | None = None,
        spread: tuple[float, float] | None = None,
    ) -> Row:
        """A figure, beside the peer or the floor of the same run. `ratio` where it is not ours over theirs, such as the
        median of pairs. `goal` is an id of goals.toml; an id that is not this benchmark's is a KeyError."""
        name, theirs = beside or ("", None)
        if ratio is None and theirs:
            ratio = ours / theirs
        row = self._judged(Row(what, ours, unit, name, theirs, ratio, spread, goal))
        self.missed += row.met is False
        print(row.line(), flush=True)
        self._write("row", **asdict(row))
        return row

    def tell_pairs(
        self, what: str, ours: Sequence[float], unit: str, beside: str, theirs: Sequence[float], *, goal: str = ""
    ) -> Row:
        """Figures measured in turns: medians of both, and the median of the ratios pair by pair with their spread."""
        ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
        pair = (beside, statistics.median(theirs))
        spread = (min(ratios), max(ratios))
        return self.tell(
            what, statistics.median(ours), unit, pair, goal=goal, ratio=statistics.median(ratios), spread=spread
        )

    def _judged(self, row: Row) -> Row:
        if not row.goal:
            return row
        goal = self._goals[row.goal]
        value = row.ratio if goal.of is Of.RATIO else row.ours
        if value is None or (goal.of is Of.FIGURE and goal.unit != row.unit):
            raise ValueError(f"{row.what}: the goal {row.goal} is of a {goal.of.value} in {goal.unit or 'itself'}")
        return Row(**(asdict(row) | {"bound": goal.bound(), "met": goal.met(value)}))

    def left_out(self, what: str, why: str) -> None:
        """Say what could not be measured here."""
        print(f"  left out: {what}: {why}", flush=True)
        self._write("left-out", what=what, why=why)

    def peer(self, name: str, version: str) -> None:
        """The version of a peer that the runner cannot ask for itself."""
        self._write("peer", name=name, version=version)

    def end(self) -> int:
        """To be called when all is measured. The exit code: 1 where a goal was missed."""
        self._write("end")
        return int(self.missed > 0)

    def _write(self, kind: str, **content: object) -> None:
        if path := os.environ.get(FIGURES):
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(json.dumps({"kind": kind, **content}) + "\n")
