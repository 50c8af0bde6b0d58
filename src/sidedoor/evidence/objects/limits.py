"""What one object may be, whoever wrote it: bounds on depth, size and text, and no side keys."""

from __future__ import annotations

import math
from typing import TypeAlias

MAX_DEPTH = 64  # PowerShell's ConvertTo-Json itself stops at 100; settings are nested three deep
MAX_NODES = 200_000  # values within one object: a setting with every list full has some ten thousand
MAX_TEXT = 8 << 20  # characters of one text
MAX_OBJECT = 32 << 20  # bytes read without an object coming to its end

Json: TypeAlias = object
"""None, bool, int, float, str, list or dict of them."""


class ObjectError(ValueError):
    """The content is no object within the bounds; the message says what was found."""


def tidy(item: dict[str, Json]) -> dict[str, object]:
    """The object without keys that contain `@` (`X@data.type`, `@odata.type`) and without lone surrogates.

    Raises ObjectError for what exceeds the bounds, and for numbers that are none.
    """
    return _Tidy().mapping(item, 0)


class _Tidy:
    def __init__(self) -> None:
        self._nodes = 0

    def mapping(self, item: dict[str, Json], depth: int) -> dict[str, object]:
        return {
            self._text(key): value if value is None else self._value(value, depth + 1)
            for key, value in item.items()
            if "@" not in key
        }

    def _value(self, value: Json, depth: int) -> object:
        self._nodes += 1
        if depth > MAX_DEPTH or self._nodes > MAX_NODES:
            raise ObjectError(f"an object more than {MAX_DEPTH} levels deep or of more than {MAX_NODES:,} values")
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, dict):
            return self.mapping(value, depth)
        if isinstance(value, list):
            return [self._value(entry, depth + 1) for entry in value]
        if isinstance(value, float) and not math.isfinite(value):
            raise ObjectError("a number beyond all bounds")
        return value

    def _text(self, text: str) -> str:
        if len(text) > MAX_TEXT:
            raise ObjectError(f"a text of {len(text):,} characters; {MAX_TEXT:,} is the most")
        if text.isascii():
            return text
        # A subject cut within a surrogate pair (`\ud83d`) is legal JSON but no text that can be written again.
        return text.encode("utf-8", "replace").decode() if _lone_surrogate(text) else text


def _lone_surrogate(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def unique_keys(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    """The object hook of both JSON readers: a key that occurs twice makes an object ambiguous. Raises ObjectError."""
    item = dict(pairs)
    if len(item) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ObjectError(f"the key {twice[:80]!r} twice in one object")
    return item
