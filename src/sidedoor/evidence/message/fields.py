"""From the bytes of a header to its fields, in order, in time linear in its length and bounded.

RFC 5322 section 2.2, read as mail really is: LF or CRLF, eight-bit text, no blank line before the body, quoted and
indented pastes. A lone CR is no line end: `Subject: x<CR>X-MS-Exchange-Organization-AuthAs: Internal` is one field, and
whoever splits it believes a forger.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sidedoor.evidence.message.model import HeaderField
from sidedoor.evidence.text import detect_encoding

MAX_HEADER = 1 << 20
"""Bytes of a header; Exchange Online takes at most 256 KB."""
MAX_FIELDS = 5_000
# RFC 5322 section 2.2: a name is printable ASCII without the colon; section 4.5.8 allows blanks before the colon.
_FIELD = re.compile(r"([!-9;-~]{1,200})[ \t]*:[ \t]*([^\n]*(?:\n[ \t][^\n]*)*)(?:\n|\Z)")
_FOLD = re.compile(r"[ \t]*\n[ \t]+")
_QUOTED = re.compile(r"(?:[ \t]*+> ?)++")
_CONTROL = str.maketrans(dict.fromkeys((*range(9), 11, 12, *range(14, 32), 127), "�") | {"\r": " "})
_CONTROL_BYTES = bytes((*range(9), 11, 12, *range(14, 32), 127))
_LEADING = 20  # lines of anything but fields that a paste may begin with


class MessageError(ValueError):
    """The bytes are no message that could be read; the message says why."""


def decode(data: bytes) -> str:
    """The header as text with LF line ends; what is no UTF-8 is read as Windows-1252 or shows as U+FFFD."""
    plain = data.isascii() and b"\0" not in data
    encoding = "ascii" if plain else detect_encoding(data[:65_536])
    text = data.decode(encoding, errors="replace").removeprefix("\ufeff")
    if "\r" in text:
        text = text.replace("\r\n", "\n")
        if "\n" not in text:  # an old Macintosh file: CR is its only line end
            text = text.replace("\r", "\n")
    return text


def first_of(marks: Sequence[bytes], data: bytes, start: int, end: int) -> int:
    """The place of the first of several marks between two places; -1 for none. No mark is sought behind another."""
    found = -1
    for mark in marks:
        place = data.find(mark, start, end)
        if place >= 0:
            found, end = place, place + len(mark)
    return found


def parse_fields(data: bytes, first_line: int = 1, most: int = MAX_FIELDS + 1) -> tuple[HeaderField, ...]:
    """The fields of a header, which ends at the first line that is neither a field nor its continuation.

    `most`: stop after so many fields.
    Raises MessageError for a header of more than 1 MB or 5,000 fields, and for bytes that do not begin with one.
    """
    if len(data) > MAX_HEADER:
        raise MessageError(f"a header of more than {MAX_HEADER:,} bytes")
    text, skipped = _without_junk(decode(data))
    clean = text.isascii() and "\r" not in text and len(data) == len(data.translate(None, _CONTROL_BYTES))
    return _fields(text, first_line + skipped, clean=clean, most=most)


def _fields(text: str, line: int, *, clean: bool, most: int) -> tuple[HeaderField, ...]:
    found: list[HeaderField] = []
    at, match = 0, _FIELD.match
    plain_folds = not ("\t" in text or " \n" in text or "\n  " in text)
    while field := match(text, at):
        name, value = field.groups()
        lines = 1
        if "\n" in value:
            lines += value.count("\n")
            # RFC 5322 section 2.2.3, with one blank for each fold.
            value = value.replace("\n ", " ") if plain_folds else _FOLD.sub(" ", value)
        if not clean and not value.isprintable():
            value = value.translate(_CONTROL)
        found.append(HeaderField(name, value.strip(), line))
        line += lines
        at = field.end()
        if len(found) == most:
            break
    if len(found) > MAX_FIELDS:
        raise MessageError(f"more than {MAX_FIELDS:,} header fields")
    if not found:
        raise MessageError("no header field at the beginning")
    return tuple(found)


def _without_junk(text: str) -> tuple[str, int]:
    """(text from its first field on, lines left out): mbox's From line, blank lines, quoting, a paste's indentation."""
    if _FIELD.match(text):
        return (text, 0) if not text.startswith("From ") else _after_lines(text, 1)
    lines = text.split("\n")
    if _mostly_quoted(lines):
        text = "\n".join(_unquoted(line) for line in lines)
    for skipped in range(min(_LEADING, len(lines))):
        rest, _ = _after_lines(text, skipped)
        if _looks_like_field(rest):
            return _unindented(rest), skipped
    return text, 0


def _after_lines(text: str, count: int) -> tuple[str, int]:
    return text.split("\n", count)[-1] if count else text, count


def _mostly_quoted(lines: list[str]) -> bool:
    some = [line for line in lines[:50] if line.strip()]
    return bool(some) and 2 * sum(bool(_QUOTED.match(line)) for line in some) > len(some)


def _unquoted(line: str) -> str:
    """`> > Received: x` without its marks; one blank behind a mark belongs to it."""
    mark = _QUOTED.match(line)
    return line[mark.end() :] if mark else line


def _looks_like_field(text: str) -> bool:
    return not text.startswith("From ") and bool(_FIELD.match(text.lstrip(" \t")))


def _unindented(text: str) -> str:
    """A paste that is indented as a whole: the first line's indentation is taken off every line."""
    indent = text[: len(text) - len(text.lstrip(" \t"))]
    return "\n".join(line.removeprefix(indent) for line in text.split("\n")) if indent else text
