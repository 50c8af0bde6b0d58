"""Union-find that refuses to join what must stay apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, Protocol, Self, TypeVar


class Trait(Protocol):
    """A property of a set that says which sets it may be joined with."""

    def meet(self, other: Self, /) -> Self | None:
        """The property of both together; None where they contradict each other."""


T = TypeVar("T", bound=Trait)


class DisjointSets(Generic[T]):
    """Items 0..n-1, each with a trait; near-constant time per operation."""

    def __init__(self, traits: Sequence[T]) -> None:
        self._parent = list(range(len(traits)))
        self._trait = list(traits)

    def find(self, item: int) -> int:
        """The number that stands for the item's set: always the lowest item of it."""
        parent = self._parent
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    def join(self, one: int, other: int) -> bool:
        """Make one set of two unless their traits contradict; whether they are one set now."""
        low, high = sorted((self.find(one), self.find(other)))
        if low == high:
            return True
        both = self._trait[low].meet(self._trait[high])
        if both is None:
            return False
        self._parent[high] = low
        self._trait[low] = both
        return True

    def sets(self) -> list[list[int]]:
        """All sets, each in ascending order, in the order of their lowest items."""
        found: dict[int, list[int]] = {}
        for item in range(len(self._parent)):
            found.setdefault(self.find(item), []).append(item)
        return list(found.values())
