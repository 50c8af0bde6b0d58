"""Pages and files of the repository outside docs/ that the site has too, and links that lead to them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

PAGES = {
    "README.md": "project/overview.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "CHANGELOG.md": "project/changelog.md",
    "benchmarks/README.md": "project/benchmarks.md",
    "benchmarks/RESULTS.md": "project/results.md",
    "LICENSE": "project/licence.txt",
    "deploy/sidedoor-edge.service": "project/sidedoor-edge.service",
    "deploy/sidedoor-watch.service": "project/sidedoor-watch.service",
    "deploy/sidedoor-watch.timer": "project/sidedoor-watch.timer",
    "deploy/sidedoor-web.service": "project/sidedoor-web.service",
    "deploy/Containerfile": "project/containerfile.txt",
}
"""Path in the repository -> path on the site."""
_HERE = {site: path for path, site in PAGES.items()}
_LINK = re.compile(r"(\]\()([^)\s#]+)((?:#[^)\s]*)?\))")


def pages(root: Path) -> Iterator[tuple[str, str]]:
    """(path on the site, content) of each."""
    for path, site in PAGES.items():
        yield site, (root / path).read_text(encoding="utf-8")


def relinked(markdown: str, site: str) -> str:
    """The page with links that lead out of docs/, or that start outside of it, led to where the site has them."""
    home = posixpath.dirname(_HERE.get(site, f"docs/{site}"))

    def lead(found: re.Match[str]) -> str:
        target = found[2]
        if re.match(r"[a-z]+:", target):
            return found[0]
        path = posixpath.normpath(posixpath.join(home, target))
        there = PAGES.get(path) or path.removeprefix("docs/")
        inside = path.startswith("docs/") and site not in _HERE
        return found[0] if inside else f"{found[1]}{posixpath.relpath(there, posixpath.dirname(site) or '.')}{found[3]}"

    return _LINK.sub(lead, markdown)
