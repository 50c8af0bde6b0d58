"""Messages out of files: .eml, mailbox files, .msg, pasted headers. Known by content; bodies are never loaded."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from sidedoor.evidence.message.fields import MAX_HEADER, MessageError, decode, parse_fields
from sidedoor.evidence.message.mbox import Head, heads_of, is_mbox
from sidedoor.evidence.message.model import MessageEvidence
from sidedoor.evidence.message.msg import MAGIC, transport_header
from sidedoor.evidence.message.parse import header_bytes, parse_message, read_message
from sidedoor.evidence.record import RejectedRow
from sidedoor.evidence.text import unreadable

_HEAD = 65_536
_EXCERPT = 500
_SNIFFED = 4_096  # bytes looked at to tell a message from any other text
_AT_ONCE, _PARSED = 6, 20  # fields looked at for that: nearly always the first few, else so many
# One of these must be there, and three fields of a message in all.
_TELLING = frozenset({"received", "return-path", "message-id", "authentication-results", "from", "delivered-to"})
_USUAL = _TELLING | frozenset(
    {
        "to", "cc", "subject", "date", "sender", "reply-to", "mime-version", "content-type", "dkim-signature",
        "received-spf", "arc-seal", "arc-message-signature", "arc-authentication-results", "x-mailer", "user-agent",
        "x-original-to", "content-transfer-encoding", "in-reply-to", "references", "list-id",
    }
)  # fmt: skip
_PREFIXES = ("x-ms-", "x-forefront-", "x-microsoft-", "x-eop", "resent-")


def is_message_file(head: bytes) -> bool:
    """Whether a file that begins with `head` (64 KB are plenty) holds one or more raw messages, or headers."""
    return head.startswith(MAGIC) or is_mbox(head) or _is_header(head)


def _is_header(head: bytes) -> bool:
    if head[:_SNIFFED].lstrip(b"\r\n\t \xef\xbb\xbf")[:1] in {b"{", b"[", b"<", b"", b'"', b"#"}:
        return False
    header = header_bytes(head[:_SNIFFED])
    try:  # what more fields can add is never a no
        return _are_usual(header, _AT_ONCE) or _are_usual(header, _PARSED)
    except MessageError:
        return False


def _are_usual(header: bytes, most: int) -> bool:
    names = [field.name.lower() for field in parse_fields(header, most=most)]
    usual = sum(name in _USUAL or name.startswith(_PREFIXES) for name in names)
    return usual >= 3 and 2 * usual >= len(names[:_AT_ONCE]) and bool(_TELLING.intersection(names))


def read_messages(path: Path) -> Iterator[MessageEvidence | RejectedRow]:
    """Every message of a file, in order; one that cannot be read is a RejectedRow with its number and the reason.

    Raises InputError where the file cannot be opened.
    """
    try:
        with path.open("rb", buffering=0) as stream:
            yield from _read(stream, path)
    except OSError as error:
        raise unreadable(path, error) from error


def read_message_bytes(data: bytes) -> Iterator[MessageEvidence | RejectedRow]:
    """The same for bytes from elsewhere, standard input say."""
    yield from _read(io.BytesIO(data), data)


def _read(stream: IO[bytes], source: Path | bytes) -> Iterator[MessageEvidence | RejectedRow]:
    head = stream.read(_HEAD)
    if head.startswith(MAGIC):
        yield _of_msg(source)
    elif is_mbox(head):
        stream.seek(0)
        for number, found in enumerate(heads_of(stream), start=1):
            yield _evidence(found, number)
    else:
        yield _evidence(_one_header(stream, head), 1)


def _of_msg(source: Path | bytes) -> MessageEvidence | RejectedRow:
    try:
        return parse_message(transport_header(source))
    except MessageError as error:
        return RejectedRow(1, str(error), "")


def _one_header(stream: IO[bytes], head: bytes) -> Head:
    """The header of a file with one message."""
    data = header_bytes(head)
    if len(data) == len(head) == _HEAD:
        data = header_bytes(head + stream.read(MAX_HEADER + 1 - _HEAD))
    return Head(data[: MAX_HEADER + 1], 1)


def _evidence(found: Head, number: int) -> MessageEvidence | RejectedRow:
    try:
        return read_message(parse_fields(found.data, found.line))
    except MessageError as error:
        return RejectedRow(number, str(error), decode(found.data[:_EXCERPT])[:_EXCERPT].replace("\0", "\ufffd"))
