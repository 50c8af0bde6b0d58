"""A message as signers see it: raw header fields, a body, and both in canonical form (RFC 6376 section 3.4).

Whole-body work is done by the C routines of `bytes`: a pass over a megabyte takes a millisecond, whatever is in it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

MAX_HEADER = 1024 * 1024
MAX_FIELDS = 10_000
_FIELD = re.compile(rb"(?P<name>[!-9;-~]+)[ \t]*:")
_RUN = re.compile(rb"[ \t]+")
_ODD = (b"\x0b", b"\x0c", b"\r", b"\n")  # blanks to `split`, and content to DKIM


class MessageError(ValueError):
    """The text is no message that could be verified; the message says why."""


class Canonicalization(Enum):
    """How much may change on the way without breaking the signature."""

    SIMPLE = "simple"  # next to nothing
    RELAXED = "relaxed"  # runs of blanks, folding, case of field names


class Field(NamedTuple):
    """One header field: its name in lower case, and the whole of it as it stands, CRLF at its end."""

    name: bytes
    raw: bytes

    @property
    def value(self) -> bytes:
        """What stands behind the colon, CRLF at its end."""
        return self.raw.partition(b":")[2]

    def canonical(self, how: Canonicalization) -> bytes:
        """Sections 3.4.1 and 3.4.2."""
        if how is Canonicalization.SIMPLE:
            return self.raw
        value = self.value.replace(b"\r\n", b"")
        if any(sign in value for sign in _ODD):
            return self.name + b":" + _RUN.sub(b" ", value).strip(b" ") + b"\r\n"
        return b"%b:%b\r\n" % (self.name, b" ".join(value.split()))


@dataclass(slots=True)
class SignedMessage:
    """The fields in order, and the body; bodies in canonical form are kept, since signatures share them."""

    fields: tuple[Field, ...]
    body: bytes
    _bodies: dict[Canonicalization, bytes] = field(default_factory=dict)

    def canonical_body(self, how: Canonicalization) -> bytes:
        """Sections 3.4.3 and 3.4.4."""
        if how not in self._bodies:
            self._bodies[how] = _relaxed(self.body) if how is Canonicalization.RELAXED else _simple(self.body)
        return self._bodies[how]

    def named(self, name: bytes) -> list[Field]:
        """The fields of that lower-case name, the first in the message first."""
        return [each for each in self.fields if each.name == name]


def parse_message(data: bytes) -> SignedMessage:
    """Split a message. Raises MessageError for a header beyond 1 MB or 10,000 fields, and for lines that are no field.

    A message that was stored with bare LF gets CRLF again, which is what was signed (section 5.3).
    """
    if b"\n" in data and b"\r\n" not in data:
        data = data.replace(b"\n", b"\r\n")
    header, body = _split(data)
    if len(header) > MAX_HEADER:
        raise MessageError(f"a header of {len(header):,} octets")
    fields: list[Field] = []
    for raw in _unfolded(header):
        if len(fields) >= MAX_FIELDS:
            raise MessageError(f"more than {MAX_FIELDS:,} header fields")
        match = _FIELD.match(raw)
        if match is None:
            raise MessageError(f"{raw[:40]!r} is no header field")
        fields.append(Field(match["name"].lower(), raw))
    return SignedMessage(tuple(fields), body)


def _split(data: bytes) -> tuple[bytes, bytes]:
    if data.startswith(b"\r\n"):
        return b"", data[2:]
    header, empty, body = data.partition(b"\r\n\r\n")
    if not empty:
        return header if header.endswith(b"\r\n") or not header else header + b"\r\n", b""
    return header + b"\r\n", body


def _unfolded(header: bytes) -> list[bytes]:
    """The fields as they stand, each with its continuation lines and CRLF."""
    found: list[list[bytes]] = []
    for line in header.split(b"\r\n")[:-1]:
        if line[:1] in {b" ", b"\t"} and found:
            found[-1].append(line)
        else:
            found.append([line])
    return [b"\r\n".join(lines) + b"\r\n" for lines in found]


def _relaxed(body: bytes) -> bytes:
    if b"\t" in body:
        body = body.replace(b"\t", b" ")
    while b"  " in body:
        body = body.replace(b"  ", b" ")  # halves every run, so twenty passes do for a megabyte of blanks
    if b" \r\n" in body:
        body = body.replace(b" \r\n", b"\r\n")
    body = _without_empty_end(body.removesuffix(b" "))
    return body + b"\r\n" if body else b""


def _simple(body: bytes) -> bytes:
    return _without_empty_end(body) + b"\r\n"


def _without_empty_end(body: bytes) -> bytes:
    """The body without CRLFs at its end; a CR or LF that stands alone there is content."""
    bare = body.rstrip(b"\r\n")
    end = body[len(bare) :]
    if end == b"\r\n" * (len(end) // 2):
        return bare
    kept = len(end)
    while end[max(kept - 2, 0) : kept] == b"\r\n":
        kept -= 2
    return bare + end[:kept]
