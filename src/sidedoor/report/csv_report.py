"""senders.csv and rejected_rows.csv: RFC 4180 with CRLF, for people who open them in a spreadsheet.

Both begin with a UTF-8 byte order mark, without which Excel reads a CSV in the machine's old code page; Import-Csv,
LibreOffice and Python's `utf-8-sig` take it off. A cell that a spreadsheet would run as a formula gets an apostrophe
in front (CWE-1236), and no cell is longer than Excel's 32,767 characters. Faithful text is in report.json.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from sidedoor.audit.model import Audit, Sender
from sidedoor.errors import SidedoorError
from sidedoor.evidence.record import RejectedRow
from sidedoor.report.atomic import cannot_write, partial_of, write_files
from sidedoor.report.json_report import authentication, would_reject
from sidedoor.report.text import ELLIPSIS, clean
from sidedoor.report.words import iso

MAX_CELL = 32_000  # Excel's limit is 32,767

_FORMULA = frozenset("=+-@\u2212")
# What full-width and other compatibility forms fold to (＝ ＋ － ＠ ﹦ ⁼ ...) starts a formula too: Excel with an
# East Asian locale reads them so.
_FOLDING = "".join(
    letter
    for letter in map(chr, (*range(0x2070, 0x2095), 0x207A, *range(0xFE50, 0xFE70), *range(0xFF01, 0xFF5F), 0xFB29))
    if unicodedata.normalize("NFKC", letter)[:1] in _FORMULA
)
_STARTERS = "=+\\-@\u2212" + re.escape(_FOLDING)
_LEADING = re.compile(rf"^[\s\u200c\u200d�]*[{_STARTERS}]")
# Where Excel's list separator is the semicolon, a comma-separated file is split at semicolons, quotes or no quotes.
_INNER = re.compile(rf"([;,|])(?=[\s\"'\u200c\u200d�]*[{_STARTERS}])")

SENDER_COLUMNS = (
    "id", "name", "assessment", "confidence", "submission", "messages", "recipients", "would_reject",
    "would_reject_messages", "would_reject_unknown_messages", "first_seen", "last_seen", "active_days", "networks",
    "helo", "service", "envelope_domains", "mail_from", "header_from", "spf", "dkim", "dmarc", "reasons",
    "recommendation",
)  # fmt: skip
REJECTED_COLUMNS = ("file", "row", "why", "text")


def cell(text: str) -> str:
    """A cell no spreadsheet runs: one line, no invisible characters, formulas disarmed by an apostrophe."""
    shown = clean(text[: MAX_CELL * 2])
    shown = _INNER.sub(r"\1'", shown)
    if _LEADING.match(shown):
        shown = f"'{shown}"
    return shown if len(shown) <= MAX_CELL else shown[: MAX_CELL - 1] + ELLIPSIS


def _joined(items: Iterable[str]) -> str:
    return cell("; ".join(items))


def _row(sender: Sender) -> tuple[str, ...]:
    results = authentication(sender)
    refused = {True: "true", False: "false", None: ""}[would_reject(sender)]
    return (
        cell(sender.id), cell(sender.name), sender.assessment.value, f"{sender.confidence:.2f}",
        sender.submission.value, str(sender.messages), str(sender.recipients), refused,
        str(sender.would_reject), str(sender.would_reject_unknown), iso(sender.first_seen), iso(sender.last_seen),
        str(sender.active_days), _joined(sender.networks), _joined(sender.helo), cell(sender.service or ""),
        _joined(sender.envelope_domains), _joined(sender.mail_from), _joined(sender.header_from),
        _results(results["spf"]), _results(results["dkim"]), _results(results["dmarc"]),
        _joined(f"{reason.text} ({reason.weight:+g})" for reason in sender.reasons), cell(sender.recommendation),
    )  # fmt: skip


def _results(results: Mapping[str, int]) -> str:
    return _joined(f"{word} {messages}" for word, messages in results.items())


def dump(audit: Audit) -> bytes:
    """senders.csv: a row per sender, in the order of the audit."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(SENDER_COLUMNS)
    writer.writerows(map(_row, audit.senders))
    return text.getvalue().encode("utf-8-sig")


def write(audit: Audit, path: Path) -> None:
    """Write senders.csv whole or not at all. Raises SidedoorError where it cannot be written."""
    write_files({path: dump(audit)})


class RejectedRowsWriter:
    """Streams rejected_rows.csv; the file gets its name when the block ends well.

    >>> with RejectedRowsWriter(directory / "rejected_rows.csv") as rejected:
    ...     rejected.write("trace.csv", RejectedRow(7, "3 cells; the header has 12", "a,b,c"))

    `count` is the number of rows written. Raises SidedoorError where the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: IO[str] | None = None
        self.count = 0

    def __enter__(self) -> Self:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            partial_of(self._path).unlink(missing_ok=True)
            self._handle = partial_of(self._path).open("x", encoding="utf-8-sig", newline="")
            self._writer = csv.writer(self._handle, lineterminator="\r\n")
            self._writer.writerow(REJECTED_COLUMNS)
        except OSError as error:
            cannot_write(self._path, error)
        return self

    def write(self, file: str, rejected: RejectedRow) -> None:
        """Add one row of `file`."""
        try:
            self._writer.writerow((cell(file), str(rejected.row), cell(rejected.why), cell(rejected.text)))
        except OSError as error:
            cannot_write(self._path, error)
        self.count += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._handle is None:
            raise SidedoorError(f"{self._path}: was never opened")
        try:
            self._handle.close()
            if kind is None:
                partial_of(self._path).replace(self._path)
        except OSError as failure:
            if kind is None:  # what went wrong first is what the user must hear
                cannot_write(self._path, failure)
        finally:
            with suppress(OSError):
                partial_of(self._path).unlink(missing_ok=True)
