"""One line of the tables: what a run sees, and exactly what it must find."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sidedoor.watch.sight import Baseline, Sight
from tests.watch.kit import baseline_of, sight


@dataclass(frozen=True)
class Case:
    """kind: whose case it is. finds: subject -> severity of that kind, or (kind, subject) -> severity of any.

    Nothing else may be found; also: findings of other kinds are not looked at.
    """

    kind: str
    label: str
    sees: Sight
    before: Baseline | None = None
    finds: Mapping[str | tuple[str, str], str] = field(default_factory=dict)
    also: bool = False

    def __str__(self) -> str:
        return f"{self.kind}: {self.label}"

    @property
    def baseline(self) -> Baseline:
        """That of ten days ago on an ordinary day, where the case has none of its own."""
        return baseline_of(sight()) if self.before is None else self.before

    @property
    def expected(self) -> dict[tuple[str, str], str]:
        """With the kind."""
        return {key if isinstance(key, tuple) else (self.kind, key): value for key, value in self.finds.items()}
