"""The headers of a mailbox file's messages, one after another, in bounded memory whatever the bodies weigh.

mboxrd and mboxo: a message begins at a line `From sender date` after a blank line; body lines that begin so are quoted
as `>From `. Files exist that quote nothing, so the line must look like a separator, with a time in it, and a header
must follow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO, NamedTuple

from sidedoor.evidence.message.fields import MAX_HEADER

_CHUNK = 1 << 20
_MAX_SEPARATOR = 1_000
_SEPARATOR = re.compile(rb"From [^\r\n]{0,900}[0-9]{1,2}:[0-9]{2}[^\r\n]{0,60}\r?\n")
_BLANK = re.compile(rb"\n\r?\n")


class Head(NamedTuple):
    """The bytes of one header (one more than are allowed, where it has more) and the line where it begins."""

    data: bytes
    line: int


def is_mbox(head: bytes) -> bool:
    """Whether a file that begins with `head` is a mailbox file."""
    return _SEPARATOR.match(head.lstrip(b"\r\n")[: 2 * _MAX_SEPARATOR]) is not None


def heads_of(stream: IO[bytes]) -> Iterator[Head]:
    """The header of every message of a mailbox file."""
    window = _Window(stream)
    window.to_separator()
    while window.at_separator():
        window.drop(window.line_end())
        line = window.line
        yield Head(window.header(), line)
        window.to_separator()


class _Window:
    """A piece of the file: `buffer` begins at line `line`, and is refilled as its beginning is dropped."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._buffer = b""
        self._ended = False
        self.line = 1
        self._before = b"\n\n"  # the end of what was dropped: the beginning of the file is as good as a blank line

    def _fill(self, wanted: int) -> None:
        """Have at least `wanted` bytes, unless the file ends before."""
        pieces, size = [self._buffer], len(self._buffer)
        while not self._ended and size < wanted:
            piece = self._stream.read(_CHUNK)
            self._ended = not piece
            pieces.append(piece)
            size += len(piece)
        self._buffer = b"".join(pieces)

    def drop(self, count: int) -> None:
        """Forget the first `count` bytes."""
        self.line += self._buffer.count(b"\n", 0, count)
        self._before = (self._before + self._buffer[max(0, count - 3) : count])[-3:]
        self._buffer = self._buffer[count:]

    def at_separator(self) -> bool:
        self._fill(2 * _MAX_SEPARATOR)
        return _SEPARATOR.match(self._buffer) is not None

    def line_end(self) -> int:
        return self._buffer.index(b"\n") + 1

    def header(self) -> bytes:
        """The bytes before the first blank line, at most one more than a header may have."""
        self._fill(_CHUNK // 16)
        end = _BLANK.search(self._buffer)
        if end is None:
            self._fill(MAX_HEADER + 1)
            end = _BLANK.search(self._buffer)
        if end is None:
            return self._buffer[: MAX_HEADER + 1]
        return self._buffer[: min(end.start(), MAX_HEADER) + 1]

    def to_separator(self) -> None:
        """Drop everything before the next line that separates messages; all of it where there is none."""
        at = 0 if self._before.endswith((b"\n\n", b"\n\r\n")) else 1
        while True:
            self._fill(_CHUNK)
            found = self._buffer.find(b"From ", 0) if at == 0 and self._buffer.startswith(b"From ") else -1
            found = found if found == 0 else self._next()
            if found >= 0:
                self.drop(found)
                return
            if self._ended:
                self.drop(len(self._buffer))
                return
            self.drop(len(self._buffer) - 2 * _MAX_SEPARATOR)
            at = 1

    def _next(self) -> int:
        """The place of the next separator that lies whole in the buffer; -1 for none."""
        place = self._buffer.find(b"\nFrom ")
        while place >= 0:
            before = self._buffer[max(0, place - 2) : place]
            blank = before.endswith((b"\n", b"\n\r")) or (
                place < 2 and (self._before + before).endswith((b"\n", b"\n\r"))
            )
            if blank and _SEPARATOR.match(self._buffer, place + 1):
                return place + 1
            place = self._buffer.find(b"\nFrom ", place + 1)
        return -1
