"""The custom_data column of tracking logs and its twin, the CustomData blob of a trace detail.

    custom_data = part *( ";" part )
    part        = "S:" name "=" value  /  "'" "S:" name "=" value-with-semicolons "'"
    value       = text / pair *( "|" pair )          ; keys repeat, a pair splits at its first "="

Source: Microsoft's "Message trace in the modern Exchange admin center", section on custom_data.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_CONNECTOR_NAME = re.compile(r"(?:^|[;|])Name=(?P<name>[^;|]+)")


class Part(NamedTuple):
    """One part: `S:SFA=SUM|SFV=NSPM` is name `SFA`, value `SUM|SFV=NSPM`."""

    name: str
    value: str

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """The value's pairs in order; an element without `=` is a key with an empty value."""
        return tuple((key, value) for key, _, value in (item.partition("=") for item in self.value.split("|")))


class CustomData(tuple[Part, ...]):
    """All parts in order, with look-ups by name (case does not matter)."""

    __slots__ = ()

    def first(self, name: str) -> str | None:
        """The value of the first part of that name, None where there is none."""
        return next((part.value for part in self if part.name.lower() == name.lower()), None)

    def pair(self, name: str, key: str) -> str | None:
        """The first value of `key` within any part `name`."""
        return next(
            (
                v
                for part in self
                if part.name.lower() == name.lower()
                for k, v in part.pairs
                if k.lower() == key.lower()
            ),
            None,
        )

    @property
    def connector_name(self) -> str | None:
        """The inbound connector named by `S:InboundConnectorData=Name=...;`, None where the part is missing."""
        match = _CONNECTOR_NAME.search(self.first("InboundConnectorData") or "")
        return match["name"].strip() if match else None


def parse_custom_data(text: str) -> CustomData:
    """Parse a blob; never fails: what is no part by the grammar has an empty name and its text as value."""
    parts, position, closable = [], 0, True
    while position < len(text):
        end = _closing(text, position) if closable and text.startswith("'S:", position) else -1
        if end >= 0:
            parts.append(_part(text[position + 1 : end]))
            position = end + 2
            continue
        closable = closable and not text.startswith("'S:", position)  # none closes behind here: look no more
        end = text.find(";", position)
        end = len(text) if end < 0 else end
        parts.append(_part(text[position:end]))
        position = end + 1
    return CustomData(part for part in parts if part != ("", ""))


def _closing(text: str, start: int) -> int:
    """Index of the apostrophe that ends the quoted part at `start`, before `;` or the end of the text; -1 if none."""
    end = text.find("';", start + 1)
    return len(text) - 1 if end < 0 and text.endswith("'") and len(text) > start + 3 else end


def _part(text: str) -> Part:
    name, equals, value = text.removeprefix("S:").partition("=")
    return Part(name.strip(), value) if text.startswith("S:") and equals else Part("", text)
