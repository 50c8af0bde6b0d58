"""The navigation of mkdocs.yml with whole folders put in, and without pages that a later version brings."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

Item = str | dict[str, Any]


class NavigationError(ValueError):
    """A page that is named in the navigation and is not there, or a folder without pages."""


def completed(items: Sequence[Item], pages: Sequence[str], later: Collection[str]) -> list[Item]:
    """The items that there are. later: pages that may be missing. Raises NavigationError for any other."""
    kept: list[Item] = []
    for item in items:
        title, value = next(iter(item.items())) if isinstance(item, dict) else ("", item)
        if isinstance(value, list):
            below = completed(value, pages, later)
            kept += [{title: below}] if below else []
        elif value.endswith("/"):
            kept.append({title: _below(value, pages)})
        elif value in pages:
            kept.append(item)
        elif value not in later:
            raise NavigationError(f"mkdocs.yml: the navigation has {value}, which does not exist")
    return kept


def _below(folder: str, pages: Sequence[str]) -> list[Item]:
    """Every page of a folder, its own page first."""
    found = [path for path in pages if path.startswith(folder)]
    if not found:
        raise NavigationError(f"mkdocs.yml: the navigation has {folder}, which has no pages")
    first = [path for path in found if path.removeprefix(folder) in {"index.md", "README.md"}]
    return [*first, *(path for path in found if path not in first)]
