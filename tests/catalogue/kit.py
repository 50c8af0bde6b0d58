"""Entries and traits for the tests of the catalogue."""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path

from sidedoor.catalogue.catalogue import Catalogue, load_catalogue
from sidedoor.catalogue.entry import Entry, Kind, Recognise
from sidedoor.catalogue.match import Traits
from sidedoor.catalogue.patterns import host_pattern, text_pattern

ROOT = Path(__file__).parents[2]
ENTRIES = ROOT / "src" / "sidedoor" / "catalogue" / "entries"
CATALOGUE: Catalogue = load_catalogue()
EXAMPLES: dict[str, dict[str, str]] = tomllib.loads(
    (ROOT / "tests" / "data" / "catalogue" / "examples.toml").read_text(encoding="utf-8")
)
# Keys of the examples: the list of an entry they must be in, and the field of Traits that asks.
FIELDS = {
    "spf": ("spf_include", "spf_domains"),
    "dkim": ("dkim_domain", "dkim_domains"),
    "ptr": ("ptr", "ptr_confirmed"),
    "helo": ("helo", "helo_names"),
    "bounce": ("bounce_domain", "bounce_passed"),
    "message_id": ("message_id_host", "message_id_hosts"),
    "mailer": ("x_mailer", "mailers"),
    "address": ("address", "addresses"),
}


def one_trait(field: str, value: str) -> Traits:
    """Evidence of a single value."""
    return Traits(**{field: (value,)})


def made(id_: str, kind: Kind = Kind.TRANSACTIONAL, borrows: tuple[str, ...] = (), **lists: tuple[str, ...]) -> Entry:
    """An entry with these patterns."""
    patterns: dict[str, tuple[object, ...]] = {
        name: tuple(map(text_pattern if name in {"x_mailer", "address"} else host_pattern, texts))
        for name, texts in lists.items()
    }
    recognise = Recognise(**patterns)  # type: ignore[arg-type]
    return Entry(
        id_, id_.title(), "Vendor", kind, "Ask.", date(2026, 11, 24), borrows_from=borrows, recognise=recognise
    )


MINIMAL = """
id = "own-erp"
name = "Own ERP"
vendor = "Contoso"
kind = "erp"
written = 2026-11-24
"""
