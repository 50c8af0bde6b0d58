"""Text from strangers, made harmless before it is shown: one place for all writers.

Names, addresses and HELO strings come from whoever connected. What is shown must not move the cursor, reverse the
reading direction (CVE-2021-42574, "Trojan Source") or hide characters; JSON alone keeps them, escaped.
"""

from __future__ import annotations

import re

REPLACEMENT = "�"
ELLIPSIS = "…"

_LINE_BREAKS = re.compile("[\t\n\v\f\r\x85\u2028\u2029]+")
# Cc and Cf of the Unicode Character Database, without the two joiners U+200C and U+200D that several scripts need to
# be spelled right; lone surrogates, which no UTF-8 file can hold; the noncharacters of the basic plane.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b\u200e\u200f\u2028-\u202e"
    "\u2060-\u206f\ufeff\ufff9-\ufffb\ufdd0-\ufdef\ufffe\uffff\ud800-\udfff"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f]"
)


def clean(text: str) -> str:
    """`text` on one line: runs of line breaks and tabs become a space, invisible characters U+FFFD."""
    return _UNSAFE.sub(REPLACEMENT, _LINE_BREAKS.sub(" ", text))


def shorten(text: str, length: int) -> str:
    """`text` cleaned, cut to at most `length` characters, the last of them an ellipsis where something is missing."""
    shown = clean(text[: length * 2])
    if len(shown) <= length and len(text) <= length * 2:
        return shown
    return shown[: length - 1].rstrip() + ELLIPSIS


def without_surrogates(text: str) -> str:
    """`text` as UTF-8 can hold it: lone surrogates become U+FFFD, all else stays."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
