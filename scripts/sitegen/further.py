"""Links to pages that a later version brings: shown below a page as soon as they are there."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path


def further(page: str, links: Mapping[str, Sequence[str]], docs: Path) -> str:
    """The lines to put below a page, "" where none of its links is there. links: page -> pages, paths below docs."""
    found = list(_found(links.get(page, ()), posixpath.dirname(page) or ".", docs))
    return "\n\nFurther: " + ", ".join(found) + ".\n" if found else ""


def _found(targets: Sequence[str], home: str, docs: Path) -> Iterator[str]:
    for target in targets:
        if (docs / target).is_file():
            title = (docs / target).read_text(encoding="utf-8").partition("\n")[0].lstrip("# ").strip()
            yield f"[{title}]({posixpath.relpath(target, home)})"
