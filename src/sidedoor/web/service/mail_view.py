"""A message from a stranger as plain text: header fields decoded, one text, the names of its parts. Nothing is run.

The message is parsed by the standard library within bounds; what cannot be parsed is shown as it came.
"""

from __future__ import annotations

from dataclasses import dataclass
from email import policy
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesParser

_MOST_OCTETS = 512 * 1024
_MOST_FIELDS = 60
_MOST_VALUE = 500
_MOST_PARTS = 50
_MOST_TEXT = 20_000
_WHOLE = BytesParser(policy=policy.compat32)  # older than the new policies, and raises least on nonsense


@dataclass(frozen=True, slots=True)
class Field:
    """A header field."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the message: its type and the name it gives itself."""

    type: str
    name: str


@dataclass(frozen=True, slots=True)
class MailView:
    """What is shown. text: the first plain text; is_source: there is none, and it is the source."""

    fields: tuple[Field, ...]
    text: str
    is_source: bool
    cut: bool
    parts: tuple[Part, ...]


def view_of(content: bytes) -> MailView:
    """A message for viewing; any octets will do."""
    head = content[:_MOST_OCTETS]
    try:
        parsed = _WHOLE.parsebytes(head)
        fields = tuple(Field(str(name)[:100], _decoded(str(value))) for name, value in parsed.items()[:_MOST_FIELDS])
        leaves = [part for part in _walk(parsed) if not part.is_multipart()]
        text = next((found for part in leaves if (found := _text(part)) is not None), None)
        parts = tuple(Part(part.get_content_type()[:100], str(part.get_filename() or "")[:200]) for part in leaves)
    except (MessageError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        fields, text, parts = (), None, ()
    shown = head.decode("utf-8", "replace") if text is None else text
    cut = len(shown) > _MOST_TEXT or len(content) > len(head)
    return MailView(fields, shown[:_MOST_TEXT], text is None, cut, parts)


def _walk(message: Message) -> list[Message]:
    """The parts in their order, as many as are shown; without recursion, which nesting could exhaust."""
    found: list[Message] = []
    waiting = [message]
    while waiting and len(found) < _MOST_PARTS:
        part = waiting.pop()
        found.append(part)
        below = part.get_payload()
        if isinstance(below, list):
            waiting += [each for each in reversed(below) if isinstance(each, Message)]
    return found


def _decoded(value: str) -> str:
    """A field's text, its encoded words decoded (RFC 2047); as it came where they are none."""
    try:
        text = str(make_header(decode_header(value[:_MOST_VALUE])))
    except (MessageError, ValueError, LookupError):
        text = value
    return text[:_MOST_VALUE]


def _text(part: Message) -> str | None:
    if part.get_content_type() != "text/plain" or part.get_filename():
        return None
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return None
    try:
        return payload.decode(part.get_content_charset("utf-8"), "replace")
    except LookupError:
        return payload.decode("latin-1")
