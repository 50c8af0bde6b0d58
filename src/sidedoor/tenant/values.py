"""Values of exported settings, which may be native (JSON, CliXML) or texts (CSV, Select-Object).

A key that is missing, and a value that the export has destroyed (`System.Object[]`), are Unknown, never empty.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from sidedoor.mail.fact import Fact, Unknown
from sidedoor.tenant.moments import parse_ps_date

# What ConvertTo-Json beyond its -Depth, and Export-Csv for any list, write in place of the value: a .NET type's name.
_TYPE_NAME = re.compile(
    r"(?:Deserialized\.|Selected\.)*"
    r"(?:System\.(?:Object|String|Collections|Management|Net|Byte)|Microsoft\.Exchange\.)[\w.`+]*(?:\[.*\])?"
)
# Between entries: blanks, commas, line ends (Select-Object with -join, Out-String), and a semicolon that does not
# begin the cost of an address space (`smtp:*;1`).
_BETWEEN = re.compile(r"[\s,]+|;(?![0-9]+(?:[\s,;]|$))")
_WORDS: Mapping[str, bool] = {"true": True, "$true": True, "1": True, "false": False, "$false": False, "0": False}
# Members under which PowerShell objects that stand for one text keep it: IPRange, SmtpDomainWithSubdomains.
_TEXT_MEMBERS = ("Expression", "Address", "Domain", "DomainName", "Value")


class SettingError(ValueError):
    """An exported setting that lacks what makes it one; the message says what."""


def destroyed(text: str) -> bool:
    """Whether a text stands in place of a value that the export could not hold."""
    bare = text.strip()
    cut = bare.endswith(("...", "…", "...}", "…}"))  # Format-Table shows `{a, b...}`
    return cut or bare.startswith("@{") or _TYPE_NAME.fullmatch(bare) is not None


class Fields:
    """The values of one exported object by key, whatever the keys' case."""

    def __init__(self, item: Mapping[str, object]) -> None:
        self._item = item
        self._values = {key.lower(): value for key, value in item.items()}

    def __contains__(self, key: str) -> bool:
        return key.lower() in self._values

    @property
    def keys(self) -> frozenset[str]:
        """All keys in lower case."""
        return frozenset(self._values)

    def raw(self, key: str) -> object:
        """The value as it was exported, None where it is missing."""
        return self._values.get(key.lower())

    def text(self, key: str) -> str:
        """The text, "" where it is missing, null or destroyed."""
        found = _entry(self._values.get(key.lower()))
        return "" if isinstance(found, Unknown) else found

    def verbatim(self, key: str) -> str:
        """As `text`, with the blanks at its ends."""
        value = self._values.get(key.lower())
        return value if isinstance(value, str) and not destroyed(value) else self.text(key)

    def flag(self, key: str) -> Fact[bool]:
        """True or False; Unknown where the export has no such key, null, or no truth value."""
        value = self._values.get(key.lower())
        if isinstance(value, Mapping):  # a SwitchParameter
            value = value.get("IsPresent")
        if isinstance(value, bool):
            return value
        word = _WORDS.get(str(value).strip().lower()) if isinstance(value, str | int) else None
        return Unknown(f"the export does not tell {key}") if word is None else word

    def entries(self, key: str) -> Fact[tuple[str, ...]]:
        """The texts of a list; Unknown where the key is missing or the list was destroyed by the export."""
        if key not in self:
            return Unknown(f"the export has no {key}")
        value = self._values[key.lower()]
        if isinstance(value, Mapping) and isinstance(value.get("value"), list):
            value = value["value"]  # Windows PowerShell 5.1 writes {"value": [...], "Count": n} for some lists
        found = [_entry(entry) for entry in value] if isinstance(value, list) else _split(value)
        if isinstance(found, Unknown) or any(isinstance(entry, Unknown) for entry in found):
            how = "Export-Clixml, or ConvertTo-Json -Depth 5, would keep it"
            return Unknown(f"the export has lost the content of {key}; {how}")
        return tuple(entry for entry in found if isinstance(entry, str) and entry)

    def phrases(self, key: str) -> Fact[tuple[str, ...]]:
        """The texts of a list whose entries may hold blanks and commas: words, patterns. Blanks at the ends are kept.

        A text in place of a list is one entry; Unknown where it could be several (a comma), or the list was destroyed.
        """
        value = self._values.get(key.lower())
        if isinstance(value, Mapping) and isinstance(value.get("value"), list):
            value = value["value"]
        if not isinstance(value, list):
            inner = _entry(value)
            if isinstance(inner, str) and inner.startswith("{") and inner.endswith("}"):
                inner = inner[1:-1]
            if isinstance(inner, Unknown) or "," in inner or "\n" in inner:
                return Unknown(f"the export does not tell where an entry of {key} ends; ConvertTo-Json -Depth 5 would")
            return (inner,) if inner else ()
        found = [entry if isinstance(entry, str) and not destroyed(entry) else _entry(entry) for entry in value]
        if any(isinstance(entry, Unknown) for entry in found):
            return Unknown(f"the export has lost the content of {key}; ConvertTo-Json -Depth 5 would keep it")
        return tuple(entry for entry in found if isinstance(entry, str) and entry)

    def moment(self, *keys: str) -> datetime | None:
        """The first of the keys that holds a date; None for culture-shaped dates, which cannot be told."""
        moments = (parse_ps_date(self._values.get(key.lower())) for key in keys)
        return next((moment for moment in moments if moment is not None), None)

    def filled(self, without: frozenset[str]) -> dict[str, object]:
        """Keys as written with a value other than null, "" and an empty list, except those in `without` (lower)."""
        items = self._item.items()
        return {k: v for k, v in items if k.lower() not in without and v is not None and v not in ("", [])}


_LOST = Unknown("the export has lost the value")


def _entry(value: object) -> Fact[str]:
    """One value as text; of an object that stands for a text, this text."""
    if isinstance(value, Mapping):
        value = next((value[name] for name in _TEXT_MEMBERS if isinstance(value.get(name), str)), _LOST)
    if value is None:
        return ""
    if isinstance(value, str):
        return _LOST if destroyed(value) else value.strip()
    return str(value) if isinstance(value, bool | int | float) else _LOST


def _split(value: object) -> list[Fact[str]] | Unknown:
    """A list written as one text: `a b`, `a,b`, `{a, b}`, one entry a line."""
    whole = _entry(value)
    if isinstance(whole, Unknown):
        return whole
    inner = whole[1:-1] if whole.startswith("{") and whole.endswith("}") else whole
    found: list[Fact[str]] = [_entry(part) for part in _BETWEEN.split(inner)]
    return found
