"""A run of terms that ask nothing of the message, compiled for all addresses by itself.

A record such as `v=spf1 include:a include:b exists:%{i}.spf.example -all` has two of them: the includes, and `-all`. A
check by a message steps over each with one bisection and evaluates only the `exists` between them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sidedoor.mailauth.spf.evidence import SpfEvidence
from sidedoor.mailauth.spf.region import Decided, Region
from sidedoor.mailauth.spf.terms import Mechanism


@dataclass(frozen=True, slots=True)
class Row:
    """What the segment does to an address: what it spends (`region`), and what it decides, None where it does not."""

    region: Region
    evidence: SpfEvidence | None


@dataclass(frozen=True, slots=True)
class Segment:
    """The terms, and their outcome: `rows[i]` holds from address `starts[i]` on, None where only a walk can tell."""

    terms: tuple[Mechanism, ...]
    starts: Sequence[int]
    rows: Sequence[Row | None]

    def at(self, number: int) -> Row | None:
        """The row for an address."""
        return self.rows[bisect_right(self.starts, number) - 1]


def segment_of(terms: tuple[Mechanism, ...], decided: Iterable[Decided], still_open: Sequence[Region]) -> Segment:
    """Put together what a walk over `terms` decided and what it left open."""
    found: list[tuple[Region, SpfEvidence | None]] = [(region, None) for region in still_open]
    # An outcome that is the same either way may still have spent more one way than the other.
    doubtful = {region.first for region in still_open if region.doubt or not region.exact}
    for one in decided:
        found.append((one.region, one.evidence))
        if len(one.possible) > 1 or one.evidence.needs_message or not one.region.exact:
            doubtful.add(one.region.first)
    found.sort(key=lambda item: item[0].first)
    rows = [None if region.first in doubtful else Row(region, evidence) for region, evidence in found]
    return Segment(terms, [region.first for region, _ in found], rows)
