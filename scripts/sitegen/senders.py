"""Reasons for and against a sender with their weights, from weights.toml. docs/reasons.md explains them."""

from __future__ import annotations

from collections.abc import Iterator

from sidedoor.audit.weights import WEIGHTS, Entry, ReasonKind
from sitegen.members import enum_table
from sitegen.text import code, plain, prose, table

PATH = "reference/weights.md"


def pages() -> Iterator[tuple[str, str]]:
    """(path, Markdown) of the page."""
    head = f"""# Weights of reasons

A sender's score is the sum of the weights of its reasons. From {WEIGHTS.legitimate:g} on it is legitimate, from
{WEIGHTS.spoofing:g} down spoofing, and unclear between them. Each reason links to what it means, why it weighs so, and
how it misleads. Rules above the sum: [reasons](../reasons.md).
"""
    parts = [head, "## Kinds of reasons\n", enum_table(ReasonKind)]
    for kind in ReasonKind:
        rows = (_row(entry) for entry in WEIGHTS.entries.values() if entry.kind is kind)
        parts += [
            f"## {kind.value.capitalize()}\n",
            table(("reason", "weight", "what the report says", "looked at for"), rows),
        ]
    yield PATH, "\n".join(parts)


def _row(entry: Entry) -> tuple[str, str, str, str]:
    applies = ", ".join(sorted(code(each.value) for each in entry.applies)) or "all"
    return f"[{code(entry.id)}](../reasons.md#{entry.id})", plain(f"{entry.weight:+g}"), prose(entry.text), applies
