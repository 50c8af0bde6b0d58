"""Addresses made by a machine for one message each: VERP, BATV (prvs=), SRS."""

from __future__ import annotations

import re
from collections.abc import Collection

_MADE = re.compile(r"[=+]|[0-9][^0-9]*[0-9][^0-9]*[0-9]")
# What varies in generated addresses: numbers, and hexadecimal or base-32 words with a digit in them.
_VARIES = re.compile(r"[a-z0-9]*[0-9][a-z0-9]*|(?<![a-z])[a-f]{6,}(?![a-z])")


def generated(addresses: Collection[str]) -> bool:
    """Whether most addresses are made by a machine for one message each (VERP, BATV, SRS)."""
    made = sum([_token(text.rpartition("@")[0]) for text in addresses])
    return made * 2 > len(addresses)


def _token(local: str) -> bool:
    return _MADE.search(local) is not None


def address_shape(text: str) -> str:
    """What generated addresses have in common: `b-1f3a=7@contoso.com` gives `b-#=#@contoso.com`; "" for others."""
    local, _, domain = text.rpartition("@")
    return f"{_VARIES.sub('#', local)}@{domain}" if _token(local) else ""
