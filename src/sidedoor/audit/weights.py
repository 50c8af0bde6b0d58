"""The table of reasons (`weights.toml`), read once and checked when read."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from importlib.resources import files
from string import Formatter
from typing import Any

from sidedoor.audit.model import Reason
from sidedoor.policy.decision import Submission


class WeightsError(ValueError):
    """The table of reasons is not as it must be; the message names the entry."""


class ReasonKind(Enum):
    """What a reason rests on; caps and the rule about names go by it."""

    AUTHENTICATION = "authentication"  # SPF, DKIM, DMARC, composite authentication
    BEHAVIOUR = "behaviour"  # what the sender does: to whom, as whom, when
    HISTORY = "history"  # for how long it has done so
    TREATMENT = "treatment"  # what the filters made of it
    NAME = "name"  # HELO and reverse names: claims
    NOTE = "note"  # says something, weighs nothing


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the table. An empty `applies` means every submission."""

    id: str
    weight: float
    kind: ReasonKind
    text: str
    applies: frozenset[Submission]

    @property
    def fields(self) -> frozenset[str]:
        """Names of the values the text needs."""
        return frozenset(name for _, name, _, _ in Formatter().parse(self.text) if name)

    def reason(self, values: Mapping[str, object]) -> Reason:
        """The reason with its text filled in; values are never read as templates."""
        return Reason(self.id, self.text.format_map(values), self.weight)


@dataclass(frozen=True, slots=True)
class Weights:
    """The whole table, with the limits between the verdicts."""

    legitimate: float
    spoofing: float
    margin: float
    scale: float
    entries: Mapping[str, Entry]


def load_weights(text: str) -> Weights:
    """Read a table. Raises WeightsError naming the entry that is wrong."""
    try:
        table = tomllib.loads(text)
        limits = {name: float(table["verdict"][name]) for name in ("legitimate", "spoofing", "margin", "scale")}
        entries = {name: _entry(name, row) for name, row in table["reasons"].items()}
    except (tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(f"the table of reasons: {error}") from error
    if not limits["spoofing"] < 0 < limits["legitimate"] or limits["scale"] <= 0 or limits["margin"] <= 0:
        raise WeightsError("verdict: spoofing must be below zero; legitimate, scale and margin above")
    return Weights(**limits, entries=entries)


def _entry(name: str, row: Mapping[str, Any]) -> Entry:
    try:
        applies = frozenset(map(Submission, row.get("applies", ())))
        entry = Entry(name, float(row["weight"]), ReasonKind(row["kind"]), str(row["text"]), applies)
    except (KeyError, ValueError) as error:
        raise WeightsError(f"reason {name}: {error}") from error
    if entry.kind is ReasonKind.NOTE and entry.weight != 0:
        raise WeightsError(f"reason {name}: a note weighs nothing")
    return entry


WEIGHTS = load_weights(files(__package__).joinpath("weights.toml").read_text("utf-8"))
