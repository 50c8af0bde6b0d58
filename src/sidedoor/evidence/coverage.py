"""Signs that an export is only a part of the history it seems to hold."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sidedoor.errors import InputError
from sidedoor.evidence.interface import Format, Recognised
from sidedoor.evidence.objects import envelope_of
from sidedoor.evidence.text import encoding_note

_NEXT_LINKS = ("@odata.nextLink", "odata.nextLink")
_WARNINGS = "@adminapi.warnings"


def truncation_note(form: Format, rows: int) -> str:
    """A sentence where the number of data rows is exactly a limit of the service, "" otherwise."""
    if rows not in form.truncation_caps:
        return ""
    return f"exactly {rows:,} rows, a limit of the service: probably cut off; export shorter periods"


MORE = "announces a further page that is not among the inputs: the export is incomplete"


def incomplete_pages(sources: Mapping[Path, Format]) -> Mapping[Path, str]:
    """Notes for pages without a continuation: of n pages of one format at most n - 1 may announce a next one.

    Raises nothing: a file whose envelope cannot be read announces nothing (reading its rows reports what is wrong).
    """
    notes: dict[Path, str] = {}
    for form in {form.name: form for form in sources.values()}.values():
        paths = [path for path, other in sources.items() if other.name == form.name]
        announcing = [path for path in paths if announces_more(path)]
        if len(announcing) == len(paths):
            notes.update(dict.fromkeys(announcing, MORE))
    return notes


def announces_more(path: Path) -> bool:
    """Whether a JSON page has a nextLink (Graph) or a warning that names the next command (Get-MessageTraceV2)."""
    try:
        with path.open("rb") as handle:
            if handle.read(64).replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")[:1] != b"{":
                return False
        envelope = envelope_of(path)
    except (InputError, OSError):
        return False
    warnings = envelope.get(_WARNINGS)
    return any(envelope.get(link) for link in _NEXT_LINKS) or (isinstance(warnings, list) and bool(warnings))


def notes(source: Recognised, rows: int) -> str:
    """What coverage says of one file by itself: its format's note, a row count at a limit, a guessed encoding."""
    guessed = encoding_note(source.path) if source.format.one_encoding else ""
    parts = (source.format.note, truncation_note(source.format, rows), guessed)
    return "; ".join(part for part in parts if part)
