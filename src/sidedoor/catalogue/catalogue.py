"""The catalogue: loaded once, asked often."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path

from sidedoor.catalogue.entry import Entry, Kind
from sidedoor.catalogue.match import RANK, Hit, Match, Trait, Traits
from sidedoor.catalogue.patterns import Globs, Hosts, comparable_name, comparable_text
from sidedoor.catalogue.read import read_entries, read_file

# Where a rented machine stands says less than what runs on it.
_PLACES = frozenset({Kind.CLOUD_PLATFORM})
_MOST_VALUES = 50  # of one trait; a sender that shows more is no better known by them

# Which list of an entry a trait is compared with.
_HOST_LISTS = {
    Trait.DKIM: "dkim_domain",
    Trait.DKIM_CLAIM: "dkim_domain",
    Trait.BOUNCE: "bounce_domain",
    Trait.BOUNCE_SPF: "bounce_domain",
    Trait.SPF: "spf_include",
    Trait.PTR: "ptr",
    Trait.PTR_CLAIM: "ptr",
    Trait.HELO: "helo",
    Trait.MESSAGE_ID: "message_id_host",
}
_TEXT_LISTS = {Trait.MAILER: "x_mailer", Trait.ADDRESS: "address"}


class Catalogue:
    """Entries by id, in the order of the ids."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries: Mapping[str, Entry] = {entry.id: entry for entry in sorted(entries, key=lambda entry: entry.id)}

    @cached_property
    def _hosts(self) -> Mapping[str, Hosts[Entry]]:
        return {
            name: Hosts(
                [(pattern, entry) for entry in self.entries.values() for pattern in getattr(entry.recognise, name)]
            )
            for name in set(_HOST_LISTS.values())
        }

    @cached_property
    def _texts(self) -> Mapping[str, Globs[Entry]]:
        return {
            name: Globs(
                [(pattern.text, entry) for entry in self.entries.values() for pattern in getattr(entry.recognise, name)]
            )
            for name in _TEXT_LISTS.values()
        }

    def match(self, evidence: Traits) -> tuple[Match, ...]:
        """Entries that the traits speak for, the likeliest first; empty where none is known.

        Proof goes before claims, a product before the platform it runs on, then the more telling trait. The order
        does not depend on the order of the values. Who merely publishes SPF records for others is no candidate.
        """
        found: dict[str, set[Hit]] = {}
        for trait, values in evidence.by_trait():
            for value in values[:_MOST_VALUES]:
                for hit, entry in self._hits(trait, value):
                    found.setdefault(entry.id, set()).add(hit)
        matches = (Match(self.entries[id_], tuple(sorted(hits, key=_telling))) for id_, hits in found.items())
        return tuple(sorted(matches, key=_likelihood))

    def _hits(self, trait: Trait, value: str) -> list[tuple[Hit, Entry]]:
        if trait in _TEXT_LISTS:
            text = comparable_text(value)
            return [(Hit(trait, text, pattern), entry) for pattern, entry in self._texts[_TEXT_LISTS[trait]].find(text)]
        name = comparable_name(value)
        return [
            (Hit(trait, name, pattern), entry)
            for pattern, entry in self._hosts[_HOST_LISTS[trait]].find(name)
            if entry.kind is not Kind.SPF_HOSTING
        ]

    def by_spf_domain(self, domain: str) -> Entry | None:
        """Whose network an SPF include names: `spf.protection.outlook.com` is Microsoft 365. None where unknown.

        The most specific entry wins; among products that share a vendor's record, the one that borrows from no other.
        """
        _, owners = self._hosts["spf_include"].owners(comparable_name(domain))
        return min(owners, key=lambda entry: (bool(entry.borrows_from), entry.id), default=None)


def _telling(hit: Hit) -> tuple[int, int, str, str]:
    return (RANK[hit.trait], -len(hit.pattern), hit.pattern, hit.value)


def _likelihood(match: Match) -> tuple[int, bool, int, bool, int, str]:
    best = match.best
    place = match.entry.kind in _PLACES
    borrows = bool(match.entry.borrows_from)
    return (-match.strength, place, RANK[best.trait], borrows, -len(best.pattern), match.entry.id)


@cache
def _own() -> Catalogue:
    folder = files(__package__).joinpath("entries")
    texts = sorted((file.name, file.read_text("utf-8")) for file in folder.iterdir() if file.name.endswith(".toml"))
    return Catalogue([entry for name, text in texts for entry in read_entries(text, name)])


def load_catalogue(extra: Path | None = None) -> Catalogue:
    """The catalogue that comes with Sidedoor, read once; with the entries of a file of one's own, if given.

    An own entry replaces ours of the same id. Raises InputError that names the file and what was expected.
    """
    own = _own()
    return own if extra is None else Catalogue([*own.entries.values(), *read_file(extra)])
