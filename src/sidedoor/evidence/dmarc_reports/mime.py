"""Attachments of a mail, found line by line.

The standard library's parser builds a tree, and takes quadratic time where parts are nested hundreds deep; a report
lies in a leaf, whatever is around it. So boundaries are gathered as they are announced, and each leaf is decoded as it
streams (RFC 2045, RFC 2046). What a part says of its own type does not matter.
"""

from __future__ import annotations

import binascii
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from sidedoor.errors import InputError
from sidedoor.evidence.text import unreadable

MAX_MAIL = 256 << 20  # bytes looked at: Exchange Online's largest message is 150 MB, Base64 included
_MAX_LINE = 65_536
_MAX_HEADER = 262_144  # bytes of one part's header that are looked at
_MAX_BOUNDARIES = 2_000
_IN_MEMORY = 4 << 20  # bytes of an attachment beyond which it goes to disk
_MESSAGE = (b"message/", b"Message/", b"MESSAGE/")
_BASE64, _QUOTED = _DECODED = (b"base64", b"quoted-printable")
_NOT_BASE64 = bytes(byte for byte in range(256) if not (bytes([byte]).isalnum() and byte < 128) and byte not in b"+/=")
_PACKED = re.compile(rb"(?:H4sI|UEsDB|PD94bWw|PGZlZWRi|77u/PD94)[A-Za-z0-9+/=\s]*")  # Base64 of gzip, ZIP, XML
_BOUNDARY = re.compile(rb';\s*boundary\s*=\s*(?:"([^"\r\n]{1,200})"|([^\s;"]{1,200}))', re.IGNORECASE)
_FIELD = re.compile(rb"[!-9;-~]{1,76}:")


def begins_like_mail(head: bytes) -> bool:
    """Whether a file that begins so is a message: a header field, or the `From ` line of a mailbox file."""
    first, _, rest = head.lstrip(b"\r\n").partition(b"\n")
    if first.startswith(b"From "):
        first = rest
    return _FIELD.match(first) is not None and b"\n" in rest


def attachments(path: Path, *, first_mail: bool = False) -> Iterator[IO[bytes]]:
    """The decoded content of each leaf of the mail at `path`, to be used before the next is asked for.

    Of a mailbox file the leaves of all messages, or of the first one only.

    Raises InputError for a mail beyond the bounds, and for a file that cannot be read.
    """
    try:
        with path.open("rb") as handle:
            yield from _leaves(_Lines(path, handle), first_mail=first_mail)
    except OSError as error:
        raise unreadable(path, error) from error


class _Lines:
    """Lines of a mail; overlong ones come in pieces. Knows which lines separate parts."""

    def __init__(self, path: Path, handle: IO[bytes]) -> None:
        self._path, self._handle, self._seen = path, handle, 0
        self._boundaries: set[bytes] = set()
        self.mailbox = False

    def next(self) -> bytes:
        """The next line with its end, b"" behind the last."""
        line = self._handle.readline(_MAX_LINE)
        self._seen += len(line)
        if self._seen > MAX_MAIL:
            raise InputError(str(self._path), f"a mail of more than {MAX_MAIL >> 20} MB", "a mail with a report")
        return line

    def announce(self, boundary: bytes) -> None:
        """Remember a boundary. Raises InputError where there are too many."""
        if len(self._boundaries) >= _MAX_BOUNDARIES:
            raise InputError(str(self._path), f"more than {_MAX_BOUNDARIES:,} nested parts", "a mail with a report")
        self._boundaries.add(boundary)

    def separator(self, line: bytes) -> str:
        """`part` for a line that begins a part, `end` for one that ends a multipart, `mail` for the next message."""
        if line.startswith(b"--"):
            bare = line[2:].rstrip()
            if bare in self._boundaries:
                return "part"
            if bare.endswith(b"--") and bare[:-2] in self._boundaries:
                return "end"
        return "mail" if self.mailbox and line.startswith(b"From ") else ""


def _leaves(lines: _Lines, *, first_mail: bool) -> Iterator[IO[bytes]]:
    header, inside = _header(lines), True
    while inside:
        match = _BOUNDARY.search(_field(header, b"content-type"))
        encoding = _field(header, b"content-transfer-encoding").strip().lower()
        if match is None and not encoding.startswith(_DECODED) and _field(header, b"content-type").startswith(_MESSAGE):
            header = _header(lines)  # the message within begins at once
            continue
        if match is not None:
            lines.announce((match[1] or match[2]).rstrip())
            end = _body(lines, b"", None)
        else:
            with tempfile.SpooledTemporaryFile(_IN_MEMORY) as leaf:
                end = _body(lines, encoding, leaf)
                leaf.seek(0)
                yield leaf
        while end == "end":
            end = _body(lines, b"", None)
        inside = bool(end) and not (first_mail and end == "mail")
        header = _header(lines) if inside else header


def _field(header: bytes, name: bytes) -> bytes:
    """The body of the first field of that name unfolded; b"" where there is none."""
    match = re.search(rb"^" + name + rb"[ \t]*:[ \t]*(.*(?:\r?\n[ \t].*)*)", header, re.IGNORECASE | re.MULTILINE)
    return re.sub(rb"[\r\n]+", b"", match[1]) if match else b""


def _header(lines: _Lines) -> bytes:
    """The header up to its blank line."""
    kept: list[bytes] = []
    size = 0
    while (line := lines.next()).strip(b"\r\n"):
        if line.startswith(b"From ") and not kept:
            lines.mailbox = True
            continue
        size += len(line)
        if size <= _MAX_HEADER:
            kept.append(line)
    return b"".join(kept)


def _body(lines: _Lines, encoding: bytes, leaf: IO[bytes] | None) -> str:
    """Decode into `leaf` up to the next separator, which is returned; "" at the end of the mail."""
    carry, first = b"", True
    held = b""  # a line's end before a boundary belongs to the boundary (RFC 2046 section 5.1.1)
    while line := lines.next():
        if end := lines.separator(line):
            return end
        if leaf is None:
            continue
        if first and line.strip():
            first = False
            encoding = _BASE64 if _PACKED.fullmatch(line.strip()) else encoding
        if encoding.startswith(_BASE64):
            carry = _decode_base64(carry + line, leaf)
        elif encoding.startswith(_QUOTED):
            leaf.write(binascii.a2b_qp(line))
        else:
            bare = line.rstrip(b"\r\n")
            leaf.write(held + bare)
            held = line[len(bare) :]
    return ""


def _decode_base64(text: bytes, leaf: IO[bytes]) -> bytes:
    """Write what is complete; the letters left over. Anything that is no Base64 is skipped (RFC 2045 section 6.8)."""
    letters = text.translate(None, _NOT_BASE64)
    whole = len(letters) // 4 * 4
    try:
        leaf.write(binascii.a2b_base64(letters[:whole]))
    except binascii.Error:
        return b""
    return letters[whole:]
