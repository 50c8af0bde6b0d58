"""One report's XML, read as a stream: no tree is built, and only the record at hand is in memory.

expat is driven directly: defusedxml guards parsers that build trees, and what makes those safe is done here too: any
DTD is refused, so that no entity is ever declared, and nothing external is ever loaded. Elements are known by their
local names, because many reporters leave the namespace of RFC 9990 out or invent one, and leaves are taken wherever
they stand, because drafts of the format nested them differently.
"""

from __future__ import annotations

from typing import NoReturn
from xml.parsers import expat

from sidedoor.evidence.dmarc_reports.model import Report, ReportRow
from sidedoor.evidence.dmarc_reports.record import Draft, finished, report_of
from sidedoor.evidence.record import RejectedRow

MAX_DEPTH = 64  # a report is six deep
MAX_TEXT = 1 << 20  # bytes of one tag or of the text between two
_MANY_PIECES = 16  # of text not yet ended: below, nothing can have come together
_MAX_NAMES = 1_000
_HEAD = frozenset({"org_name", "email", "report_id", "begin", "end", "domain", "p"})
_RECORD = frozenset({"source_ip", "count", "disposition", "header_from", "envelope_from"})
_RESULT = frozenset({"domain", "selector", "scope", "result"})


class XmlError(ValueError):
    """The text is no report from here on; `repairable` where a second look with repairs may help."""

    def __init__(self, found: str, line: int | None = None, *, repairable: bool = False) -> None:
        super().__init__(found)
        self.found, self.line, self.repairable = found, line, repairable


class ReportParser:
    """Feed it blocks of bytes and take the rows that were completed; after an XmlError too.

    `first` is the number that the first record gets. `encoding` overrides what the XML declaration says.
    `opened`: the report's root has been met. `closed`: it has ended, and whatever follows is not looked at.
    """

    def __init__(self, part: str = "", first: int = 1, encoding: str | None = None) -> None:
        self.opened = self.closed = False
        self.report = Report(part=part)
        self._part, self._next, self._fed = part, first, 0
        self._names: dict[str, str] = {}
        self._depth = self._root_depth = 0
        self._texts: list[str] = []
        self._head: dict[str, str] = {}
        self._draft: Draft | None = None
        self._found: list[ReportRow | RejectedRow] = []
        self._parser = expat.ParserCreate(encoding)
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._texts.append
        self._parser.StartDoctypeDeclHandler = _refuse_dtd

    def feed(self, block: bytes, *, last: bool = False) -> None:
        """Read on. Raises XmlError, but never for what lies behind the report's end."""
        try:
            self._parser.Parse(block, last)
        except expat.ExpatError as error:
            if not self.closed:
                raise XmlError(expat.ErrorString(error.code), error.lineno, repairable=True) from error
        except (LookupError, ValueError) as error:  # an encoding that is none, or has several bytes a letter
            if isinstance(error, XmlError):
                raise
            raise XmlError(str(error)[:200], repairable=True) from error
        self._fed += len(block)
        self._check_bounds()

    def take(self) -> list[ReportRow | RejectedRow]:
        """The rows completed since the last call."""
        found = self._found.copy()
        self._found.clear()
        return found

    def behind(self, block: bytes) -> bytes:
        """What of the block fed last lies behind the report's end."""
        return block[len(block) - max(0, self._fed - self._ended_at) :] if self.closed else b""

    def _check_bounds(self) -> None:
        waiting = self._fed - self._parser.CurrentByteIndex
        texts = sum(map(len, self._texts)) if len(self._texts) > _MANY_PIECES else 0
        if not self.closed and max(waiting, texts) > MAX_TEXT:
            raise XmlError(f"a tag or text of more than {MAX_TEXT:,} bytes", self._parser.CurrentLineNumber)

    def _local(self, name: str) -> str:
        """The name without prefix, in lower case, remembered for the next time."""
        local = name.rpartition(":")[2].lower()
        if len(self._names) < _MAX_NAMES:
            self._names[name] = local
        return local

    def _start(self, name: str, _attributes: object) -> None:
        self._texts.clear()
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise XmlError(f"elements more than {MAX_DEPTH} levels deep", self._parser.CurrentLineNumber)
        local = self._names.get(name) or self._local(name)
        draft = self._draft
        if draft is not None:
            if local in {"dkim", "spf"}:
                draft.result = {}
        elif local == "record":
            self._draft = Draft()
        elif local == "feedback" and not self.opened:
            self.opened, self._root_depth = True, self._depth

    def _end(self, name: str) -> None:
        text = "".join(self._texts).strip()
        self._texts.clear()
        self._depth -= 1
        local = self._names.get(name) or self._local(name)
        draft = self._draft
        if draft is None:
            self._end_of_head(local, text)
        elif local in _RESULT:
            draft.result[local] = text
        elif local in _RECORD:
            draft.fields[local] = text
        elif local in {"dkim", "spf"}:
            draft.end_of_result(local, text)
        elif local == "type":
            draft.add_override(text)
        elif local == "record":
            self._found.append(finished(self._next, self.report, draft))
            self._next += 1
            self._draft = None

    def _end_of_head(self, local: str, text: str) -> None:
        """report_metadata and policy_published; and the end of all."""
        if local in _HEAD and text:
            self._head.setdefault(local, text)
        elif local in {"report_metadata", "policy_published"}:
            self.report = report_of(self._head, self._part)
        elif local == "feedback" and self.opened and self._depth < self._root_depth:
            self.closed, self._ended_at = True, self._parser.CurrentByteIndex


def _refuse_dtd(*_declaration: object) -> NoReturn:
    raise XmlError("a DTD, which no report has and which could declare entities")
