"""From a file to the rows of its reports."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import IO, NamedTuple, cast

from sidedoor.errors import InputError
from sidedoor.evidence.dmarc_reports import repair
from sidedoor.evidence.dmarc_reports.mime import attachments, begins_like_mail
from sidedoor.evidence.dmarc_reports.model import Report, ReportRow
from sidedoor.evidence.dmarc_reports.parser import ReportParser, XmlError
from sidedoor.evidence.dmarc_reports.parts import (
    EXPECTED,
    GZIP,
    HEAD,
    ZIP,
    Part,
    kind_of,
    unpacked_parts,
)
from sidedoor.evidence.record import RejectedRow
from sidedoor.evidence.text import unreadable

_SCANNED = 32 << 20  # bytes of a mail that are searched for a report
_CHUNK = 1 << 18
_SNIFFED_MEMBERS = 20
# What a mail with a report holds somewhere: gzip, ZIP or XML in Base64, or the XML itself.
_HINTS = (
    b"H4sI", b"UEsDB", b"PD94bWw", b"PGZlZWRi", b"77u/PD94", b"<feedback", b":feedback", GZIP + b"\x08", ZIP,
)  # fmt: skip


class PartEnd(NamedTuple):
    """Behind the rows of one report: its head, what had to be mended, and what made reading stop."""

    report: Report
    note: str = ""
    error: InputError | None = None


def is_dmarc_report(path: Path) -> bool:
    """Whether the file is a report or carries one, told by its content.

    A mailbox file is one of reports where its first message carries one. Never raises; what cannot be read is none.
    """
    try:
        head = _head(path)
        if kind_of(head) or head.lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n").startswith(b"<"):
            found = unpacked_parts(path, "", lambda: path.open("rb"), head)
            return any(part.looks_like_report() for part in islice(found, _SNIFFED_MEMBERS))
        return begins_like_mail(head) and _hinted(path, head) and any(True for _ in _parts_of_mail(path, first=True))
    except (InputError, OSError):
        return False


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as handle:
            return handle.read(HEAD)
    except OSError as error:
        raise unreadable(path, error) from error


def _hinted(path: Path, head: bytes) -> bool:
    """Whether a mail holds anything that could be a report, at the cost of one search."""
    if len(head) < HEAD:  # that is the whole file
        return any(hint in head for hint in _HINTS)
    with path.open("rb") as handle:
        tail, seen = b"", 0
        while seen < _SCANNED and (chunk := handle.read(_CHUNK)):
            text = tail + chunk
            if any(hint in text for hint in _HINTS):  # plain searches: one expression takes four times as long
                return True
            tail, seen = chunk[-16:], seen + len(chunk)
    return False


def read_report(path: Path) -> Iterator[ReportRow | RejectedRow]:
    """The records of every report in a file, in file order, in bounded memory.

    Raises InputError (at the end, behind all rows that could be read) where a report breaks off, and at once where the
    file holds none or is beyond the bounds.
    """
    broken: InputError | None = None
    for reading in readings(path):
        if isinstance(reading, PartEnd):
            broken = broken or reading.error
        else:
            yield reading
    if broken is not None:
        raise broken


def readings(path: Path) -> Iterator[ReportRow | RejectedRow | PartEnd]:
    """As `read_report`, with a PartEnd behind each report instead of an error."""
    head = _head(path)
    mail = not kind_of(head) and begins_like_mail(head)
    rows = reports = 0
    for part in _parts_of_mail(path) if mail else _parts_of_file(path, head):
        reports += 1
        for reading in _report(path, part, rows + 1):
            rows += not isinstance(reading, PartEnd)
            yield reading
    if not reports:
        raise InputError(str(path), "no report in it", EXPECTED)


def _parts_of_file(path: Path, head: bytes) -> Iterator[Part]:
    """Texts that are reports; a file that is one text is taken for one, so that what is wrong with it is said."""
    found = unpacked_parts(path, "", lambda: path.open("rb"), head)
    yield from (part for part in found if kind_of(head) != ZIP or part.looks_like_report(damaged=True))


def _parts_of_mail(path: Path, *, first: bool = False) -> Iterator[Part]:
    for leaf in attachments(path, first_mail=first):
        head = leaf.read(HEAD)
        if kind_of(head) or head.lstrip().startswith((b"<", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
            yield from (part for part in _parts_of_leaf(path, leaf, head) if part.looks_like_report())


def _parts_of_leaf(path: Path, leaf: IO[bytes], head: bytes) -> Iterator[Part]:
    try:
        yield from unpacked_parts(path, "attachment", lambda: cast("IO[bytes]", _Again(leaf)), head)
    except InputError:
        return  # a ZIP that is none of ours


class _Again(io.BufferedIOBase):
    """A view of a temporary file from its beginning; closing the view leaves the file open."""

    def __init__(self, leaf: IO[bytes]) -> None:
        self._leaf = leaf
        leaf.seek(0)

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._leaf.seek(offset, whence)

    def tell(self) -> int:
        return self._leaf.tell()

    def read(self, size: int | None = -1, /) -> bytes:
        return self._leaf.read(-1 if size is None else size)


def _report(path: Path, part: Part, first: int) -> Iterator[ReportRow | RejectedRow | PartEnd]:
    """The rows of one report as it is; from where it is no XML, as it can be mended."""
    given = 0
    reader = _Reader(path, ReportParser(part.name, first))
    try:
        for reading in reader.rows(part.blocks()):
            given += 1
            yield reading
    except XmlError as error:
        if not error.repairable:
            yield PartEnd(reader.report, error=_refusal(path, error))
            return
    except InputError as error:
        yield PartEnd(reader.report, error=error)
        return
    else:
        yield reader.end()
        return
    yield from _mended(path, part, first, given)


def _mended(path: Path, part: Part, first: int, given: int) -> Iterator[ReportRow | RejectedRow | PartEnd]:
    """The rows behind the first `given`, which need mending."""
    reader = _Reader(path, ReportParser(part.name, first, repair.ENCODING))
    try:
        yield from islice(reader.rows(repair.repaired(part.blocks())), given, None)
        end = reader.end()
        yield end._replace(note=end.note or "not well-formed XML; read as far as it could be mended")
    except XmlError as error:
        yield PartEnd(reader.report, error=_refusal(path, error))
    except InputError as error:
        yield PartEnd(reader.report, error=error)


class _Reader:
    """Drives a parser over the blocks of one text."""

    def __init__(self, path: Path, parser: ReportParser) -> None:
        self._path, self._parser, self._more = path, parser, False

    @property
    def report(self) -> Report:
        """The head as far as it was read."""
        return self._parser.report

    def rows(self, blocks: Iterable[bytes]) -> Iterator[ReportRow | RejectedRow]:
        """Rows, also those before the place where XmlError or InputError is raised."""
        parser = self._parser
        try:
            for block in blocks:
                if parser.closed:
                    self._look_behind(block)
                    continue
                parser.feed(block)
                yield from parser.take()
                self._look_behind(parser.behind(block))
            if not parser.closed:
                parser.feed(b"", last=True)
        except XmlError:
            yield from parser.take()
            raise

    def _look_behind(self, block: bytes) -> None:
        """Padding, mail footers and unclosed wrappers follow reports; a second report must not vanish with them."""
        self._more = self._more or b"<record" in block

    def end(self) -> PartEnd:
        """What is to be said behind the last row."""
        error = None
        if not self._parser.opened:
            error = InputError(str(self._path), f"XML without a feedback element{_named(self.report)}", EXPECTED)
        elif self._more:
            error = InputError(str(self._path), f"more records behind the report's end{_named(self.report)}", EXPECTED)
        return PartEnd(self.report, error=error)


def _refusal(path: Path, error: XmlError) -> InputError:
    found = f"XML that is damaged or cut off ({error.found})" if error.repairable else error.found
    return InputError(str(path), found, EXPECTED, error.line)


def _named(report: Report) -> str:
    return f" in {report.part}" if report.part else ""
