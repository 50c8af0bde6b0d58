"""Templates that are safe whatever a spoofer wrote, by construction: one way for the report and the web page.

Every `{{ ... }}` goes through `_finalize` (invisible characters replaced, length cut) and then Jinja's autoescape. A
name that a template uses and nobody gave is an error, not an empty place.
"""

from __future__ import annotations

from functools import cache

import jinja2
from markupsafe import Markup

from sidedoor.report import words
from sidedoor.report.text import shorten

MAX_TEXT = 1_000  # characters of one text; report.json has the whole
MAX_NAME = 160  # of a name or address


def _finalize(value: object) -> object:
    """What every `{{ ... }}` becomes before it is escaped; macros' own markup passes."""
    return value if isinstance(value, Markup) or not isinstance(value, str) else shorten(value, MAX_TEXT)


def environment(loader: jinja2.BaseLoader) -> jinja2.Environment:
    """An environment for HTML, with the filters `n` (figures) and `name` (names, cut), and `count`."""
    made = jinja2.Environment(
        loader=loader,
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["n"] = lambda number: f"{number:,}"
    made.filters["name"] = lambda text: shorten(text, MAX_NAME)
    made.globals["count"] = words.count
    return made


@cache
def report_templates() -> jinja2.Environment:
    """The report's own: a process that writes many compiles each template once, which takes longer than filling it."""
    return environment(jinja2.PackageLoader("sidedoor.report"))
