"""The header of a message as octets and as text, in time linear in its length.

RFC 5322 section 2.2, read as mail really is: LF or CRLF, eight-bit text, no blank line before the body. A lone CR is no
line end: whoever splits there believes a forger.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from email.errors import HeaderParseError
from email.header import decode_header
from email.utils import getaddresses
from typing import NamedTuple

from sidedoor.mail.address import Address, parse_address
from sidedoor.mail.fact import Fact, Unknown

MAX_HEADER = 1 << 20
"""Octets of a header that are looked at; Exchange takes at most 256 KB."""
MAX_FIELDS = 5_000
_MAX_ADDRESSES = 1 << 16  # characters of one field of addresses
# RFC 5322 section 2.2: printable ASCII without the colon; section 4.5.8 allows blanks before the colon.
_NAME = re.compile(rb"(?P<name>[!-9;-~]{1,200})[ \t]*:")
_FOLD = re.compile(r"\r?\n(?=[ \t])")
# RFC 2047 section 2; blanks between two encoded words are no text (section 6.2).
_WORD = r"=\?[^\s?]{1,75}\?[bBqQ]\?[^\s?]*\?="
_ONE_WORD = re.compile(_WORD)
_ENCODED = re.compile(rf"{_WORD}(?:[ \t]+{_WORD})*")
# C0 and C1 controls, and the two separators that some call line ends.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# Codecs that are no character sets of mail, and take time that grows with the square of the text.
_NO_CHARSETS = frozenset({"idna", "punycode", "unicode-escape", "raw-unicode-escape"})


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
        text = _ENCODED.sub(lambda words: "".join(map(_decoded, _ONE_WORD.findall(words[0]))), text)
    return text if text.isprintable() else without_controls(text).strip()


def without_controls(text: str) -> str:
    """The text with a blank for each control character, line ends among them."""
    return _CONTROL.sub(" ", text)


def has_controls(text: str) -> bool:
    """Whether the text has a control character, a line end say."""
    return _CONTROL.search(text) is not None


def _decoded(word: str) -> str:
    """One encoded word; as it stands where it is broken. Each alone: a broken one must not hide its neighbours."""
    try:
        [(octets, charset)] = decode_header(word)
    except (HeaderParseError, ValueError):  # broken Base64
        return word
    return octets if isinstance(octets, str) else _text(octets, charset or "ascii")


def _text(part: bytes, charset: str) -> str:
    try:
        name = codecs.lookup(charset).name
        return part.decode("utf-8" if name in _NO_CHARSETS else name, errors="replace")
    except (LookupError, ValueError):  # an unknown charset, or a codec that is no text encoding
        return part.decode("utf-8", errors="replace")


def addresses_of(fields: Sequence[HeaderField], *names: str) -> Fact[tuple[Address, ...]]:
    """All addresses of the named fields (lower case), groups too; unknown where a field has one that cannot be read.

    Words that are no address (`undisclosed-recipients:;`) are none.
    """
    found: list[Address] = []
    for field in fields:
        if field.name.lower() in names:
            addresses = _addresses(field.value)
            if addresses is None:
                return Unknown(f"the field {field.name} has an address that cannot be read")
            found += addresses
    return tuple(found)


def _addresses(value: str) -> list[Address] | None:
    """The addresses of one field; None where something that looks like one is none, or the field is too long."""
    if len(value) > _MAX_ADDRESSES:
        return None
    try:
        texts = [text for _, text in getaddresses([value]) if "@" in text]
        found = [parse_address(text) for text in texts]
    except (
        ValueError,
        IndexError,
        RecursionError,
    ):  # AddressError; email.utils on words that are none
        return None
    return found if found or "@" not in value else None
