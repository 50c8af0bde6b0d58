"""The goals of goals.toml: what was asked of Sidedoor's speed, and which benchmark answers."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from gather.numbers import measured

PATH = Path(__file__).with_name("goals.toml")


class Of(Enum):
    """What a goal bounds."""

    RATIO = "ratio"  # our figure over that of the peer or the floor
    FIGURE = "figure"  # our figure itself, in the goal's unit


@dataclass(frozen=True, slots=True)
class Goal:
    """`asked` in words; `least` or `most` of the ratio or the figure, whose unit is "" for a ratio."""

    id: str
    benchmark: str
    asked: str
    of: Of
    unit: str
    least: float | None
    most: float | None

    def met(self, value: float) -> bool:
        """Whether a ratio or a figure, whichever this goal bounds, is within it."""
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)

    def bound(self) -> str:
        """For a table: `<= 200 ms`."""
        sign, value = (">=", self.least) if self.least is not None else ("<=", self.most)
        return f"{sign} {measured(value or 0.0, self.unit)}"


def read_goals(path: Path = PATH) -> dict[str, Goal]:
    """By id, in the order of the file. Raises ValueError for an entry that is not one."""
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    return {name: _goal(name, table) for name, table in tables.items()}


def _goal(name: str, table: dict[str, object]) -> Goal:
    given = {key: table.get(key, "") for key in ("benchmark", "asked", "of", "unit")}
    bounds = [table.get(key) for key in ("least", "most")]
    numbers = [float(bound) if isinstance(bound, int | float) else None for bound in bounds]
    if unknown := set(table) - {*given, "least", "most"}:
        raise ValueError(f"goals.toml, {name}: no such key: {', '.join(sorted(unknown))}")
    if numbers.count(None) != 1 or (given["of"] == Of.FIGURE.value) != bool(given["unit"]):
        raise ValueError(f"goals.toml, {name}: either least or most, and a unit where it is of a figure")
    return Goal(
        name, str(given["benchmark"]), str(given["asked"]), Of(given["of"]), str(given["unit"]), numbers[0], numbers[1]
    )
