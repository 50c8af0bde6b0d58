"""Everything that is generated, in the order of the navigation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sitegen import (
    alerts,
    catalogue,
    commands,
    exit_codes,
    formats,
    outside,
    rule,
    schema,
    senders,
    settings,
    store,
    words,
)


def generated(root: Path) -> Iterator[tuple[str, str]]:
    """(path on the site, content) of each page and file that is not in docs/. root: the repository."""
    yield from commands.pages(root / "docs")
    for module in (exit_codes, settings, rule, senders, formats, schema, words, alerts, catalogue, store):
        yield from module.pages()
    yield from outside.pages(root)
