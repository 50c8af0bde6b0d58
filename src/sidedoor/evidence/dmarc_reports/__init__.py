"""DMARC aggregate reports: who sends in the domain's name at other receivers (RFC 7489 appendix C, RFC 9990).

Further evidence about senders, never proof of Direct Send: the messages counted here went to others, and a printer that
mails only inside the organisation may never show. They are no messages of the tenant.
"""

from sidedoor.evidence.dmarc_reports.model import (
    DkimResult,
    Report,
    ReportedUse,
    ReportRow,
    ReportSummary,
    SpfResult,
)
from sidedoor.evidence.dmarc_reports.read import is_dmarc_report, read_report
from sidedoor.evidence.dmarc_reports.summary import Reported, read_reports

__all__ = [
    "DkimResult",
    "Report",
    "ReportRow",
    "ReportSummary",
    "Reported",
    "ReportedUse",
    "SpfResult",
    "is_dmarc_report",
    "read_report",
    "read_reports",
]
