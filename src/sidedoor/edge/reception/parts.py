"""The inside of a message for transport rules: its text, the types of its parts, its attachments. Pure, and bounded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from email.policy import compat32

from sidedoor.mail.fact import Fact, Unknown
from sidedoor.policy.mailflow.view import Attachment

_MOST_CONTENT = 20 << 20
_MOST_TEXT = 1 << 20
_MOST_PARTS = 1_000
_TOO_BIG = Unknown("the message is larger than the edge looks into (20 MB)")
_TOO_MANY = Unknown(f"the message has more than {_MOST_PARTS:,} parts")


@dataclass(frozen=True, slots=True)
class Parts:
    """See `MessageView`: the facts that only the body tells."""

    body: Fact[str]
    part_types: Fact[frozenset[str]]
    attachments: Fact[tuple[Attachment, ...]]


def look_inside(content: bytes) -> Parts:
    """Read the MIME structure. Never raises: what cannot be read is unknown, with the reason."""
    if len(content) > _MOST_CONTENT:
        return Parts(_TOO_BIG, _TOO_BIG, _TOO_BIG)
    try:
        parts = list(_leaves(message_from_bytes(content, policy=compat32)))
    except (RecursionError, ValueError, LookupError) as error:
        unknown = Unknown(f"its MIME structure cannot be read ({type(error).__name__})")
        return Parts(unknown, unknown, unknown)
    if len(parts) > _MOST_PARTS:
        return Parts(_TOO_MANY, _TOO_MANY, _TOO_MANY)
    texts = [_text(part) for part in parts if part.get_content_maintype() == "text" and not _is_attachment(part)]
    attachments = tuple(Attachment(_name(part), len(_octets(part))) for part in parts if _is_attachment(part))
    return Parts("\n".join(texts)[:_MOST_TEXT], frozenset(part.get_content_type() for part in parts), attachments)


def _leaves(message: Message) -> Iterator[Message]:
    """Every part that is no container; a message within the message counts as one."""
    for number, part in enumerate(message.walk()):
        if number > 2 * _MOST_PARTS:
            return
        if not part.is_multipart() or part.get_content_maintype() == "message":
            yield part


def _is_attachment(part: Message) -> bool:
    return part.get_content_disposition() == "attachment" or bool(_name(part))


def _name(part: Message) -> str:
    try:
        return str(part.get_filename() or "")[:255]
    except (ValueError, LookupError, TypeError):  # RFC 2231 parameters that contradict each other
        return "(unreadable name)"


def _octets(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _text(part: Message) -> str:
    octets = _octets(part)[:_MOST_TEXT]
    try:
        return octets.decode(part.get_content_charset("utf-8"), errors="replace")
    except (LookupError, ValueError):  # an unknown charset, or a codec that is no text encoding
        return octets.decode("utf-8", errors="replace")
