"""What the exports could not tell, which export would, and what became of each file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sidedoor.audit.engine.staging import Staged
from sidedoor.audit.listed import ListedSender
from sidedoor.audit.model import FileCoverage, MissingFact
from sidedoor.audit.simulate import Tally
from sidedoor.evidence.collection import Collected
from sidedoor.evidence.dmarc_reports import Reported, ReportSummary
from sidedoor.mail.fact import Unknown
from sidedoor.tenant.snapshot import TenantSnapshot


@dataclass(frozen=True, slots=True)
class _Source:
    """Why a fact is missing, in a sentence, and how to get it."""

    why: str
    how_to_get_it: str


# The names are those of Decision.missing (policy/worlds.py).
SOURCES: Mapping[str, _Source] = {
    "envelope-sender": _Source(
        "list-type traces show one sender address and nobody says whether it is the envelope sender or header From",
        "Start-HistoricalSearch -ReportType MessageTraceDetail (return_path), Get-MessageTraceDetailV2 (ReturnPath) "
        "or EmailEvents (SenderMailFromAddress); --trace-sender states it, if you know",
    ),
    "connector": _Source(
        "a message trace has no connector column, and a connector here could have matched",
        "EmailEvents (Connectors), Start-HistoricalSearch (connector_id) or Get-MessageTraceDetailV2 (ConnectorId)",
    ),
    "tls-certificate": _Source(
        "no export shows the client's certificate, and a connector here matches by certificate",
        "EmailEvents (Connectors), Start-HistoricalSearch (connector_id) or Get-MessageTraceDetailV2 (ConnectorId)",
    ),
    "authentication": _Source(
        "a message trace lists mail of logged-in clients beside anonymous mail and does not tell them apart",
        "EmailEvents (EmailDirection) or Start-HistoricalSearch (directionality)",
    ),
    "client-ip": _Source(
        "no source shows the address that connected",
        "Get-MessageTraceV2 (FromIP), EmailEvents (SenderIPv4, SenderIPv6) or Start-HistoricalSearch",
    ),
    "mx": _Source(
        "without the published MX nobody can tell mail by the front door from mail sent directly beside the filter",
        "run with DNS, or give --dns ZONEFILE with the MX records of the accepted domains",
    ),
    "accepted-domains": _Source(
        "without the accepted domains no sender can be called the organisation's own",
        "Get-AcceptedDomain | ConvertTo-Json, laid beside the other exports",
    ),
    "inbound-connectors": _Source(
        "without the inbound connectors nobody knows which mail is exempt",
        "Get-InboundConnector | ConvertTo-Json, laid beside the other exports",
    ),
    "reject-direct-send": _Source(
        "the tenant export does not hold RejectDirectSend, so nobody knows whether the door is open now",
        "Get-OrganizationConfig | Select-Object Name, RejectDirectSend | ConvertTo-Json",
    ),
    "recipient": _Source(
        "no row names the recipient: trace details never do, and some rows of other exports leave it empty",
        "Get-MessageTraceV2, EmailEvents or Start-HistoricalSearch for the same days",
    ),
    "spf": _Source(
        "the published SPF records could not be had, so no sender could be checked against them",
        "run with DNS, or give --dns ZONEFILE with the SPF records of the accepted domains and their includes",
    ),
}
_GAPS: Mapping[str, str] = {
    "traces": "message-traces", "settings": "tenant-settings", "details": "trace-details", "hunting": "email-events",
}  # fmt: skip
"""What a collection can lack -> the fact's name."""
DECISIVE = frozenset({"message-traces", "tenant-settings"})
"""Facts without which nobody can say that nothing honest would be refused."""
_OTHER = _Source("no export at hand tells it", "see docs/formats.md for what each export holds")


def missing_facts(
    tallies: Iterable[Tally], snapshot: TenantSnapshot, *, spf_unknown: Sequence[str]
) -> tuple[MissingFact, ...]:
    """Facts that left decisions undetermined, with the messages that rest on them, the most first.

    `spf_unknown`: accepted domains whose SPF record could not be had.
    """
    counts: dict[str, int] = {}
    for tally in tallies:
        for name in tally.missing:
            counts[name] = counts.get(name, 0) + tally.messages
    for name, setting in (
        ("accepted-domains", snapshot.accepted_domains),
        ("inbound-connectors", snapshot.inbound_connectors),
        ("reject-direct-send", snapshot.reject_direct_send),
    ):
        if isinstance(setting, Unknown):
            counts.setdefault(name, 0)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    missing = tuple(_missing(name, messages) for name, messages in ordered)
    return (*missing, _missing_spf(spf_unknown)) if spf_unknown else missing


