"""DNS held in memory: records by owner name, with the semantics of RFC 1034 section 4.3.2 and a list of failures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sidedoor.mail.domain import Domain
from sidedoor.mailauth.resolver import Answer, Failure, Kind, NoData, NoSuchName, Records, fold

_MAX_ALIASES = 10  # real resolvers stop following aliases after 8 to 16


@dataclass(slots=True)
class RecordStore:
    """Owner name -> kind -> values in order. Besides the kinds of `Kind` only NS matters: it cuts a zone."""

    owners: dict[str, dict[str, dict[str, None]]] = field(default_factory=dict)
    _ancestors: set[str] = field(default_factory=set)

    def add(self, owner: str, kind: str, value: str) -> None:
        """Add one record; a repeated one is kept once."""
        self.owners.setdefault(owner, {}).setdefault(kind, {})[value] = None
        while owner and owner not in self._ancestors:
            self._ancestors.add(owner)
            owner = parent(owner)

    def exists(self, name: str) -> bool:
        """Whether the name owns records or has a descendant that does (RFC 4592 section 2.2.2)."""
        return name in self._ancestors

    def find(self, name: str) -> Mapping[str, Iterable[str]] | None:
        """Records at `name`, those of the wildcard that covers it (RFC 4592 section 3.3.1), or None: no such name."""
        if self.exists(name):
            return self.owners.get(name, {})
        encloser = parent(name)
        while encloser and not self.exists(encloser):
            encloser = parent(encloser)
        return self.owners.get(f"*.{encloser}" if encloser else "*")


def parent(name: str) -> str:
    """`b.example` for `a.b.example`, "" for a top-level name."""
    return name.partition(".")[2]


def follow(store: RecordStore, name: str, kind: Kind) -> Answer | str:
    """One step of a look-up: an answer, or the name that an alias leads to."""
    found = store.find(name)
    if found is None:
        return NoSuchName()
    if kind.value in found:
        return Records(tuple(found[kind.value]))
    return next(iter(found.get("CNAME", ())), NoData())


class MemoryResolver:
    """A whole DNS as a literal; a name that is not in it does not exist.

    `records`: name -> kind -> values. `failures`: name, or (name, kind) -> what happens to questions for it.
    `asked` lists every question in order.
    """

    def __init__(
        self,
        records: Mapping[str, Mapping[str, Iterable[str]]],
        failures: Mapping[str | tuple[str, str], Failure] | None = None,
    ) -> None:
        self._store = RecordStore()
        for name, kinds in records.items():
            for kind, values in kinds.items():
                for value in values:
                    self._store.add(fold(name), kind, value)
        self._failures = {_key(key): failure for key, failure in (failures or {}).items()}
        self.asked: list[tuple[str, Kind]] = []

    def lookup(self, name: Domain | str, kind: Kind) -> Answer:
        """Answer from memory; the failure list goes first."""
        owner = fold(name)
        self.asked.append((owner, kind))
        for _ in range(_MAX_ALIASES):
            failure = self._failures.get((owner, kind.value)) or self._failures.get((owner, ""))
            if failure is not None:
                return failure
            step = follow(self._store, owner, kind)
            if not isinstance(step, str):
                return step
            owner = fold(step)
        return Failure(f"aliases of {fold(name)} lead in a circle", temporary=True)


def _key(key: str | tuple[str, str]) -> tuple[str, str]:
    return (fold(key), "") if isinstance(key, str) else (fold(key[0]), key[1])
