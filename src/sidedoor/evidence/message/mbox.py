"""The headers of a mailbox file's messages, one after another, in bounded memory whatever the bodies weigh.

mboxrd and mboxo: a message begins at a line `From sender date` after a blank line; body lines that begin so are quoted
as `>From `. Files exist that quote nothing, so the line must look like a separator, with a time in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO, NamedTuple

from sidedoor.evidence.message.fields import MAX_HEADER, first_of

_CHUNK = 1 << 20
_LONGEST = 2_000  # bytes that a separator and the blank line before it may take
_SEPARATOR = re.compile(rb"From [^\r\n]{0,900}[0-9]{1,2}:[0-9]{2}[^\r\n]{0,60}\r?\n")


class Head(NamedTuple):
    """The bytes of one header (one more than are allowed, where it has more) and the line where it begins."""

    data: bytes
    line: int


def is_mbox(head: bytes) -> bool:
    """Whether a file that begins with `head` is a mailbox file."""
    return _SEPARATOR.match(head.lstrip(b"\r\n")[:_LONGEST]) is not None


def heads_of(stream: IO[bytes]) -> Iterator[Head]:
    """The header of every message of a mailbox file."""
    window = _Window(stream)
    window.skip_blank_lines()
    while window.at_separator():
        window.skip_line()
        line = window.line
        yield Head(window.header(), line)
        window.to_separator()


def mails_of(stream: IO[bytes], most: int) -> Iterator[Head]:
    """Every message of a mailbox file, whole or its first `most` bytes; lines quoted as `>From ` are unquoted."""
    window = _Window(stream)
    window.skip_blank_lines()
    while window.at_separator():
        window.skip_line()
        line = window.line
        mail = window.mail(most)
        yield Head(re.sub(rb"(?m)^>(>*From )", rb"\1", mail), line)
        window.to_separator()


class _Window:
    """A piece of the file and a place in it. What lies before the place is dropped when the piece is refilled."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._buffer = b""
        self._at = 0
        self._ended = False
        self.line = 1

    def _have(self, wanted: int) -> None:
        """Have `wanted` bytes from the place on, unless the file ends before; keep a few in front of it."""
        if self._ended or len(self._buffer) - self._at >= wanted:
            return
        kept = max(0, self._at - 4)
        pieces, size = [self._buffer[kept:]], len(self._buffer) - self._at
        self._at -= kept
        while not self._ended and size < wanted:
            piece = self._stream.read(_CHUNK)
            self._ended = not piece
            pieces.append(piece)
            size += len(piece)
        self._buffer = b"".join(pieces)

    def _go(self, place: int) -> None:
        self.line += self._buffer.count(b"\n", self._at, place)
        self._at = place

    def skip_blank_lines(self) -> None:
        """Go to the first line that is not blank."""
        self._have(_CHUNK)
        self._go(len(self._buffer) - len(self._buffer.lstrip(b"\r\n")))

    def skip_line(self) -> None:
        """Go behind the next line end."""
        self._go(self._buffer.index(b"\n", self._at) + 1)

    def at_separator(self) -> bool:
        """Whether a message begins here."""
        self._have(_LONGEST)
        return _SEPARATOR.match(self._buffer, self._at) is not None

    def header(self) -> bytes:
        """The bytes from here to the first blank line, at most one more than a header may have; the place stays."""
        self._have(_CHUNK // 16)
        end = self._blank()
        if end < 0:
            self._have(MAX_HEADER + 2)
            end = self._blank()
        limit = self._at + MAX_HEADER + 1
        return self._buffer[self._at : limit if end < 0 else min(end + 1, limit)]

    def mail(self, most: int) -> bytes:
        """The bytes from here to the next separator, at most `most`; the place stays."""
        self._have(most + _LONGEST)
        end = self._next()
        return self._buffer[self._at : min(end if end >= 0 else len(self._buffer), self._at + most)]

    def _blank(self) -> int:
        """The line end before the next blank line; -1 where none is at hand. An empty header has it before itself."""
        return first_of((b"\n\n", b"\n\r\n"), self._buffer, self._at - 1, self._at + MAX_HEADER + 1)

    def to_separator(self) -> None:
        """Go to the next line that separates messages; to the end where there is none."""
        while True:
            self._have(_CHUNK)
            found = self._next()
            if found >= 0 or self._ended:
                self._go(found if found >= 0 else len(self._buffer))
                return
            self._go(max(self._at, len(self._buffer) - _LONGEST))

    def _next(self) -> int:
        """The place of the next separator that lies whole in what is at hand; -1 for none."""
        place = self._buffer.find(b"\nFrom ", max(0, self._at - 1))
        while place >= 0:
            after_blank = self._buffer[max(0, place - 2) : place].endswith((b"\n", b"\n\r"))
            if after_blank and _SEPARATOR.match(self._buffer, place + 1):
                return place + 1
            place = self._buffer.find(b"\nFrom ", place + 1)
        return -1
