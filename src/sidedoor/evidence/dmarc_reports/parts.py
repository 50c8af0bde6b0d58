"""The reports that a file holds: itself, or unpacked from gzip, ZIP or mail, always as a stream and within bounds."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sidedoor.errors import InputError
from sidedoor.evidence.text import detect_encoding, unreadable

EXPECTED = "a DMARC aggregate report (XML, gzip, ZIP, or mail that carries one)"
HEAD = 65_536
"""Bytes that show whether a text is a report."""
BLOCK = 65_536
GZIP, ZIP = b"\x1f\x8b", b"PK\x03\x04"
# RFC 7489 section 7.2 lets a mailbox limit reports to some megabytes, packed; 100,000 records are 50 MB of XML.
MAX_UNPACKED = 256 << 20  # bytes, over all that a file holds
_FREE = 16 << 20  # unpacked bytes below which the ratio does not matter
_MAX_RATIO = 200  # real reports shrink 10 to 50 times; a bomb of deflate 1,000 times
_MAX_DIRECTORY = 1 << 20  # bytes of a ZIP's table of contents, which is read as a whole
_MAX_MEMBERS = 1_000
_END = b"PK\x05\x06"
_END_SIZE = 22
_ZIP64 = b"PK\x06\x07"
_ROOT = re.compile(r"<(?:[\w.-]{1,40}:)?feedback[\s/>]", re.IGNORECASE)
_INSIDE = re.compile(r"report_metadata|policy_published|<record|auth_results|source_ip", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Part:
    """One text that may be a report. `blocks` gives it from its beginning, as often as it is called.

    Iterating raises InputError where it is damaged or beyond the bounds.
    """

    name: str
    blocks: Callable[[], Iterator[bytes]]

    def looks_like_report(self, *, damaged: bool = False) -> bool:
        """Whether its first bytes are those of a report; `damaged` where not even those can be had."""
        head = b""
        try:
            for block in self.blocks():
                head += block
                if len(head) >= HEAD:
                    break
        except InputError:
            return is_report_text(head) if head else damaged
        return is_report_text(head)


@dataclass(slots=True)
class Budget:
    """How much of one file may be unpacked."""

    path: Path
    unpacked: int = 0
    packed: int = 0

    def spend(self, unpacked: int, packed: int) -> None:
        """Count a step of unpacking. Raises InputError beyond the bounds."""
        self.unpacked += unpacked
        self.packed += packed
        if self.unpacked > MAX_UNPACKED:
            found = f"more than {MAX_UNPACKED >> 20} MB unpacked"
            raise InputError(str(self.path), found, "a report within bounds; unpack a larger one yourself")
        if self.unpacked > max(_FREE, _MAX_RATIO * self.packed):
            found = f"an archive that unpacks to more than {_MAX_RATIO} times its size"
            raise InputError(str(self.path), found, "a report, not a bomb")


def is_report_text(head: bytes) -> bool:
    """Whether a text that begins so is a report: XML whose root is called feedback, and has what reports have."""
    text = head.decode(detect_encoding(head), errors="replace").lstrip("\ufeff\0 \t\r\n")
    root = _ROOT.search(text) if text.startswith("<") else None
    return root is not None and _INSIDE.search(text, root.end()) is not None


def kind_of(head: bytes) -> bytes:
    """GZIP, ZIP or b"" for anything else."""
    return next((magic for magic in (GZIP, ZIP) if head.startswith(magic)), b"")


def plain_blocks(path: Path, opened: Callable[[], IO[bytes]]) -> Iterator[bytes]:
    """The bytes as they are."""
    try:
        with opened() as handle:
            while block := handle.read(BLOCK):
                yield block
    except OSError as error:
        raise unreadable(path, error) from error


def unpacked_parts(path: Path, name: str, opened: Callable[[], IO[bytes]], head: bytes) -> Iterator[Part]:
    """The texts within a file or attachment that begins with `head`. Raises InputError for a damaged archive."""
    kind = kind_of(head)
    if kind == ZIP:
        yield from _members(path, name, opened)
    elif kind == GZIP:
        yield Part(name, lambda: _gunzipped(path, opened, Budget(path)))
    else:
        yield Part(name, lambda: plain_blocks(path, opened))


def _gunzipped(path: Path, opened: Callable[[], IO[bytes]], budget: Budget) -> Iterator[bytes]:
    """All members of a gzip file one behind the other (RFC 1952 section 2.2); padding behind the last is ignored."""
    member = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        for packed in plain_blocks(path, opened):
            budget.packed += len(packed)
            pending = packed
            while pending:
                if member.eof:
                    if not pending.startswith(GZIP[:1]):
                        return
                    member = zlib.decompressobj(zlib.MAX_WBITS | 16)
                block = member.decompress(pending, BLOCK)
                budget.spend(len(block), 0)
                if block:
                    yield block
                pending = member.unused_data.lstrip(b"\r\n\0") if member.eof else member.unconsumed_tail
        while not member.eof and (block := member.decompress(b"", BLOCK)):
            budget.spend(len(block), 0)
            yield block
    except zlib.error as error:
        raise InputError(str(path), f"a damaged gzip file ({error})", EXPECTED) from error
    if not member.eof:
        raise InputError(str(path), "a gzip file that is cut off", EXPECTED)


def _members(path: Path, name: str, opened: Callable[[], IO[bytes]]) -> Iterator[Part]:
    """The files in a ZIP archive. Bounded before zipfile looks: it reads the table of contents as a whole."""
    budget = Budget(path)
    with opened() as handle:
        _check_directory(path, handle)
        try:
            archive = zipfile.ZipFile(handle)
        except (zipfile.BadZipFile, ValueError, OverflowError, NotImplementedError) as error:
            raise InputError(str(path), f"a damaged ZIP archive ({str(error)[:100]})", EXPECTED) from error
        infos = [info for info in archive.infolist() if not info.is_dir() and "__MACOSX" not in info.filename]
        if len(infos) > _MAX_MEMBERS:
            raise InputError(str(path), f"a ZIP archive of {len(infos):,} files", f"at most {_MAX_MEMBERS:,} reports")
        for info in infos:
            label = f"{name}/{info.filename}" if name else info.filename
            yield Part(label[:200], lambda info=info: _member_blocks(path, archive, info, budget))  # type: ignore[misc]


def _check_directory(path: Path, handle: IO[bytes]) -> None:
    """Raises InputError unless the archive ends with a small table of contents (APPNOTE.TXT section 4.3.16)."""
    size = handle.seek(0, 2)
    handle.seek(max(0, size - HEAD - _END_SIZE))
    tail = handle.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_SIZE:
        raise InputError(str(path), "a ZIP archive that is cut off", EXPECTED)
    directory = int.from_bytes(tail[at + 12 : at + 16], "little")
    if directory > _MAX_DIRECTORY or tail[max(0, at - 20) : at].startswith(_ZIP64):
        raise InputError(str(path), "a ZIP archive with a table of contents beyond all reports", EXPECTED)
    handle.seek(0)


def _member_blocks(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo, budget: Budget) -> Iterator[bytes]:
    if info.flag_bits & 1:  # APPNOTE.TXT section 4.4.4
        raise InputError(str(path), "a ZIP archive that is encrypted", EXPECTED)
    budget.spend(0, info.compress_size)
    try:
        with archive.open(info) as handle:
            while block := handle.read(BLOCK):
                budget.spend(len(block), 0)
                yield block
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError) as error:
        raise InputError(str(path), f"a ZIP archive that cannot be read ({str(error)[:100]})", EXPECTED) from error
