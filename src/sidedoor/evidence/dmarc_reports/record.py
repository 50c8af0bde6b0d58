"""From the texts of one record to a row: what is a number, an address, a domain, a result word."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache

from sidedoor.evidence.dmarc_reports.model import DkimResult, Report, ReportRow, SpfResult
from sidedoor.evidence.record import RejectedRow
from sidedoor.mail.domain import DomainError, parse_domain
from sidedoor.mail.network import NetworkError, parse_ip

MOST_RESULTS = 100  # signatures or SPF checks of one record: RFC 9990 lets a reporter stop there
_MOST_OVERRIDES = 20
_MAX_NAME = 255
_MAX_WORD = 40
_MAX_COUNT = 10**12
_CACHE = 1 << 15
_QUAD = re.compile(r"(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(?:\.(?!$)|$)){4}", re.ASCII)
_EPOCH = re.compile(r"([0-9]{6,14})(?:\.[0-9]{1,9})?", re.ASCII)
_EARLIEST, _LATEST = datetime(1970, 1, 2, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


class _UnusableError(ValueError):
    """The record cannot be counted; the message says why."""


class Draft:
    """The texts of a record while it is being read."""

    __slots__ = ("dkim", "evaluated", "fields", "overrides", "result", "spf")

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}
        self.evaluated: dict[str, str] = {}
        self.result: dict[str, str] = {}
        self.spf: list[SpfResult] = []
        self.dkim: list[DkimResult] = []
        self.overrides: list[str] = []

    def end_of_result(self, kind: str, text: str) -> None:
        """`<dkim>pass</dkim>` of policy_evaluated, or `<dkim><domain>...` of auth_results."""
        found, self.result = self.result, {}
        if not found:
            if text:
                self.evaluated.setdefault(kind, text)
        elif kind == "spf":
            if len(self.spf) < MOST_RESULTS:
                get = found.get
                self.spf.append(spf_result(get("domain", ""), get("scope", ""), get("result", "")))
        elif len(self.dkim) < MOST_RESULTS:
            get = found.get
            self.dkim.append(dkim_result(get("domain", ""), get("selector", ""), get("result", "")))

    def add_override(self, text: str) -> None:
        """The type of a reason; reporters that have none write an empty one."""
        if text and len(self.overrides) < _MOST_OVERRIDES:
            self.overrides.append(word(text))


@lru_cache(maxsize=_CACHE)
def word(text: str) -> str:
    """A result word in lower case; some reporters write `Pass`."""
    return text[:_MAX_WORD].lower()


@lru_cache(maxsize=_CACHE)
def domain(text: str) -> str:
    """A domain in comparable form; what is none stays as written in lower case: a spoof must not vanish by being ugly.

    Some reporters write the whole address where its domain belongs.
    """
    bare = text.rpartition("@")[2].strip("<> ")
    try:
        return parse_domain(bare).ascii if bare else ""
    except DomainError:
        return bare[:_MAX_NAME].lower()


@lru_cache(maxsize=_CACHE)
def spf_result(name: str, scope: str, result: str) -> SpfResult:
    """One object for equal results: a report has few, a hundred thousand times."""
    return SpfResult(domain(name), word(scope), word(result))


@lru_cache(maxsize=_CACHE)
def dkim_result(name: str, selector: str, result: str) -> DkimResult:
    """As `spf_result`. A selector keeps its case: it is shown, not compared."""
    return DkimResult(domain(name), selector[:_MAX_NAME], word(result))


def finished(row: int, report: Report, draft: Draft) -> ReportRow | RejectedRow:
    """The row of a complete record; rejected without an address, a sender or a number of messages."""
    fields = draft.fields
    try:
        envelope = fields.get("envelope_from")
        return ReportRow(
            row,
            report,
            _address(fields.get("source_ip", "")),
            _count(fields.get("count", "")),
            word(fields["disposition"]) or None if "disposition" in fields else None,
            word(draft.evaluated["dkim"]) if "dkim" in draft.evaluated else None,
            word(draft.evaluated["spf"]) if "spf" in draft.evaluated else None,
            tuple(draft.overrides),
            _header_from(fields.get("header_from", "")),
            None if envelope is None else domain(envelope),
            tuple(draft.spf),
            tuple(draft.dkim),
        )
    except _UnusableError as error:
        return RejectedRow(row, str(error), json.dumps(fields, ensure_ascii=False)[:500])


def _address(text: str) -> str:
    if _QUAD.fullmatch(text):
        return text
    try:
        return str(parse_ip(text))
    except NetworkError as error:
        raise _UnusableError(f"source_ip: {error}" if text else "no source_ip") from error


def _count(text: str) -> int:
    """A number of messages, at least one. Raises _UnusableError."""
    count = int(text) if len(text) <= 13 and text.isascii() and text.isdigit() else -1
    if not 0 < count <= _MAX_COUNT:
        raise _UnusableError(f"count: {text[:40]!r} is no number of messages" if text else "no count")
    return count


def _header_from(text: str) -> str:
    found = domain(text)
    if not found:
        raise _UnusableError("no header_from: whose name was used is not told")
    return found


def report_of(head: Mapping[str, str], part: str) -> Report:
    """The report's head from the texts of its metadata and policy."""
    begin, end = moment(head.get("begin", "")), moment(head.get("end", ""))
    if begin and end and end < begin:
        begin, end = end, begin
    return Report(
        (head.get("org_name") or domain(head.get("email", "")))[:_MAX_NAME],
        head.get("report_id", "")[:_MAX_NAME],
        domain(head.get("domain", "")),
        word(head.get("p", "")),
        begin,
        end,
        part,
    )


def moment(text: str) -> datetime | None:
    """Seconds since 1970 (RFC 7489 appendix C); milliseconds and ISO 8601 occur. None for what is no possible date."""
    try:
        if match := _EPOCH.fullmatch(text):
            seconds = int(match[1])
            found = datetime.fromtimestamp(seconds / 1000 if seconds > 10**11 else seconds, UTC)
        else:
            found = datetime.fromisoformat(text)
            found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return found if _EARLIEST <= found < _LATEST else None
