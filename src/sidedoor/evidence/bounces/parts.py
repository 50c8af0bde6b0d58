"""A message taken apart, in bounded memory and time: leaves with their media type and decoded content.

The standard library's parser takes quadratic time where parts are nested hundreds deep. Reports are flat: what is
nested deeper than a few levels, or has more parts than any report, is not looked at.
"""

from __future__ import annotations

import binascii
import html
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sidedoor.evidence.message.fields import MessageError, first_of, parse_fields
from sidedoor.evidence.message.model import HeaderField

MAX_MAIL = 2 << 20
"""Bytes of one message that are looked at: what tells about the refusal stands before the message that came back."""
_MOST_PARTS, _MOST_DEPTH = 60, 6
_MOST_TEXT = 256 << 10  # characters of one text
_MOST_VALUE = 4_096  # characters of a Content-Type
_TYPE = re.compile(r"\s*([a-z0-9.+-]{1,60}/[a-z0-9.+-]{1,80})", re.IGNORECASE)
_BOUNDARY = re.compile(r';\s*boundary\s*=\s*(?:"([^"\r\n]{1,200})"|([^\s;"]{1,200}))', re.IGNORECASE)
_NOT_BASE64 = bytes(byte for byte in range(256) if not (bytes([byte]).isalnum() and byte < 128) and byte not in b"+/")
_TAG = re.compile(r"<[^<>]*>")
_BREAK = re.compile(r"<(?:br|/p|/div|/tr|/li|/h\d|/td|/pre)\b[^<>]*>", re.IGNORECASE)


class Part(NamedTuple):
    """A leaf: media type in lower case, its own header, its content decoded."""

    type: str
    fields: Sequence[HeaderField]
    data: bytes

    @property
    def text(self) -> str:
        """As text; HTML without its marks. Codes and addresses are ASCII, so bytes that are no UTF-8 do no harm."""
        wide = "utf-16" if self.data[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8"
        told = self.data[: 4 * _MOST_TEXT].decode(wide, "replace").replace("\r\n", "\n")[:_MOST_TEXT]
        return plain_of_html(told) if self.type == "text/html" else told


def parts_of(fields: Sequence[HeaderField], body: bytes) -> Iterator[Part]:
    """The leaves of a message in order; a message within a message is a leaf."""
    left = [_MOST_PARTS]
    yield from _leaves(fields, body, 0, left)


def value_of(fields: Sequence[HeaderField], name: str) -> str:
    """The first field of that name (in lower case), "" where there is none."""
    return next((field.value for field in fields if field.name.lower() == name), "")


def split_message(data: bytes) -> tuple[Sequence[HeaderField], bytes]:
    """(header, body) of a part; a part may have no header at all."""
    if data.startswith((b"\n", b"\r\n")):
        return (), data[data.index(b"\n") + 1 :]
    end = first_of((b"\n\r\n", b"\n\n"), data, 0, len(data))
    head, body = (data, b"") if end < 0 else (data[: end + 1], data[end + 1 :].lstrip(b"\r").removeprefix(b"\n"))
    try:
        return parse_fields(head), body
    except MessageError:
        return (), data


def _leaves(fields: Sequence[HeaderField], body: bytes, depth: int, left: list[int]) -> Iterator[Part]:
    kind = value_of(fields, "content-type")[:_MOST_VALUE]
    boundary = _BOUNDARY.search(kind)
    if boundary and kind.lstrip().lower().startswith("multipart/"):
        if depth < _MOST_DEPTH:
            for piece in _pieces(body, (boundary[1] or boundary[2]).rstrip().encode("latin-1", "replace")):
                yield from _leaves(*split_message(piece), depth + 1, left)
        return
    left[0] -= 1
    if left[0] >= 0:
        named = _TYPE.match(kind)
        yield Part(named[1].lower() if named else "text/plain", fields, _decoded(fields, body))


def _pieces(body: bytes, boundary: bytes) -> Iterator[bytes]:
    """What stands between the boundary's lines (RFC 2046 section 5.1.1); up to the end where the last is missing."""
    line = re.compile(rb"(?:\A|\r?\n)--" + re.escape(boundary) + rb"(--)?[ \t]*(?=\r?\n|\Z)")
    start = -1
    for number, found in enumerate(line.finditer(body)):
        if start >= 0:
            yield body[start : found.start()]
        if found[1] or number > _MOST_PARTS:
            return
        start = body.find(b"\n", found.end()) + 1 or len(body)
    if start >= 0:
        yield body[start:]


def _decoded(fields: Sequence[HeaderField], body: bytes) -> bytes:
    encoding = value_of(fields, "content-transfer-encoding").strip().lower()
    if encoding == "quoted-printable":
        return binascii.a2b_qp(body)
    if encoding == "base64":
        letters = body.translate(None, _NOT_BASE64)
        try:
            return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))
        except binascii.Error:
            return body
    return body


def plain_of_html(text: str) -> str:
    """HTML as text, one line for each block; styles, scripts and comments left out. Linear in its length."""
    for opening, closing in (("<style", "</style"), ("<script", "</script"), ("<!--", "-->")):
        text = _without(text, opening, closing)
    return html.unescape(_TAG.sub(" ", _BREAK.sub("\n", text)))


def _without(text: str, opening: str, closing: str) -> str:
    kept, at, folded = [], 0, text.lower()
    if len(folded) != len(text):  # letters whose lower case is longer: offsets would not fit
        folded = text
    while (start := folded.find(opening, at)) >= 0:
        kept.append(text[at:start])
        end = folded.find(closing, start)
        if end < 0:
            return "".join(kept)
        at = end + len(closing)
    return "".join([*kept, text[at:]])
