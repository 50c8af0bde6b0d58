"""Sizes as Exchange exports them: `35 MB (36,700,160 bytes)`, `1048576`, `25MB`."""

from __future__ import annotations

import re
from collections.abc import Mapping

_EXACT = re.compile(r"\((?P<octets>[0-9][0-9,. ]{0,25}) bytes\)")
_PLAIN = re.compile(r"(?P<number>[0-9]{1,15}(?:\.[0-9]{1,6})?)\s*(?P<unit>b|kb|mb|gb|tb|)(?:ytes)?", re.IGNORECASE)
_UNITS: Mapping[str, int] = {"": 1, "b": 1, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30, "tb": 1 << 40}


def octets_of(text: str) -> int | None:
    """The size in octets, None for a text that is none."""
    if exact := _EXACT.search(text):
        return int(re.sub(r"[,. ]", "", exact["octets"]))
    plain = _PLAIN.fullmatch(text.strip())
    return int(float(plain["number"]) * _UNITS[plain["unit"].lower()]) if plain else None
