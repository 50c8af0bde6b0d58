"""docs/formats.md and the code name the same formats and facts."""

from __future__ import annotations

import re
from pathlib import Path

from sidedoor.evidence.registry import FORMATS

PAGE = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
COLUMNS = ("envelope_sender", "header_from", "client_ip", "helo", "tls", "connector", "direction", "spf", "treatment")


def test_the_table_names_every_format_and_what_it_tells() -> None:
    rows = {cells[0]: cells for cells in re.findall(r"^\| `([a-z0-9-]+)` \|(.*)\|$", PAGE, re.MULTILINE)}
    assert set(rows) == {form.name for form in FORMATS}
    for form in FORMATS:
        if form.note:
            continue
        cells = [cell.strip() for cell in rows[form.name][1].split("|")][1:]
        told = {fact for fact, cell in zip(COLUMNS, cells, strict=True) if cell == "yes"}
        untold = set(COLUMNS) - told
        assert not told & set(form.cannot_tell), form.name
        assert untold == set(form.cannot_tell) & set(COLUMNS), form.name


def test_files_named_in_the_page_exist() -> None:
    root = Path(__file__).parents[2]
    for name in re.findall(r"`((?:src|tests)/[\w/.]+)`", PAGE):
        assert (root / name).exists(), name
