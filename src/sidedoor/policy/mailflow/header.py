"""The header of a message as octets and as text, in time linear in its length.

RFC 5322 section 2.2, read as mail really is: LF or CRLF, eight-bit text, no blank line before the body. A lone CR is no
line end: whoever splits there believes a forger.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from email.errors import HeaderParseError
from email.header import decode_header
from email.utils import getaddresses
from typing import NamedTuple

from sidedoor.mail.address import Address, AddressError, parse_address

MAX_HEADER = 1 << 20
"""Octets of a header that are looked at; Exchange takes at most 256 KB."""
MAX_FIELDS = 5_000
_MAX_ADDRESSES = 1_000
# RFC 5322 section 2.2: printable ASCII without the colon; section 4.5.8 allows blanks before the colon.
_NAME = re.compile(rb"(?P<name>[!-9;-~]{1,200})[ \t]*:")
_FOLD = re.compile(r"\r?\n(?=[ \t])")
# RFC 2047 section 2; blanks between two encoded words are no text (section 6.2).
_WORD = r"=\?[^\s?]{1,75}\?[bBqQ]\?[^\s?]*\?="
_ENCODED = re.compile(rf"{_WORD}(?:[ \t]+{_WORD})*")
_CONTROL = str.maketrans(dict.fromkeys((*range(9), *range(10, 32), 127), " "))


class HeaderField(NamedTuple):
    """One field: `name` as written; `value` unfolded, its encoded words (RFC 2047) decoded, no control characters."""

    name: str
    value: str


class RawField(NamedTuple):
    """One field's octets, from the name to the last line end; `name` is in lower case."""

    name: str
    start: int
    end: int


def raw_fields(content: bytes) -> Iterator[RawField]:
    """The fields of a message. The header ends at the first line that is neither a field nor its continuation.

    At most `MAX_FIELDS` fields within `MAX_HEADER` octets: what comes behind counts as body.
    """
    at, limit = 0, min(len(content), MAX_HEADER)
    for _ in range(MAX_FIELDS):
        match = _NAME.match(content, at, limit)
        if match is None:
            return
        end = _line_end(content, at)
        while content[end : end + 1] in {b" ", b"\t"}:
            end = _line_end(content, end)
        yield RawField(match["name"].decode("ascii").lower(), at, end)
        at = end


def _line_end(content: bytes, at: int) -> int:
    end = content.find(b"\n", at)
    return len(content) if end < 0 else end + 1


def header_fields(content: bytes) -> tuple[HeaderField, ...]:
    """The fields of a message as text, in order. Never raises."""
    return tuple(_field(content[raw.start : raw.end]) for raw in raw_fields(content))


def _field(octets: bytes) -> HeaderField:
    name, _, value = octets.partition(b":")
    return HeaderField(name.decode("ascii").rstrip(), decode_value(value.decode("utf-8", errors="replace")))


def decode_value(value: str) -> str:
    """One field's value unfolded, with encoded words decoded where they can be, without control characters.

    New-TransportRule: words and patterns are sought after decoding, never in the raw Base64.
    """
    text = _FOLD.sub("", value).strip()
    if "=?" in text:
        text = _ENCODED.sub(_decoded, text)
    return text if text.isprintable() else text.translate(_CONTROL).strip()


def _decoded(words: re.Match[str]) -> str:
    try:
        parts = decode_header(words[0])
    except (HeaderParseError, ValueError):  # broken Base64
        return words[0]
    return "".join(part if isinstance(part, str) else _text(part, charset or "ascii") for part, charset in parts)


def _text(part: bytes, charset: str) -> str:
    try:
        return part.decode(charset, errors="replace")
    except (LookupError, ValueError):  # an unknown charset, or a codec that is no text encoding
        return part.decode("utf-8", errors="replace")


def addresses_of(fields: Sequence[HeaderField], *names: str) -> tuple[Address, ...]:
    """All addresses of the named fields (lower case), groups too; what is no address is left out."""
    texts = [field.value[:MAX_HEADER] for field in fields if field.name.lower() in names]
    found = []
    for _, text in _split(texts)[:_MAX_ADDRESSES]:
        try:
            found.append(parse_address(text))
        except AddressError:
            continue
    return tuple(found)


def _split(texts: list[str]) -> list[tuple[str, str]]:
    try:
        return getaddresses(texts)
    except (ValueError, IndexError, RecursionError):  # email.utils on words that are no address at all
        return []
