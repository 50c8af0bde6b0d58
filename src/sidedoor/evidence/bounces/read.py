"""Reports out of files: a folder of .eml files, a Maildir, mailbox files. Nothing is moved, marked or deleted."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from sidedoor.errors import InputError
from sidedoor.evidence.bounces.model import Bounce, BounceReading, Kind
from sidedoor.evidence.bounces.parts import MAX_MAIL
from sidedoor.evidence.bounces.report import Finding, read_report
from sidedoor.evidence.message.fields import MessageError, decode
from sidedoor.evidence.message.mbox import is_mbox, mails_of
from sidedoor.evidence.message.msg import MAGIC
from sidedoor.evidence.message.read import is_message_file
from sidedoor.evidence.record import RejectedRow
from sidedoor.evidence.text import unreadable

_HEAD = 65_536
_EXCERPT = 500
_MOST_FILES = 200_000
_MOST_BOX = 2 << 30  # bytes of a mailbox file


@dataclass(slots=True)
class _Sum:
    """What has been read so far."""

    bounces: dict[str, Bounce] = field(default_factory=dict)
    kinds: Counter[Kind] = field(default_factory=Counter)
    others: Counter[str] = field(default_factory=Counter)
    rejected: list[tuple[str, RejectedRow]] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    unchanged: int = 0

    def add(self, name: str, found: Finding | RejectedRow) -> None:
        """One message."""
        if isinstance(found, RejectedRow):
            self.kinds[Kind.REJECTED] += 1
            self.rejected.append((name, found))
            return
        self.kinds[found.kind] += 1
        self.others.update(found.other_codes)
        for bounce in found.bounces:
            self.bounces.setdefault(bounce.key, bounce)

    def reading(self) -> BounceReading:
        """All of it."""
        return BounceReading(
            tuple(self.bounces.values()), dict(self.kinds), dict(self.others), tuple(self.rejected), self.files,
            self.unchanged,
        )  # fmt: skip


def read_folder(folder: Path, seen: Mapping[str, str] | None = None) -> BounceReading:
    """Every message under a folder. `seen`: `BounceReading.files` of earlier readings; unchanged ones are passed over.

    A file that cannot be read is rejected with its reason. Raises InputError where the folder cannot be listed, or
    holds more files than can be.
    """
    total = _Sum()
    for path in _files(folder):
        name = path.relative_to(folder).as_posix()
        try:
            state = path.stat()
            stamp = f"{state.st_size}-{state.st_mtime_ns}"
            total.files[name] = stamp
            if (seen or {}).get(name) == stamp:
                total.unchanged += 1
                continue
            for found in _findings(path):
                total.add(name, found)
        except OSError as error:
            total.files.pop(name, None)  # the next reading tries again
            total.add(name, RejectedRow(1, f"not readable ({error.strerror or error})", ""))
    return total.reading()


def read_mail(data: bytes) -> Finding | RejectedRow:
    """One raw message."""
    return _finding(data, 1)


def _files(folder: Path) -> Iterator[Path]:
    """Files in order of their names; hidden ones and a Maildir's unfinished ones (`tmp`) left out."""
    count = 0
    if not folder.is_dir():
        raise InputError(str(folder), "no folder", "a folder of non-delivery reports")

    def refuse(error: OSError) -> None:
        raise unreadable(Path(error.filename or folder), error) from error

    for here, folders, names in os.walk(folder, onerror=refuse):
        box = {"cur", "new", "tmp"}.issubset(folders)
        folders[:] = sorted(each for each in folders if not each.startswith(".") and not (box and each == "tmp"))
        for name in sorted(names):
            path = Path(here) / name
            if name.startswith(".") or not path.is_file():
                continue
            count += 1
            if count > _MOST_FILES:
                raise InputError(str(folder), f"more than {_MOST_FILES:,} files", "old reports moved away")
            yield path


def _findings(path: Path) -> Iterable[Finding | RejectedRow]:
    with path.open("rb", buffering=0) as stream:
        head = stream.read(_HEAD)
        if head.startswith(MAGIC):
            yield RejectedRow(1, "an Outlook .msg, which does not hold the report: forward it as an attachment", "")
        elif not is_message_file(head):
            yield RejectedRow(1, "no message", _excerpt(head))
        elif is_mbox(head):
            stream.seek(0)
            yield from _box(stream)
        else:
            yield _finding(head + _rest(stream, MAX_MAIL - len(head)), 1)


def _box(stream: IO[bytes]) -> Iterator[Finding | RejectedRow]:
    for number, mail in enumerate(mails_of(stream, MAX_MAIL), start=1):
        if stream.tell() > _MOST_BOX:
            yield RejectedRow(number, f"lies behind the first {_MOST_BOX >> 30} GB of a mailbox file", "")
            return
        yield _finding(mail.data, number)


def _rest(stream: IO[bytes], most: int) -> bytes:
    pieces = []
    while most > 0 and (piece := stream.read(most)):
        pieces.append(piece)
        most -= len(piece)
    return b"".join(pieces)


def _finding(data: bytes, number: int) -> Finding | RejectedRow:
    try:
        return read_report(data)
    except MessageError as error:
        return RejectedRow(number, str(error), _excerpt(data))


def _excerpt(data: bytes) -> str:
    return decode(data[:_EXCERPT])[:_EXCERPT].replace("\0", "\ufffd")
