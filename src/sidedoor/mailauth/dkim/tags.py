"""Tag lists of signatures and keys (RFC 6376 section 3.2)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping

_MOST = 64 * 1024
_TAG = re.compile(r"[ \t\r\n]*([A-Za-z][A-Za-z0-9_]*)[ \t\r\n]*=([^;]*)")
_NUMBER = re.compile(r"[0-9]{1,76}")


class TagError(ValueError):
    """The text is no tag list, or lacks a tag it needs; the message says why."""


def parse_tags(text: str) -> dict[str, str]:
    """Name -> value, blanks around it removed. Raises TagError; a tag that stands twice spoils the list."""
    if len(text) > _MOST:
        raise TagError(f"{len(text):,} characters of tags")
    found: dict[str, str] = {}
    parts = text.split(";")
    if not parts[-1].strip():
        parts.pop()
    for part in parts:
        match = _TAG.fullmatch(part)
        if match is None:
            raise TagError(f"{part.strip()[:40]!r} is no tag")
        if match[1] in found:
            raise TagError(f"the tag {match[1]}= stands twice")
        found[match[1]] = match[2].strip(" \t\r\n")
    return found


def print_tags(tags: Mapping[str, str]) -> str:
    """The list as text that reads back as the same tags."""
    return "; ".join(f"{name}={value}" for name, value in tags.items())


def binary(tags: Mapping[str, str], name: str) -> bytes:
    """A Base64 value, folding removed. Raises TagError."""
    text = "".join(tags[name].split())
    try:
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise TagError(f"{name}= is no Base64") from error


def number(tags: Mapping[str, str], name: str) -> int | None:
    """A decimal value, None where the tag is missing. Raises TagError."""
    if name not in tags:
        return None
    if not _NUMBER.fullmatch(tags[name]):
        raise TagError(f"{name}={tags[name][:40]!r} is no number")
    return int(tags[name])


def words(tags: Mapping[str, str], name: str, default: str = "") -> list[str]:
    """Values between colons, lower case."""
    return [word.strip() for word in tags.get(name, default).lower().split(":")]
