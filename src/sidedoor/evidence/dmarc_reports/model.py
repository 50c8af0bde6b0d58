"""What a report says, record by record, and what many reports say of one source.

Result words are in lower case. None means that the report does not tell; it is never read as a failure.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple


class Report(NamedTuple):
    """The head of one report: report_metadata and policy_published.

    org_name: who reports; the domain of the e-mail address where no name is given. report_id: the reporter's number for
    the report. Both "" where there is none.
    domain, policy: the domain reported on and its published policy (p). begin, end: UTC, None for an impossible date.
    part: the name of the report within an archive or mail, "" for a file that is the report itself.
    """

    org_name: str = ""
    report_id: str = ""
    domain: str = ""
    policy: str = ""
    begin: datetime | None = None
    end: datetime | None = None
    part: str = ""

    @property
    def identity(self) -> tuple[object, ...] | None:
        """What two copies of one report share whatever their container; None for a report without a number."""
        return (self.org_name.lower(), self.report_id, self.domain, self.begin, self.end) if self.report_id else None


class SpfResult(NamedTuple):
    """One SPF check: the domain checked, its scope (`mfrom` or `helo`, "" where not told), the result."""

    domain: str
    scope: str
    result: str


class DkimResult(NamedTuple):
    """One signature: d=, s= ("" where not told) and the result of verification."""

    domain: str
    selector: str
    result: str


class ReportRow(NamedTuple):
    """One record: so many messages of one source with the same results.

    row: 1-based number of the record in its file, over all reports in it.
    source_ip: the client address that the reporter saw, in its usual spelling. messages: at least 1.
    disposition: none, quarantine, reject or pass (RFC 9990). dkim_aligned, spf_aligned: pass or fail of
    policy_evaluated, that is with alignment; None where it says neither. overrides: types of the reasons given.
    header_from: 5322.From domain. envelope_from: 5321.MailFrom domain, "" for the null reverse-path, None untold.
    """

    row: int
    report: Report
    source_ip: str
    messages: int
    disposition: str | None
    dkim_aligned: str | None
    spf_aligned: str | None
    overrides: tuple[str, ...]
    header_from: str
    envelope_from: str | None
    spf: tuple[SpfResult, ...]
    dkim: tuple[DkimResult, ...]

    @property
    def passed(self) -> bool | None:
        """DMARC's own result: one aligned pass is enough (RFC 7489 section 6.6.2); None where it cannot be told."""
        if "pass" in {self.dkim_aligned, self.spf_aligned}:
            return True
        return None if self.dkim_aligned is None or self.spf_aligned is None else False


class ReportSummary(NamedTuple):
    """One report as it was read: its head, its records and messages, and the records that were rejected.

    duplicate: the same report had been read before, so nothing of this copy was counted.
    note: what else a person should know, "" for nothing.
    """

    path: Path
    report: Report
    records: int
    rejected: int
    messages: int
    duplicate: bool = False
    note: str = ""


class ReportedUse(NamedTuple):
    """What reporters saw of one source address.

    messages = passed + failed + untold. passed: with DMARC pass, by aligned SPF (passed_spf) or DKIM (passed_dkim),
    which may both hold. reporters: organisations by name. first, last: begin of the first and end of the last period.
    header_from, envelope_from, signers: domains with the messages that showed them (signers: d= of valid signatures).
    dispositions, overrides: what reporters did and why they departed from the policy, with messages.
    """

    source_ip: str
    messages: int
    passed: int
    passed_spf: int
    passed_dkim: int
    failed: int
    untold: int
    reporters: tuple[str, ...]
    first: datetime | None
    last: datetime | None
    header_from: Mapping[str, int]
    envelope_from: Mapping[str, int]
    signers: Mapping[str, int]
    dispositions: Mapping[str, int]
    overrides: Mapping[str, int]
