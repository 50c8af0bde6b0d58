"""Export formats and what each can tell, from the registry. docs/formats.md explains how they are read."""

from __future__ import annotations

from collections.abc import Iterator

from sidedoor.audit.coverage import SOURCES
from sidedoor.evidence.interface import Format
from sidedoor.evidence.registry import FORMATS
from sitegen.text import anchor, code, plain, prose, table

PATH = "reference/export-formats.md"
_HEAD = """# Export formats in tables

Files are recognised by what is in them. What a format cannot tell is unknown, and the report names the export that has
it. How single facts are read: [export formats](../formats.md).
"""


def pages() -> Iterator[tuple[str, str]]:
    """(path, Markdown) of the page."""
    yield PATH, "\n".join([_HEAD, *(_section(each) for each in FORMATS), _missing()])


def _section(each: Format) -> str:
    parts = [f"## {anchor(each.name)}{plain(each.title)}\n", f"In coverage: {code(each.name)}."]
    if each.note:
        parts.append(prose(f"It {each.note}.") if each.note[:1].islower() else prose(each.note))
    if each.truncation_caps:
        caps = ", ".join(f"{cap:,}" for cap in each.truncation_caps)
        parts.append(f"A file of exactly {caps} rows was probably cut off, which the report says.")
    parts.append("\n")
    if each.cannot_tell:
        exports = dict.fromkeys(each.cannot_tell.values())
        rows = ((_facts(each, export), prose(export)) for export in exports)
        parts.append(table(("it cannot tell", "which export does"), rows))
    return "\n".join(parts)


def _missing() -> str:
    rows = ((code(fact), prose(source.why), prose(source.how_to_get_it)) for fact, source in SOURCES.items())
    head = "## Facts that may be missing\n\n`coverage.missing` of report.json names them.\n\n"
    return head + table(("fact", "why it matters", "how to get it"), rows)


def _facts(each: Format, export: str) -> str:
    return ", ".join(code(fact) for fact, told in each.cannot_tell.items() if told == export)
