"""The stylesheet, the script and the icon: read once, under names that change with their content."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Static:
    """One file. etag: of its content."""

    content: bytes
    media_type: str
    digest: str


@cache
def static_files() -> dict[str, Static]:
    """Name -> file. The stylesheet begins with that of the report, whose language it extends."""
    own, report = files("sidedoor.web") / "static", files("sidedoor.report") / "templates"
    contents = {
        "sidedoor.css": (report / "report.css").read_bytes() + (own / "web.css").read_bytes(),
        "sidedoor.js": (own / "sidedoor.js").read_bytes(),
        "door.svg": (own / "door.svg").read_bytes(),
    }
    return {
        name: Static(content, _TYPES[name.rpartition(".")[2]], hashlib.sha256(content).hexdigest()[:16])
        for name, content in contents.items()
    }


def static_url(name: str) -> str:
    """Where a page finds a file."""
    return f"/static/{static_files()[name].digest}/{name}"
