"""Pages from templates."""

from __future__ import annotations

from datetime import date, datetime
from functools import cache
from typing import Any

import jinja2
from markupsafe import Markup, escape

from sidedoor import __version__
from sidedoor.report import words
from sidedoor.report.escaping import environment
from sidedoor.report.plan_text import WORDS as METHODS
from sidedoor.report.text import clean
from sidedoor.web import labels
from sidedoor.web.static import static_url

_LINES = "\n"


@cache
def _environment() -> jinja2.Environment:
    made = environment(
        jinja2.ChoiceLoader([jinja2.PackageLoader("sidedoor.web"), jinja2.PackageLoader("sidedoor.report")])
    )
    made.filters |= {"field": field, "when": when, "day": day, "paragraphs": paragraphs, "signed": labels.signed}
    made.globals |= {
        "ASSESSMENT": words.ASSESSMENT, "SUBMISSION": words.SUBMISSION, "METHODS": METHODS, "labels": labels,
        "static": static_url, "version": __version__,
    }  # fmt: skip
    return made


def page(template: str, **context: Any) -> str:
    """A template filled in; every value in it is escaped."""
    return _environment().get_template(template).render(**context)


def field(text: str) -> Markup:
    """The value of a form's field: whole, with its line breaks, so that what is sent back is what was there."""
    lines = text.replace("\r\n", "\n").split(_LINES)
    return escape(_LINES.join(map(clean, lines)))


def when(moment: datetime | None) -> Markup:
    """`<time>` with the minute in UTC."""
    if moment is None:
        return Markup("never")
    return Markup('<time datetime="{}">{}</time>').format(words.iso(moment), words.minute(moment))


def day(moment: date | datetime | None) -> Markup:
    """`<time>` with the day."""
    if moment is None:
        return Markup("–")
    at = words.utc(moment).date() if isinstance(moment, datetime) else moment
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(), words.day(at))


def paragraphs(text: str) -> Markup:
    """A person's note: its lines kept, everything in it escaped."""
    lines = [escape(clean(line)) for line in text.replace("\r\n", "\n").split(_LINES)]
    return Markup("<br>").join(lines)
