"""The PowerShell that collects the same folder, for administrators who register no application."""

from __future__ import annotations

from datetime import datetime
from importlib.resources import files


def script(since: datetime | None, until: datetime | None, details: int) -> str:
    """The whole text, CRLF-free. Times stand in it as ISO literals made here; nothing a user typed does."""
    text = files("sidedoor.exchange").joinpath("collector.ps1").read_text(encoding="ascii")
    values = {"@SINCE@": _literal(since), "@UNTIL@": _literal(until), "@DETAILS@": str(int(details))}
    for mark, value in values.items():
        text = text.replace(mark, value)
    return text


def _literal(when: datetime | None) -> str:
    return "''" if when is None else f"'{when.strftime('%Y-%m-%dT%H:%M:%SZ')}'"
