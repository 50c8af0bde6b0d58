"""Lasting keys of senders. Pure.

A report's id of a sender hangs on its first address and its host name, so it changes when these do. What people decide
sticks to a key instead. A sender inherits a key only by an *address* that it shares with what is known under it:
envelope domains, host names and ids can be borrowed, and a spoofer that borrows them from elsewhere gets a key of its
own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from sidedoor.audit.model import Sender
from sidedoor.store.model import KnownSender
from sidedoor.watch.sight import Place

MOST_PLACES = 2_000
"""Of one known sender. Those of the report come first, so that nobody's old places push out the ones in use."""


@dataclass(frozen=True, slots=True)
class Identified:
    """keys: report id -> lasting key. known: all known senders, those of the report as it has them, by key."""

    keys: Mapping[str, str]
    known: tuple[KnownSender, ...]


def identify(
    senders: Sequence[tuple[Sender, frozenset[Place]]],
    known: Iterable[KnownSender],
    decided: Collection[str] = (),
) -> Identified:
    """Match the senders of a report, each with its places, to known ones, in any order. decided: keys with decisions.

    1. The same id, and a place in common.
    2. Places in common, where its mail reaches back to when the known one was seen, and nobody else has the better
       claim. Of several known ones that agree in assessment the decided, then the one with most places in common.
    3. The same id, where no address of either is known.
    4. A new key.
    """
    matching = _Matching(senders, known, frozenset(decided))
    matching.by_id(placeless=False)
    matching.by_places()
    matching.by_id(placeless=True)
    return matching.answer()


def merged(known: Iterable[KnownSender], key: str, into: str) -> tuple[KnownSender, ...]:
    """Known senders where `key` is no sender of its own any more: a person said that it is `into`, which moved.

    The next report's sender at its places is `into` then. Unknown keys change nothing.
    """
    rows = {row.key: row for row in known}
    if key == into or key not in rows or into not in rows:
        return tuple(rows[name] for name in sorted(rows))
    gone, kept = rows.pop(key), rows[into]
    rows[into] = replace(
        kept,
        id=gone.id,
        places=_bounded(gone.places, kept.places),
        first_seen=min(kept.first_seen, gone.first_seen),
        last_seen=max(kept.last_seen, gone.last_seen),
    )
    return tuple(rows[name] for name in sorted(rows))


def _bounded(first: frozenset[Place], then: frozenset[Place]) -> frozenset[Place]:
    if first <= then and len(then) <= MOST_PLACES:
        return then  # nothing new, as in nearly every run
    ordered = dict.fromkeys([*sorted(first), *sorted(then)])
    return frozenset(list(ordered)[:MOST_PLACES])


def _real(places: Iterable[Place]) -> frozenset[Place]:
    """Places with an address; without one a place is only a domain, which anybody may claim."""
    return frozenset(place for place in places if place[0])


def _fits(here: frozenset[Place], there: frozenset[Place], *, placeless: bool) -> bool:
    return not (here or there) if placeless else bool(here & there)


class _Matching:
    def __init__(
        self,
        senders: Sequence[tuple[Sender, frozenset[Place]]],
        known: Iterable[KnownSender],
        decided: frozenset[str],
    ) -> None:
        self.senders = {sender.id: sender for sender, _ in senders}
        self.places = {sender.id: places for sender, places in senders}
        self.known = {row.key: row for row in known}
        self.decided = decided
        self.key_of: dict[str, str] = {}
        self.taken: set[str] = set()

    def _take(self, identity: str, key: str) -> None:
        self.key_of[identity] = key
        self.taken.add(key)

    def by_id(self, *, placeless: bool) -> None:
        """Known senders under the id they had last; of several, since ids come back, the one with most in common."""
        rows: dict[str, list[KnownSender]] = {}
        for row in self.known.values():
            rows.setdefault(row.id, []).append(row)
        for identity in self._open():
            here = _real(self.places[identity])
            claims = [
                (-len(here & _real(row.places)), row.first_seen, row.key)
                for row in rows.get(identity, ())
                if row.key not in self.taken and _fits(here, _real(row.places), placeless=placeless)
            ]
            if claims:
                self._take(identity, min(claims)[2])

    def _open(self) -> list[str]:
        return sorted(self.senders.keys() - self.key_of.keys())

    def by_places(self) -> None:
        """Each open sender chooses a known one, each known one takes the best of those that chose it."""
        homes: dict[Place, list[str]] = {}
        for row in self.known.values():
            if row.key not in self.taken:
                for place in _real(row.places):
                    homes.setdefault(place, []).append(row.key)
        chosen: dict[str, list[tuple[int, str]]] = {}
        for identity in self._open():
            choice = self._choice(identity, homes)
            if choice is not None:
                key, common = choice
                chosen.setdefault(key, []).append((common, identity))
        for key, suitors in chosen.items():
            best = self._best(suitors)
            if best is not None:
                self._take(best, key)

    def _choice(self, identity: str, homes: Mapping[Place, Sequence[str]]) -> tuple[str, int] | None:
        """The known sender with the best claim, and how many places it shares."""
        common: dict[str, int] = {}
        for place in _real(self.places[identity]):
            for key in homes.get(place, ()):
                # A report reaches back: what has no mail from that time came after the known one was gone.
                if self.senders[identity].first_seen <= self.known[key].last_seen:
                    common[key] = common.get(key, 0) + 1
        if len({self.known[key].assessment for key in common}) != 1:
            return None
        best = min(common, key=lambda key: (key not in self.decided, -common[key], self.known[key].first_seen, key))
        return best, common[best]

    def _best(self, suitors: Sequence[tuple[int, str]]) -> str | None:
        """Most places in common, then seen first; nobody where that does not tell them apart."""
        ranks = {identity: (-common, self.senders[identity].first_seen) for common, identity in suitors}
        best = min(ranks.values())
        winners = [identity for identity, rank in ranks.items() if rank == best]
        return winners[0] if len(winners) == 1 else None

    def answer(self) -> Identified:
        """New keys for the rest, then all known senders as they are now."""
        used = set(self.known)
        for identity in self._open():
            key, number = identity, 1
            while key in used:
                number += 1
                key = f"{identity}-{number}"
            used.add(key)
            self.key_of[identity] = key
        rows = dict(self.known)
        for identity, key in self.key_of.items():
            rows[key] = self._row(identity, key)
        return Identified(dict(sorted(self.key_of.items())), tuple(rows[key] for key in sorted(rows)))

    def _row(self, identity: str, key: str) -> KnownSender:
        sender, places, before = self.senders[identity], self.places[identity], self.known.get(key)
        return KnownSender(
            key=key,
            id=identity,
            name=sender.name,
            assessment=sender.assessment.value,
            places=_bounded(places, before.places if before else frozenset()),
            first_seen=min(sender.first_seen, before.first_seen) if before else sender.first_seen,
            last_seen=max(sender.last_seen, before.last_seen) if before else sender.last_seen,
            messages=sender.messages,
            accepted=before.accepted if before else False,
        )
