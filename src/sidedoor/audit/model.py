"""What an audit finds: the values behind report.json, report.html, senders.csv and the summary.

Names follow the public contract (`docs/contract.md`); `report/` turns these values into files and text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum

from sidedoor.policy.decision import Submission
from sidedoor.tenant.snapshot import TenantSnapshot


class Verdict(Enum):
    """What a sender is held to be."""

    LEGITIMATE = "legitimate"  # an honest device, application or service
    SPOOFING = "spoofing"  # somebody who borrows the organisation's name
    UNCLEAR = "unclear"  # the evidence does not decide; a person must


@dataclass(frozen=True, slots=True)
class Reason:
    """One piece of evidence: stable id, a sentence for people, and its weight (positive speaks for honesty)."""

    id: str
    text: str
    weight: float


@dataclass(frozen=True, slots=True)
class Sender:
    """One real-world device, application, service or attacker. Field names are those of report.json."""

    id: str
    name: str
    submission: Submission
    assessment: Verdict
    confidence: float  # 0 to 1
    reasons: tuple[Reason, ...]
    networks: tuple[str, ...]
    envelope_domains: tuple[str, ...]
    mail_from: tuple[str, ...]  # up to 50 envelope sender addresses, the commonest first
    helo: tuple[str, ...]
    service: str | None  # name of the service recognised (SPF include owner), None where none was
    messages: int
    recipients: int
    first_seen: datetime
    last_seen: datetime
    active_days: int
    authentication: Mapping[str, Mapping[str, int]]  # spf, dkim, dmarc, compauth -> result -> messages
    would_reject: int  # messages RejectDirectSend would refuse
    would_reject_unknown: int  # messages for which that is undetermined
    recommendation: str
    flow_ids: tuple[int, ...] = ()
    daily: Mapping[date, int] = field(default_factory=dict)  # messages a day, for the timeline
    header_from: tuple[str, ...] = ()  # up to 50 header From addresses
    product: str | None = None  # id of the catalogue entry that it is, where something proves it
    claims_product: str | None = None  # id of the catalogue entry that it says it is, where nothing proves any


@dataclass(frozen=True, slots=True)
class FileCoverage:
    """One input file. `rows` counts data rows in the file, `rejected_rows` those of them that could not be read.

    `note` says what is remarkable: "exactly 5,000 rows: probably cut off", "skipped: no known format".
    """

    path: str
    format: str
    rows: int
    rejected_rows: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class MissingFact:
    """A fact the exports could not tell: how many messages rest on it, why, and which export would tell."""

    fact: str
    why: str
    how_to_get_it: str
    messages: int = 0


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Two sources that contradict each other about a fact of the same message; the better-informed one was believed."""

    fact: str
    believed: str  # format name
    doubted: str  # format name
    messages: int
    example: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """What was read. rows in = messages + rejected + merged - expanded, always (`balance`)."""

    messages: int  # rows of messages.parquet
    files: tuple[FileCoverage, ...]
    missing: tuple[MissingFact, ...]
    merged_records: int = 0  # records that told more of a message and recipient already known
    expanded_records: int = 0  # records beyond the first that one row with several recipients gave
    disagreements: tuple[Disagreement, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Simulation:
    """What RejectDirectSend would do to this history with the connectors as they are; messages per recipient."""

    rejected: int
    rejected_legitimate: int
    rejected_spoofing: int
    rejected_unclear: int
    undetermined: int
    header_from_spoofs: int  # own-domain header From under a foreign envelope sender, assessed spoofing or unclear
    sent_directly: int


@dataclass(frozen=True, slots=True)
class Readiness:
    """`ready`, `not-ready` or `undetermined`, with the senders that stand in the way."""

    state: str
    blockers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TenantSummary:
    """The settings the audit rests on; None where unknown."""

    name: str
    accepted_domains: tuple[str, ...] | None
    reject_direct_send: bool | None
    inbound_connectors: tuple[Mapping[str, object], ...] | None  # name, kind, enabled, matches_by, restricts


@dataclass(frozen=True, slots=True)
class DayCount:
    """One bar of the timeline: Direct Send messages of a day by assessment."""

    day: date
    legitimate: int
    spoofing: int
    unclear: int


@dataclass(frozen=True, slots=True)
class ReportedSource:
    """An address that sends in the organisation's name to others, as DMARC reports of other receivers show it.

    passed, failed: messages by DMARC's result at the reporters; the rest is untold. `service` by the catalogue, from
    valid signatures. `sender`: id of the sender of this audit that uses the address, None where none does.
    """

    address: str
    service: str | None
    sender: str | None
    messages: int
    passed: int
    failed: int
    reporters: tuple[str, ...]
    first: datetime | None
    last: datetime | None
    header_from: tuple[str, ...]
    signers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Audit:
    """The whole answer."""

    tenant: TenantSummary
    window: tuple[datetime, datetime] | None
    coverage: Coverage
    totals: Mapping[Submission, int]  # messages per submission
    senders: tuple[Sender, ...]  # most messages first within: not-ready blockers, spoofing, unclear, legitimate
    simulation: Simulation
    readiness: Readiness
    timeline: tuple[DayCount, ...]
    generated_at: datetime
    reported: tuple[ReportedSource, ...] = ()  # up to 100, most messages first; all are counted in reported_messages
    reported_messages: int = 0
    switches: tuple[Mapping[str, str], ...] = ()  # name, value, certainty, meaning of each open question that was asked
    snapshot: TenantSnapshot = field(default_factory=TenantSnapshot)  # the settings, whole
