"""docs/catalogue.md says what the data says."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields

import pytest

from sidedoor.catalogue.entry import Entry, OwnDomain, Recognise, SmtpAuth, Supports
from sidedoor.catalogue.read import read_entries
from tests.catalogue.kit import CATALOGUE, ROOT

PAGE = (ROOT / "docs" / "catalogue.md").read_text(encoding="utf-8")


def row_of(entry: Entry) -> str:
    """An entry's line in the table."""
    shared = {True: "yes", False: "no", None: "unknown"}[entry.shared_addresses]
    checked = sum(len(source.of) for source in entry.sources if source.verified)
    stated = sum(len(source.of) for source in entry.sources)
    return f"| `{entry.id}` | {entry.name} | {entry.kind} | {shared} | {entry.sends.own_domain} | {checked}/{stated} |"


def test_the_table_is_the_data() -> None:
    rows = re.findall(r"^\| `.*$", PAGE.partition("\n## The entries\n")[2], re.MULTILINE)
    assert rows == [row_of(entry) for entry in CATALOGUE.entries.values()]


@pytest.mark.parametrize("name", [field.name for kind in (Entry, Recognise, Supports) for field in fields(kind)])
def test_every_key_is_explained(name: str) -> None:
    keys = PAGE.partition("\n## Adding an entry\n")[0]
    assert f"`{name}`" in keys or f"`[{name}]`" in keys or f"`[[{name}]]`" in keys


@pytest.mark.parametrize("word", [*OwnDomain, *SmtpAuth])
def test_every_word_is_named(word: str) -> None:
    assert f"`{word}`" in PAGE


def test_the_example_is_an_entry() -> None:
    block = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert block is not None
    text = re.sub(r"^    ", "", block[1], flags=re.MULTILINE)
    (entry,) = read_entries(text, "docs/catalogue.md")
    assert entry.id == tomllib.loads(text)["id"] == "zendesk"
    assert entry.sends == CATALOGUE.entries["zendesk"].sends.__class__(OwnDomain.BY_DEFAULT)
