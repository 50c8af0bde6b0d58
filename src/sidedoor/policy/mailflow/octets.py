"""Header changes put into a message's octets. What no change names stays as it is, octet for octet."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from typing import assert_never

from sidedoor.policy.mailflow.actions import HeaderChange, PrependSubject, RemoveHeader, SetHeader
from sidedoor.policy.mailflow.header import RawField, raw_fields, without_controls

# RFC 5322 section 2.1.1: 998 octets a line; shorter, so that a name and a prefix fit before it.
_MOST_PLAIN = 900
_CHUNK = 42  # octets in one encoded word, which may have 75 characters (RFC 2047 section 2)
_NAME = re.compile(r"[!-9;-~]{1,200}")


def apply_changes(content: bytes, changes: Sequence[HeaderChange]) -> bytes:
    """The message with the changes in its header, one after another. Line ends are those of the message.

    Raises ValueError for a name that is no field's; `compile_rules` lets none through.
    """
    for change in changes:
        content = _apply(content, change)
    return content


def _apply(content: bytes, change: HeaderChange) -> bytes:
    fields = list(raw_fields(content))
    end_of_line = _end_of_line(content)
    match change:
        case RemoveHeader(name):
            return _without(content, _named(fields, name))
        case SetHeader(name, value):
            return _set(content, fields, _line(name, _encoded(value, end_of_line), end_of_line))
        case PrependSubject(text):
            return _prepend(content, fields, text, end_of_line)
        case _:
            assert_never(change)


def _end_of_line(content: bytes) -> bytes:
    first = content.find(b"\n")
    return b"\n" if first > 0 and content[first - 1 : first] != b"\r" else b"\r\n"


def _named(fields: Sequence[RawField], name: str) -> list[RawField]:
    return [field for field in fields if field.name == name.lower()]


def _without(content: bytes, fields: Sequence[RawField]) -> bytes:
    """The message without some of its fields, which are in order."""
    parts, at = [], 0
    for field in fields:
        parts.append(content[at : field.start])
        at = field.end
    return b"".join((*parts, content[at:]))


def _line(name: str, value: bytes, end_of_line: bytes) -> bytes:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name[:80]!r} is no name of a header field")
    return name.encode("ascii") + b": " + value + end_of_line


def _set(content: bytes, fields: Sequence[RawField], line: bytes) -> bytes:
    """The line in the place of the first field of its name, others of the name away; without one, after the last."""
    same = _named(fields, line.partition(b":")[0].decode("ascii"))
    if not same:
        return _appended(content, fields, line)
    first, rest = same[0], _without(content[same[0].end :], [_moved(field, same[0].end) for field in same[1:]])
    return content[: first.start] + line + rest


def _moved(field: RawField, by: int) -> RawField:
    return RawField(field.name, field.start - by, field.end - by)


def _appended(content: bytes, fields: Sequence[RawField], line: bytes) -> bytes:
    """After the last field. A body that follows without an empty line gets one, lest it pass for the header."""
    at = fields[-1].end if fields else 0
    before, rest = content[:at], content[at:]
    end_of_line = _end_of_line(content)
    if before and not before.endswith(b"\n"):
        before += end_of_line
    if rest and not rest.startswith((b"\r\n", b"\n")):
        line += end_of_line
    return before + line + rest


def _prepend(content: bytes, fields: Sequence[RawField], text: str, end_of_line: bytes) -> bytes:
    subject = next(iter(_named(fields, "subject")), None)
    if subject is None:
        return _appended(content, fields, _line("Subject", _encoded(text.rstrip(), end_of_line), end_of_line))
    name, _, old = content[subject.start : subject.end].partition(b":")
    new = name + b": " + _joined(text, old.lstrip(b" \t"), end_of_line)
    return content[: subject.start] + new + content[subject.end :]


def _joined(text: str, old: bytes, end_of_line: bytes) -> bytes:
    """A text before a subject as written. An encoded word needs a blank before it, which between two is no text."""
    encoded_follows = old.startswith(b"=?")
    if _plain(text) and not (encoded_follows and not text.endswith(" ")):
        prefix = without_controls(text).encode("ascii")
    else:
        prefix = _words(text if encoded_follows else text.rstrip(), end_of_line) + b" "
    too_long = len(prefix.rpartition(b"\n")[2]) + len(old.partition(b"\n")[0]) > _MOST_PLAIN
    return prefix + end_of_line + b" " + old if too_long and not _blank_start(old) else prefix + old


def _blank_start(old: bytes) -> bool:
    """Whether the first line of a subject is empty: folding before it would leave a line of blanks."""
    return not old.partition(b"\n")[0].strip()


def _plain(text: str) -> bool:
    return text.isascii() and len(text) <= _MOST_PLAIN and "=?" not in text


def _encoded(text: str, end_of_line: bytes) -> bytes:
    """A value as octets. Controls become blanks: whatever comes here, no line ends within a field."""
    return without_controls(text).encode("ascii") if _plain(text) else _words(text, end_of_line)


def _words(text: str, end_of_line: bytes) -> bytes:
    """Encoded words (RFC 2047), one a line."""
    words = (b"=?utf-8?B?" + base64.b64encode(chunk) + b"?=" for chunk in _chunks(without_controls(text)))
    return (end_of_line + b" ").join(words)


def _chunks(text: str) -> Iterator[bytes]:
    """UTF-8 in pieces that end between characters (RFC 2047 section 5)."""
    chunk = b""
    for character in text:
        octets = character.encode("utf-8", "replace")
        if len(chunk) + len(octets) > _CHUNK:
            yield chunk
            chunk = b""
        chunk += octets
    if chunk:
        yield chunk
