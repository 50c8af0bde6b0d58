"""report.html: one page without scripts or anything from outside, safe to open whatever a spoofer wrote.

What the templates show is escaped by construction (`report.escaping`); no text from outside stands in an attribute, a
style or an anchor.
"""

from __future__ import annotations

from pathlib import Path

from sidedoor import __version__
from sidedoor.audit.model import Audit
from sidedoor.policy.replies import REPLIES
from sidedoor.report import words
from sidedoor.report.atomic import write_files
from sidedoor.report.escaping import report_templates
from sidedoor.report.view import page


def render(audit: Audit) -> str:
    """The page; the same audit gives the same text."""
    template = report_templates().get_template("report.html.j2")
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
