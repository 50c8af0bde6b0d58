"""What the doctor found, as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How it stands with one thing that was looked at."""

    OK = "ok"  # as it should be
    WARNING = "warning"  # it works, but somebody should look
    MISSING = "missing"  # what rests on it does not work
    UNASKED = "not asked"  # it was not looked at


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. text: what was found. advice: what to do, "" nothing."""

    id: str
    state: State
    text: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Feature:
    """A command, or what an extra adds to some. missing: what it lacks, in words; empty: it is ready."""

    name: str
    missing: tuple[str, ...] = ()
    advice: str = ""

    @property
    def ready(self) -> bool:
        """Whether everything is there."""
        return not self.missing


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All of it. wanted: names of the features that were asked about; the workspace is, if its checks are there."""

    version: str
    python: str
    system: str
    features: Sequence[Feature]
    machine: Sequence[Check]
    workspace: Sequence[Check] = ()
    wanted: frozenset[str] = frozenset()

    @property
    def lacking(self) -> tuple[str, ...]:
        """Names of what was asked about and is missing."""
        features = [each.name for each in self.features if each.name in self.wanted and not each.ready]
        checks = [each.id for each in (*self.machine, *self.workspace) if each.state is State.MISSING]
        return (*features, *checks)
