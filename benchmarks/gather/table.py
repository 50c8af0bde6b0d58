"""What a run found, and the table at its end, no wider than 100 columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import IO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gather.form import Row
from gather.goals import Goal, Of
from gather.numbers import measured, plain

WIDTH = 100
MANY = 4  # figures, more than which are not listed one by one
COLUMNS = (
    ("", 35, "left"),
    ("ours", 11, "right"),
    ("beside", 26, "left"),
    ("ratio", 6, "right"),
    ("goal", 11, "right"),
)


@dataclass
class Outcome:
    """What one benchmark told. `failed`: why it did not come to its end, or nothing; `load`: before it began."""

    name: str
    seconds: float
    load: float | None
    sizes: dict[str, int] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    peers: dict[str, str] = field(default_factory=dict)
    failed: str = ""

    def about(self) -> str:
        """Its sizes, its time, and the load before it."""
        parts = [f"{name.replace('_', ' ')} {value:,}" for name, value in self.sizes.items()]
        parts += [f"took {self.seconds:.0f} s"] + ([f"load before it {self.load:.1f}"] if self.load is not None else [])
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Answer:
    """A goal and the rows that speak of it, in any benchmark."""

    goal: Goal
    rows: tuple[Row, ...]

    @property
    def word(self) -> str:
        """One row beyond the goal is enough to miss it."""
        if not self.rows:
            return "not measured"
        return "met" if all(row.met for row in self.rows) else "MISSED"

    def values(self) -> str:
        """What was measured: each row's, or the best and the worst of many."""
        found = [row.ratio or 0.0 if self.goal.of is Of.RATIO else row.ours for row in self.rows]
        if len(found) > MANY:
            found = sorted(found, reverse=self.goal.most is None)
            best, worst = (measured(each, self.goal.unit) for each in (found[0], found[-1]))
            return f"{best} to {worst} in {len(found)} rows"
        return ", ".join(measured(each, self.goal.unit) for each in found)


def answers(outcomes: Iterable[Outcome], goals: Iterable[Goal]) -> list[Answer]:
    """Every goal, with what was measured; a goal that nobody spoke of is not left out."""
    rows = [row for outcome in outcomes for row in outcome.rows]
    return [Answer(goal, tuple(row for row in rows if row.goal == goal.id)) for goal in goals]


def verdict(row: Row) -> str:
    """One word."""
    return "" if row.met is None else "met" if row.met else "MISSED"


def beside(row: Row) -> str:
    """The peer or floor and its figure."""
    return "" if row.theirs is None else f"{row.beside} {measured(row.theirs, row.unit)}"


def ratio(row: Row) -> str:
    """With two digits, or three that count."""
    return "" if row.ratio is None else plain(row.ratio) if row.ratio >= 10 else f"{row.ratio:.2f}"


def show(
    outcomes: Sequence[Outcome], goals: Iterable[Goal], hints: Iterable[str] = (), file: IO[str] | None = None
) -> None:
    """Print the table, the count, and what makes the figures worth less."""
    console = Console(width=WIDTH, file=file, highlight=False, soft_wrap=False)
    for outcome in outcomes:
        console.print(Text(f"\n{outcome.name}", style="bold"), Text(outcome.about(), style="dim"))
        if outcome.rows:
            console.print(_table(outcome.rows))
        for what, why in outcome.left_out:
            console.print(Text(f"  left out: {what}: {why}", style="yellow"))
        if outcome.failed:
            console.print(Text(f"  FAILED: {outcome.failed}", style="bold red"))
    console.print()
    for line in (*summary(answers(outcomes, goals), [each for each in outcomes if each.failed]), *hints):
        console.print(Text(line))


def _table(rows: Iterable[Row]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=0, show_edge=False)
    for name, width, side in COLUMNS:
        table.add_column(name, width=width, justify="right" if side == "right" else "left", overflow="fold")
    table.add_column("", width=6, overflow="fold")
    for row in rows:
        word = verdict(row)
        style = "bold red" if word == "MISSED" else "green"
        cells = (row.what, measured(row.ours, row.unit), beside(row), ratio(row), row.bound)
        table.add_row(*map(Text, cells), Text(word, style=style))
    return table


def summary(found: Sequence[Answer], failed: Sequence[Outcome]) -> list[str]:
    """How many goals were met, and all that were not, by name."""
    lines = [f"{sum(each.word == 'met' for each in found)} of {len(found)} goals met"]
    for word in ("MISSED", "not measured"):
        lines += [
            f"{word}: {each.goal.benchmark}: {each.goal.asked}" + (f" ({each.values()})" if each.rows else "")
            for each in found
            if each.word == word
        ]
    return lines + [f"FAILED: {each.name}: {each.failed}" for each in failed]
