"""Text files in the encodings exports come in: UTF-8, UTF-16 with or without a byte order mark, Windows-1252.

The historical search writes UTF-16LE, often without a mark; Windows PowerShell 5.1 writes UTF-16LE with one, or the
machine's ANSI code page; people save again as UTF-8. Decoding is strict: a byte that does not fit is an error with
its line, never a replacement character in an address.
"""

from __future__ import annotations

import codecs
import io
import re
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import IO, TextIO

from sidedoor.errors import InputError

HEAD = 65_536
"""Bytes of a file that tell its encoding."""
_OPENING = 64  # bytes in which NULs at every other place show UTF-16
_CHUNK = 1 << 20
_MOST_SCANNED = 64  # chunks: reading gigabytes only to learn that they are ASCII would cost more than the audit
# UTF-32 first: its little-endian mark begins with the one of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ESCAPED = re.compile("[\udc80-\udcff]")  # what surrogateescape makes of bytes that are no UTF-8
_MULTIBYTE = re.compile("[^\0-\x7f\udc80-\udcff]")
_ANSI = "cp1252"


def detect_encoding(head: bytes) -> str:
    """The codec of a file that begins with `head`: utf-8, utf-8-sig, utf-16, utf-16-le, utf-16-be, utf-32 or cp1252.

    cp1252 is answered only where `head` is no UTF-8 at all: it holds not one valid multi-byte sequence.
    """
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    return _utf16_without_mark(head) or _utf8_or_ansi(head)


def _utf16_without_mark(head: bytes) -> str | None:
    """Exports begin with ASCII (a header, a bracket): NULs at odd offsets show little-endian, at even ones big."""
    even, odd = head[0:_OPENING:2], head[1:_OPENING:2]
    if not odd:
        return None
    even_share, odd_share = even.count(0) / len(even), odd.count(0) / len(odd)
    if odd_share > 0.7 and even_share < 0.05 and odd[0] == 0:
        return "utf-16-le"
    return "utf-16-be" if even_share > 0.7 and odd_share < 0.05 and even[0] == 0 else None


def _utf8_or_ansi(head: bytes) -> str:
    decoded = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode(head)
    if not _ESCAPED.search(decoded) or _MULTIBYTE.search(decoded):
        return "utf-8"  # a damaged UTF-8 file stays one, and reading it says where the damage is
    return _ansi_or_utf8(head)


def _ansi_or_utf8(sample: bytes) -> str:
    """cp1252, unless `sample` has one of the five bytes that it does not define."""
    try:
        sample.decode(_ANSI)
    except UnicodeDecodeError:
        return "utf-8"
    return _ANSI


def encoding_of(path: Path) -> str:
    """The codec of a file; its first accented letter may be far down, and is looked for in the first 64 MB.

    Raises InputError for no readable file.
    """
    try:
        state = path.stat()
        return _encoding_of(path, state.st_size, state.st_mtime_ns)
    except OSError as error:
        raise unreadable(path, error) from error


@lru_cache(maxsize=256)
def _encoding_of(path: Path, _size: int, _changed: int) -> str:
    with path.open("rb") as handle:
        encoding = detect_encoding(handle.read(HEAD))
        if encoding not in {"utf-8", _ANSI}:
            return encoding
        handle.seek(0)
        return _scan(handle)


def _scan(handle: IO[bytes]) -> str:
    """utf-8, or cp1252 where bytes beyond ASCII occur and none of them make up a UTF-8 sequence."""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    foreign: set[int] = set()
    for chunk in islice(iter(lambda: handle.read(_CHUNK), b""), _MOST_SCANNED):
        if chunk.isascii() and not decoder.getstate()[0]:
            continue
        if _MULTIBYTE.search(decoder.decode(chunk)):
            return "utf-8"
        foreign.update(byte for byte in set(chunk) if byte >= 0x80)
    return _ansi_or_utf8(bytes(foreign)) if foreign else "utf-8"


def encoding_note(path: Path) -> str:
    """What coverage says of a file whose encoding had to be guessed; "" where it was not."""
    if encoding_of(path) != _ANSI:
        return ""
    return "is no UTF-8; read as Windows-1252: letters beyond ASCII may be wrong if it was written elsewhere"


class _StrictText(io.TextIOWrapper):
    """A text file whose decoding errors are InputErrors that name the line."""

    def __init__(self, path: Path, encoding: str, newline: str | None) -> None:
        super().__init__(path.open("rb"), encoding=encoding, errors="strict", newline=newline)
        self._path = path

    def readline(self, size: int = -1, /) -> str:  # type: ignore[override]
        try:
            return super().readline(size)
        except UnicodeDecodeError as error:
            raise self._refusal(error) from error

    def read(self, size: int | None = -1, /) -> str:
        try:
            return super().read(size)
        except UnicodeDecodeError as error:
            raise self._refusal(error) from error

    def _refusal(self, error: UnicodeDecodeError) -> InputError:
        bad = error.object[error.start : error.start + 4].hex(" ") if isinstance(error.object, bytes) else "?"
        found = f"bytes {bad} that are no {self.encoding} text ({error.reason})"
        return InputError(str(self._path), found, "one encoding throughout", _bad_line(self._path, self.encoding))


def open_text(path: Path, newline: str | None = "") -> TextIO:
    """Open a text file in the encoding its bytes show; `newline` as in `open`.

    Opening and reading raise InputError: for a file that cannot be opened, and at the first bytes that do not fit
    the encoding, half a UTF-16 character at the end included. A NUL character is text and comes through.
    """
    encoding = encoding_of(path)
    try:
        return _StrictText(path, encoding, newline)
    except OSError as error:
        raise unreadable(path, error) from error


def _bad_line(path: Path, encoding: str) -> int:
    """The line, counted by LF, of the first bytes that do not decode."""
    decoder, lines = codecs.getincrementaldecoder(encoding)("strict"), 1
    with path.open("rb") as handle:
        while chunk := handle.read(_CHUNK):
            try:
                lines += decoder.decode(chunk).count("\n")
            except UnicodeDecodeError as error:
                return lines + bytes(error.object[: error.start]).count(b"\n")
    return lines


def unreadable(path: Path, error: OSError) -> InputError:
    """The error for a file that the operating system does not let us read."""
    return InputError(str(path), f"no readable file ({error.strerror or error})", "an export")