def collection_gaps(collections: Iterable[Collected]) -> tuple[MissingFact, ...]:
    """What was asked of the tenant and not had, in the collection's own words."""
    return tuple(
        MissingFact(_GAPS.get(gap.what, "message-traces"), gap.why, gap.how_to_get_it)
        for collected in collections
        for gap in collected.gaps
    )


def collection_coverage(collections: Iterable[Collected]) -> tuple[FileCoverage, ...]:
    """The collections' own word as files: no row of theirs is a message."""
    return tuple(
        FileCoverage(str(each.path), "collection", 0, 0, f"incomplete: lacks {len(each.gaps)}" if each.gaps else "")
        for each in collections
    )


def _missing_spf(domains: Sequence[str]) -> MissingFact:
    shown = ", ".join(domains[:3]) + (f" and {len(domains) - 3} more" if len(domains) > 3 else "")
    why = f"the published SPF record of {shown} could not be had, so its senders could not be checked against it"
    return MissingFact("spf", why, SOURCES["spf"].how_to_get_it)


def _missing(name: str, messages: int) -> MissingFact:
    source = SOURCES.get(name, _OTHER)
    return MissingFact(name, source.why, source.how_to_get_it, messages)


def file_coverage(
    files: Sequence[Staged],
    notes: Mapping[Path, str],
    settings: Iterable[Path],
    skipped: Iterable[tuple[Path, str]],
) -> tuple[FileCoverage, ...]:
    """Every input file: read as history, read as settings, or skipped and why."""
    histories = [
        FileCoverage(str(file.path), file.format, file.rows, file.rejected, notes.get(file.path, "")) for file in files
    ]
    tenant = [FileCoverage(str(path), "tenant-settings", 0, 0) for path in settings]
    others = [FileCoverage(str(path), "skipped", 0, 0, f"skipped: {why}") for path, why in skipped]
    return (*histories, *tenant, *others)


def report_coverage(reported: Reported) -> tuple[FileCoverage, ...]:
    """DMARC reports: their rows are records about mail to others, none of them a message of the tenant."""
    files = [
        FileCoverage(str(summary.path), "dmarc-report", summary.records, summary.rejected, _report_note(summary))
        for summary in reported.reports
    ]
    seen = {summary.path for summary in reported.reports}
    broken = [(path, error) for path, error in reported.broken if path not in seen]
    return (*files, *(FileCoverage(str(path), "dmarc-report", 0, 0, f"not read: {error}") for path, error in broken))


def _report_note(summary: ReportSummary) -> str:
    report = summary.report
    about = (
        f"{report.org_name or 'somebody'} on {report.domain or 'no domain'}: {summary.messages:,} messages to others"
    )
    return f"{about}; {summary.note}" if summary.note else about


def listed_sender_warnings(kinds: Mapping[str, ListedSender]) -> tuple[str, ...]:
    """Say what was taken from list-type traces' sender column, one sentence a kind."""
    texts = {
        ListedSender.UNKNOWN: "whether the sender shown by {} is the envelope sender or header From is not known",
        ListedSender.ENVELOPE: "the sender shown by {} was read as the envelope sender",
        ListedSender.HEADER: "the sender shown by {} was read as the header From",
    }
    formats = {kind: sorted(name for name, other in kinds.items() if other is kind) for kind in texts}
    return tuple(text.format(", ".join(formats[kind])) for kind, text in texts.items() if formats[kind])


def stranger_warnings(strangers: int, messages: int) -> tuple[str, ...]:
    """Say how much mail has neither sender nor recipient in an accepted domain."""
    if not strangers:
        return ()
    who = f"{strangers:,} of {messages:,} messages have neither sender nor recipient in an accepted domain"
    return (f"{who}: are history and settings of one tenant?",)
