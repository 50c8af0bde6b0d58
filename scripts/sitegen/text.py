"""Markdown and HTML that say exactly what the code says, whatever characters it uses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"
_SPECIAL = re.compile(r"[^\w\s.,;:'\"()/=?%+-]|_|(?<=\s)-(?=\s)")
_PAGE = re.compile(r"docs/([a-z-]+)\.md")
_CODE = re.compile(r"`([^`]+)`")


def plain(text: str) -> str:
    """Text in which nothing is Markdown or HTML, on one line."""
    return _SPECIAL.sub(lambda found: f"&#{ord(found[0])};", " ".join(text.split()))


def code(text: str) -> str:
    """Text as code; a bar or a star in it ends neither table nor emphasis."""
    return f"<code>{plain(text)}</code>"


def prose(text: str, up: str = "../") -> str:
    """A sentence of the code: backquoted words become code, `docs/x.md` a link to the page, if there is one yet.

    up: the way from the page to docs/.
    """
    parts: list[str] = []
    at = 0
    for found in re.finditer(rf"{_CODE.pattern}|{_PAGE.pattern}", text):
        parts.append(plain_keeping_ends(text[at : found.start()]))
        parts.append(code(found[1]) if found[1] else _link(found[2], up))
        at = found.end()
    return "".join([*parts, plain_keeping_ends(text[at:])])


def _link(name: str, up: str) -> str:
    return f"[{name}]({up}{name}.md)" if (DOCS / f"{name}.md").is_file() else plain(name)


def plain_keeping_ends(text: str) -> str:
    """`plain`, with one blank at an end that had any."""
    inner = plain(text)
    if not inner:
        return " " if text else ""
    return " " * (text[:1].isspace()) + inner + " " * (text[-1:].isspace())


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown. Cells are Markdown already."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def anchor(name: str) -> str:
    """A place that can be linked to. `name` is made safe."""
    return f'<span id="{slug(name)}"></span>'


def slug(name: str) -> str:
    """The name as an id."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
