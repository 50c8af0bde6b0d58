"""A domain's record with all it includes, as a tree: what each branch costs and how many addresses pass by it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from sidedoor.mailauth.resolver import Resolver
from sidedoor.mailauth.spf.addresses import SpfSet
from sidedoor.mailauth.spf.evidence import Path, SpfEvidence
from sidedoor.mailauth.spf.owner import owner_of
from sidedoor.mailauth.spf.records import RecordSource
from sidedoor.mailauth.spf.terms import All, Include, Network, OtherModifier, Record, Redirect, SpfResult, Term

_MAX_BRANCHES = 60  # an honest record has at most eleven
_MAX_DEPTH = 12


@dataclass(frozen=True, slots=True)
class Covered:
    """Addresses that pass: IPv4 addresses, and IPv6 networks of /64 (begun ones counted as whole)."""

    ip4: int
    ip6_64s: int


@dataclass(frozen=True, slots=True)
class Leaf:
    """A term that leads to no other record: `lookups` is 1 where it asks DNS."""

    term: Term
    lookups: int
    covered: Covered


@dataclass(frozen=True, slots=True)
class Branch:
    """The record of `domain`, reached by `term` ("" at the root).

    `trouble` says why there is no record to look into (`record` is None then) and what that comes to. `lookups` counts
    the terms that ask DNS here and below, `term` itself included. `covered` counts the addresses that pass by way of
    this branch, so that no address is counted in two. `parts` stand in the order of evaluation. `owner`: whose record
    it is, where it is not the root's owner.
    """

    domain: str
    term: str
    record: Record | None
    trouble: SpfEvidence | None
    owner: str | None
    lookups: int
    covered: Covered
    parts: tuple[Leaf | Branch, ...] = ()

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        """The terms that lead to no other record."""
        return tuple(part for part in self.parts if isinstance(part, Leaf))

    @property
    def branches(self) -> tuple[Branch, ...]:
        """The records that this one leads to."""
        return tuple(part for part in self.parts if isinstance(part, Branch))

    def walk(self) -> Iterator[Branch]:
        """The branch and all below it, in the order of evaluation."""
        yield self
        for branch in self.branches:
            yield from branch.walk()


def spf_tree(spf: SpfSet, resolver: Resolver) -> Branch:
    """The tree of a compiled record; asks again what `resolver` then answers from its cache."""
    return _Grower(spf, RecordSource(resolver)).grow(spf.domain, None, ())


class _Grower:
    """Counts branches, so that a record made to grow without end does not."""

    def __init__(self, spf: SpfSet, source: RecordSource) -> None:
        self._spf, self._source = spf, source
        self._covered = {version: _passing(spf, version) for version in (4, 6)}
        self._left = _MAX_BRANCHES

    def grow(self, domain: str, term: Include | Redirect | None, path: Path) -> Branch:
        self._left -= 1
        found = self._record(domain, path)
        record = found if isinstance(found, Record) else None
        parts = tuple(self._part(domain, each, path) for each in _met(record)) if record else ()
        own = owner_of(domain)
        spent = sum(part.lookups for part in parts)
        return Branch(
            domain,
            str(term or ""),
            record,
            found if isinstance(found, SpfEvidence) else None,
            own if own != owner_of(self._spf.domain) else None,
            spent + (term is not None),
            self._counted(path),
            parts,
        )

    def _part(self, domain: str, term: Term, path: Path) -> Leaf | Branch:
        way = (*path, (domain, str(term)))
        if isinstance(term, Include | Redirect):
            target = term.target.expand(domain, self._spf.domain, 4)
            if target is not None:
                return self.grow(target, term, way)
        return Leaf(term, 0 if isinstance(term, All | Network) else 1, self._counted(way))

    def _record(self, domain: str, path: Path) -> Record | SpfEvidence:
        if any(domain == above for above, _ in path):
            return SpfEvidence(SpfResult.PERMERROR, cause=f"it leads back to {domain}, in a circle")
        if self._left < 0 or len(path) > _MAX_DEPTH:
            return SpfEvidence(SpfResult.UNDETERMINED, cause="the tree goes on; this is as far as it was followed")
        return self._source.record_of(domain)

    def _counted(self, path: Path) -> Covered:
        return Covered(self._covered[4][path], -(-self._covered[6][path] // 2**64))


def _met(record: Record) -> Iterator[Term]:
    """The terms that evaluation can come to: those after `all` are never met, a redirect beside it neither."""
    for term in record.mechanisms:
        yield term
        if isinstance(term, All):
            return
    if record.redirect is not None:
        yield record.redirect


def unmet(record: Record) -> tuple[Term, ...]:
    """The terms that evaluation can never come to (sections 5.1 and 6.1)."""
    met = list(_met(record))
    terms = [term for term in record.terms if not isinstance(term, OtherModifier)]
    return tuple(term for term in terms if not any(term is one for one in met))


def _passing(spf: SpfSet, version: int) -> Counter[Path]:
    """How many addresses pass by way of each path from the root; every address once on each level."""
    counts: Counter[Path] = Counter()
    for first, last, evidence in spf.runs(version):
        if evidence.result is SpfResult.PASS:
            for length in range(len(evidence.path) + 1):
                counts[evidence.path[:length]] += last - first + 1
    return counts
