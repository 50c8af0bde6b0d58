"""Data as PowerShell literals (about_Quoting_Rules): nothing in a single-quoted string is looked at but its quotes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

# PowerShell takes the typographic single quotes for ' itself, so each is doubled.
_QUOTES = re.compile("['\u2018\u2019\u201a\u201b]")


def text(value: str) -> str:
    """A string: `'it''s'`. What cannot be seen is written as a number: no line breaks, no reversal, nothing hides."""
    if value.isprintable():
        return _quoted(value)
    parts: list[str] = []
    seen = ""
    for sign in value:
        if sign.isprintable():
            seen += sign
            continue
        parts += ([_quoted(seen)] if seen else []) + [_number(sign)]
        seen = ""
    parts += [_quoted(seen)] if seen else []
    return f"(-join @({', '.join(parts)}))"


def _quoted(value: str) -> str:
    return "'" + _QUOTES.sub(lambda match: match[0] * 2, value) + "'"


def _number(sign: str) -> str:
    """`[char]` holds 16 bits: a character beyond them is its two surrogates."""
    units = sign.encode("utf-16-be", "surrogatepass")
    numbers = [int.from_bytes(units[at : at + 2], "big") for at in range(0, len(units), 2)]
    return ", ".join(f"[char]{number}" for number in numbers)


def literal(value: object, indent: int = 0) -> str:  # noqa: PLR0911  # one return for each kind of value
    """A value of strings, truth values, None, lists and mappings; mappings keep their order."""
    if value is None:
        return "$null"
    if isinstance(value, bool):
        return "$true" if value else "$false"
    if isinstance(value, str):
        return text(value)
    if isinstance(value, Mapping):
        return _mapping(value, indent)
    if isinstance(value, Sequence):
        if not value:
            return "@()"
        margin = " " * (indent + 4)
        if all(isinstance(item, str) for item in value) and sum(map(len, value)) < 60:  # one line
            return f"@({', '.join(literal(item) for item in value)})"
        items = f",\n{margin}".join(literal(item, indent + 4) for item in value)
        return f"@(\n{margin}{items}\n{' ' * indent})"
    raise TypeError(type(value).__name__)


def _mapping(value: Mapping[object, object], indent: int) -> str:
    """Keys are ours, never data: bare words."""
    margin = " " * (indent + 4)
    lines = [f"{margin}{key} = {literal(item, indent + 4)}" for key, item in value.items()]
    return "@{\n" + "\n".join(lines) + "\n" + " " * indent + "}" if lines else "@{}"
