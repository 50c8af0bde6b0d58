"""RESULTS.md: the machine, the goals, and every figure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from gather.form import Row
from gather.goals import Goal
from gather.numbers import measured
from gather.table import Answer, Outcome, answers, beside, ratio, verdict

_HEAD = """# Results of the benchmarks

Written by `python benchmarks`. What each benchmark measures stands in [README.md](README.md). A ratio is our figure
over that of the peer or floor named beside it, measured in the same run; seconds by themselves say more about the
machine than about us.
"""


def markdown(
    outcomes: Sequence[Outcome],
    goals: Iterable[Goal],
    facts: Mapping[str, str],
    began: datetime,
    hints: Iterable[str] = (),
) -> str:
    """The page. `facts`: what to say of the machine; `hints`: what makes the figures worth less."""
    found = answers(outcomes, goals)
    peers = {name: number for outcome in outcomes for name, number in outcome.peers.items()}
    told = {"Date": f"{began:%Y-%m-%d %H:%M} UTC", **facts}
    if peers:
        told["Versions"] = ", ".join([told.get("Versions", ""), *(f"{n} {v}" for n, v in peers.items())]).strip(", ")
    parts = [_HEAD, *(f"**{cell(hint)}**\n" for hint in hints), "## Machine\n", table(("", ""), told.items())]
    parts += [f"## Goals\n\n{_count(found)}\n", table(("goal", "bound", "measured", ""), map(_goal, found))]
    for outcome in outcomes:
        parts += _section(outcome)
    return "\n".join(parts)


def _count(found: Sequence[Answer]) -> str:
    words = [each.word for each in found]
    return ", ".join(f"{words.count(word)} {word}" for word in ("met", "MISSED", "not measured")) + "."


def _goal(answer: Answer) -> tuple[str, ...]:
    word = answer.word
    return (
        f"`{answer.goal.benchmark}`: {answer.goal.asked}",
        answer.goal.bound(),
        answer.values(),
        word if word == "met" else f"**{word}**",
    )


def _section(outcome: Outcome) -> list[str]:
    parts = [f"## {outcome.name}\n\n{cell(outcome.about())}\n"]
    if outcome.failed:
        parts.append(f"**FAILED**: {cell(outcome.failed)}\n")
    if outcome.rows:
        heads = ("", "ours", "beside", "ratio", "goal", "")
        parts.append(table(heads, map(_cells, outcome.rows)))
    if outcome.left_out:
        parts.append("".join(f"- left out: {cell(what)}: {cell(why)}\n" for what, why in outcome.left_out))
    return parts


def _cells(row: Row) -> tuple[str, ...]:
    word = verdict(row)
    marked = f"**{word}**" if word == "MISSED" else word
    return row.what, measured(row.ours, row.unit), beside(row), ratio(row) + row.between(), row.bound, marked


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown."""
    lines = [heads, ["---"] * len(heads), *(tuple(map(cell, row)) for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def cell(text: str) -> str:
    """Text that ends neither its cell nor its line."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
