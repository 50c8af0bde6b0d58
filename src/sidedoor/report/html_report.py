"""report.html: one page without scripts or anything from outside, safe to open whatever a spoofer wrote.

Every expression of the templates goes through `_finalize` (invisible characters replaced, length cut) and then
Jinja's autoescape; no text from outside stands in an attribute, a style or an anchor.
"""

from __future__ import annotations

from pathlib import Path

import jinja2
from markupsafe import Markup

from sidedoor import __version__
from sidedoor.audit.model import Audit
from sidedoor.policy.replies import REPLIES
from sidedoor.report import words
from sidedoor.report.atomic import write_files
from sidedoor.report.text import shorten
from sidedoor.report.view import page

MAX_TEXT = 1_000  # characters of one text; report.json has the whole
MAX_NAME = 160  # of a name or address


def _finalize(value: object) -> object:
    """What every `{{ ... }}` becomes before it is escaped; macros' own markup passes."""
    return value if isinstance(value, Markup) or not isinstance(value, str) else shorten(value, MAX_TEXT)


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("sidedoor.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["n"] = lambda number: f"{number:,}"
    environment.filters["name"] = lambda text: shorten(text, MAX_NAME)
    environment.globals["count"] = words.count
    return environment


def render(audit: Audit) -> str:
    """The page; the same audit gives the same text."""
    template = _environment().get_template("report.html.j2")
    return template.render(
        page=page(audit),
        audit=audit,
        generated=words.minute(audit.generated_at),
        reply=str(REPLIES["direct-send"].reply),
        version=__version__,
    )


def dump(audit: Audit) -> bytes:
    """The file's bytes, UTF-8."""
    return render(audit).encode("utf-8")


def write(audit: Audit, path: Path) -> None:
    """Write the page whole or not at all. Raises SidedoorError where it cannot be written."""
    write_files({path: dump(audit)})
