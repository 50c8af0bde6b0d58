"""DNS out of zones handed over: what lies outside them is unknown, what is absent inside does not exist."""

from __future__ import annotations

from sidedoor.mail.domain import Domain
from sidedoor.mailauth.memory import RecordStore, follow, parent
from sidedoor.mailauth.resolver import Answer, Failure, Kind, fold

_MAX_ALIASES = 10


class ZoneResolver:
    """Answers from `store`, which is complete for the zones named by `origins` (folded names) and for nothing else."""

    def __init__(self, store: RecordStore, origins: frozenset[str]) -> None:
        self.store, self.origins = store, origins

    def lookup(self, name: Domain | str, kind: Kind) -> Answer:
        """Answer from the zones; a name outside them, or beyond a delegation, is a Failure that is not temporary."""
        owner = fold(name)
        for _ in range(_MAX_ALIASES):
            cut = self._cut(owner)
            if cut is not None:
                return Failure(f"no zone given for {cut}", temporary=False)
            step = follow(self.store, owner, kind)
            if not isinstance(step, str):
                return step
            owner = fold(step)
        return Failure(f"aliases of {fold(name)} lead in a circle", temporary=True)

    def _cut(self, name: str) -> str | None:
        """None where a given zone holds `name`; otherwise the zone (or the name) that would be needed.

        Walking up, the first origin or delegation decides: NS records at a name that is no given origin mark a zone
        that somebody else has (RFC 1034 section 4.2.1).
        """
        current = name
        while True:
            if current in self.origins:
                return None
            if "NS" in self.store.owners.get(current, {}):
                return current
            if not current:
                return name
            current = parent(current)
