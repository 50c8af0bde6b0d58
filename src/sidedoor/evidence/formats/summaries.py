"""Files that belong to a trace but hold no messages: known, so that nobody wonders why they add nothing."""

from __future__ import annotations

from sidedoor.evidence.formats.base import Spec
from sidedoor.evidence.interface import Format

CONNECTOR_SUMMARY = Format(
    "connector-summary",
    "Exchange admin center, inbound or outbound messages report",
    note="holds daily totals and no messages; request the ConnectorReport behind it",
)
SEARCH_JOBS = Format(
    "historical-search-jobs",
    "Get-HistoricalSearch",
    note="lists search jobs and no messages; download the reports it names (FileUrl)",
)
_SUMMARY_COLUMNS = frozenset({"connectortype", "forcedtls", "notls", "volume", "connectordirectionandname"})
_JOB_COLUMNS = frozenset({"jobid", "submitdate", "reporttitle", "status", "fileurl"})

SPECS = (
    Spec(
        CONNECTOR_SUMMARY,
        lambda columns: columns >= {"connectortype", "volume"} and bool(columns & {"forcedtls", "notls"}),
        _SUMMARY_COLUMNS,
        "Date, Connector direction and name, Connector type, Forced TLS?, No TLS, Volume",
        None,
    ),
    Spec(
        SEARCH_JOBS,
        lambda columns: columns >= {"jobid", "reporttitle"} and bool(columns & {"submitdate", "fileurl", "reporttype"}),
        _JOB_COLUMNS,
        "JobId, SubmitDate, ReportTitle, Status, FileUrl",
        None,
    ),
)
