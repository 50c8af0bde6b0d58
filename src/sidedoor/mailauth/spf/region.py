"""Parts of the address space under evaluation: what is still open, and what has been decided.

A region is a run of addresses for which evaluation has gone the same way so far. Counters belong to regions, because
RFC 7208's limits count what was asked on the way to one address's result: an address that an early term matches never
meets the eleventh look-up.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from sidedoor.mailauth.spf.evidence import SpfEvidence
from sidedoor.mailauth.spf.terms import SpfResult

UNDETERMINED = frozenset({SpfResult.UNDETERMINED})


@dataclass(frozen=True, slots=True)
class Doubt:
    """A term that depends on the message was passed on the way: had it matched, the result were one of `results`.

    `evidence` is what to say where that makes a difference; `lookups` and `voids` are what had been spent before it.
    """

    results: frozenset[SpfResult]
    evidence: SpfEvidence
    lookups: int
    voids: int


@dataclass(frozen=True, slots=True)
class Region:
    """Addresses `first` to `last` (integers, inclusive) with the look-ups spent on the way.

    `lookups` and `voids` (look-ups that came back empty) count what was surely spent, `lookups_most` and `voids_most`
    what may have been where a message-dependent term was passed.
    """

    first: int
    last: int
    lookups: int = 0
    lookups_most: int = 0
    voids: int = 0
    voids_most: int = 0
    doubt: Doubt | None = None

    def clip(self, first: int, last: int) -> Region:
        """The part of the region from `first` to `last`."""
        return Region(max(self.first, first), min(self.last, last), *self.way)

    @property
    def way(self) -> tuple[int, int, int, int, Doubt | None]:
        """Everything but the bounds."""
        return self.lookups, self.lookups_most, self.voids, self.voids_most, self.doubt

    @property
    def exact(self) -> bool:
        """Whether it is known what was spent."""
        return self.lookups == self.lookups_most and self.voids == self.voids_most

    def least(self) -> Region:
        """The region as its record leaves it: had the doubtful term matched, nothing more had been spent."""
        doubt = self.doubt
        return replace(self, lookups=doubt.lookups, voids=doubt.voids) if doubt else self


@dataclass(frozen=True, slots=True)
class Decided:
    """A region whose evaluation has ended: results that are possible, and the evidence if there is but one."""

    region: Region
    possible: frozenset[SpfResult]
    evidence: SpfEvidence


def decide(region: Region, evidence: SpfEvidence) -> Decided:
    """End a region's evaluation; a doubt met on the way stays possible unless it comes to the same."""
    doubt = region.doubt
    region = region.least()
    possible = frozenset({evidence.result})
    if doubt is None or doubt.results == possible:
        return Decided(region, possible, evidence)
    if evidence.result is SpfResult.UNDETERMINED:
        # Nobody could be asked here; the message may still show that the doubtful term came before.
        return Decided(region, UNDETERMINED, replace(evidence, needs_message=True))
    return Decided(region, possible | doubt.results, doubt.evidence)


def cut(regions: list[Region], first: int, last: int) -> list[Region]:
    """Take the addresses `first` to `last` out of `regions` (sorted, disjoint; changed in place): O(log n + k)."""
    low = bisect_left(regions, first, key=lambda region: region.last)
    high = low
    inside: list[Region] = []
    outside: list[Region] = []
    while high < len(regions) and regions[high].first <= last:
        region = regions[high]
        inside.append(region.clip(first, last))
        if region.first < first:
            outside.append(region.clip(region.first, first - 1))
        if region.last > last:
            outside.append(region.clip(last + 1, region.last))
        high += 1
    if high > low:
        regions[low:high] = outside
    return inside


def joined(regions: Iterable[Region]) -> list[Region]:
    """Sort, and join neighbours that have come the same way."""
    result: list[Region] = []
    for region in sorted(regions, key=lambda one: one.first):
        if result and result[-1].last + 1 == region.first and result[-1].way == region.way:
            result[-1] = replace(result[-1], last=region.last)
        else:
            result.append(region)
    return result


def by_doubt(regions: Iterable[Region]) -> Iterator[tuple[Doubt | None, list[Region]]]:
    """Regions grouped by the doubt they carry; the groups' regions carry none."""
    groups: dict[Doubt | None, list[Region]] = {}
    for region in regions:
        groups.setdefault(region.doubt, []).append(replace(region, doubt=None) if region.doubt else region)
    yield from groups.items()
