"""What one run saw, and what was accepted before: everything the comparison may look at. Values only.

What could not be had is in `Sight.untold`, by source; what rests on such a source is neither raised nor recovered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from sidedoor.audit.model import Sender, Verdict
from sidedoor.mail.fact import Fact
from sidedoor.store.model import KnownSender, Severity, Word
from sidedoor.tenant.snapshot import MailExchanger, TenantSnapshot

Place = tuple[str, str]
"""A client address as text ("" unknown) and a domain of envelope senders ("" unknown, "<>" null)."""


class Source(StrEnum):
    """Where findings come from; DNS has one source for each domain (`dns_source`)."""

    HISTORY = "history"  # the mail history, complete up to `Sight.history_until`
    SETTINGS = "settings"  # the tenant's settings
    DNS = "dns"  # a prefix: records of one domain
    CERTIFICATES = "certificates"  # when certificates of connectors end
    PROBE = "probe"  # the door asked from outside
    BOUNCES = "bounces"  # non-delivery reports
    SELF = "self"  # this program's own runs


def dns_source(domain: str) -> str:
    """The source of one domain's records."""
    return f"{Source.DNS}:{domain}"


@dataclass(frozen=True, slots=True)
class SenderSight:
    """A sender of the report under its lasting key, with what a person decided and where it was seen.

    blocked: messages that a door which keeps a log refused (an edge's decision log), and when the last of them was.
    method: the entrance that a person chose for it (`store.model.Decision`), "" nothing said.
    """

    key: str
    sender: Sender
    word: Word
    places: frozenset[Place]
    blocked: int = 0
    last_blocked: datetime | None = None
    method: str = ""

    @property
    def assessment(self) -> Verdict:
        """A person's word, else the audit's."""
        return self.sender.assessment if self.word is Word.NONE else Verdict(self.word.value)

    @property
    def daily(self) -> Mapping[date, int]:
        """Messages a day."""
        return self.sender.daily


@dataclass(frozen=True, slots=True)
class DomainSight:
    """What DNS says of an accepted domain. Texts as published, in a stable order; None: known to be none.

    spf_lookups: terms of the record that ask DNS, on the longest way through (RFC 7208 section 4.6.4 allows 10); None
    without a record. spf_troubles: ids of what makes the record an error at receivers.
    """

    mx: Fact[tuple[str, ...]]
    exchanger: Fact[MailExchanger]
    spf: Fact[str | None]
    spf_lookups: int | None
    spf_troubles: tuple[str, ...]
    dmarc: Fact[str | None]


@dataclass(frozen=True, slots=True)
class CertificateSight:
    """A certificate that a connector asks for. connector: its name. where: file or host it was read from."""

    connector: str
    names: tuple[str, ...]
    not_after: datetime
    where: str


@dataclass(frozen=True, slots=True)
class ProbeSight:
    """The last probe of the door. verdict: closed, open or undetermined; why: sentences."""

    at: datetime
    verdict: str
    why: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BounceSight:
    """A non-delivery report about mail that the tenant refused. code: 5.7.68 or 5.7.51.

    envelope_sender, recipient: of the message that came back; remote: who tried to hand it in (Reporting-MTA), as it
    calls itself; address: the client address, where the report shows it. claimed: nothing but its own word stands
    behind the report (anybody can write one).
    """

    key: str
    at: datetime
    code: str
    envelope_sender: str
    recipient: str
    remote: str
    address: str
    claimed: bool = True


@dataclass(frozen=True, slots=True)
class ReportedSight:
    """An address that DMARC reports of other receivers name. passed, failed: messages, by DMARC's result there."""

    address: str
    sender: str | None
    passed: int
    failed: int
    last: datetime


@dataclass(frozen=True, slots=True)
class Sight:
    """What one run saw.

    now: the time of the run, never before that of an earlier run. history_until: mail up to then is all there, except
    what settles still. sent_directly: messages a day that went round the filter. connector_addresses: connector's
    name -> client address as text -> last time mail of it was attributed to that connector. untold: source -> why.
    """

    now: datetime
    window: tuple[datetime, datetime] | None
    history_until: datetime | None
    senders: tuple[SenderSight, ...]
    snapshot: TenantSnapshot
    domains: Mapping[str, DomainSight]
    sent_directly: Mapping[date, int] = field(default_factory=dict)
    connector_addresses: Mapping[str, Mapping[str, datetime]] = field(default_factory=dict)
    certificates: tuple[CertificateSight, ...] = ()
    probe: ProbeSight | None = None
    bounces: tuple[BounceSight, ...] = ()
    reported: tuple[ReportedSight, ...] = ()
    untold: Mapping[str, str] = field(default_factory=dict)
    truncated: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tolerated:
    """A finding that was accepted as it was, and its source. mark: what it was about; another, or a worse severity, is
    news.
    """

    severity: Severity
    mark: tuple[str, ...]
    source: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Baseline:
    """What was accepted. at: since when. closed_since: when RejectDirectSend was first seen on without a break since,
    None where it is not on.

    senders: by key, those that belong there; one that is not `accepted` was taken out of service at its `last_seen`.
    told: source -> when it was last told; what was never told has no baseline yet. history_since: when the history was
    told first, so that what was over by then is no news. tolerated: (kind, subject) ->
    findings that a person said are right as they are. Improvements are taken in by themselves (`baseline.grown`).
    """

    at: datetime
    senders: Mapping[str, KnownSender]
    snapshot: TenantSnapshot
    domains: Mapping[str, DomainSight]
    closed_since: datetime | None = None
    told: Mapping[str, datetime] = field(default_factory=dict)
    history_since: datetime | None = None
    tolerated: Mapping[tuple[str, str], Tolerated] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """When something is worth an alert; `[alerts.thresholds]` of sidedoor.toml.

    burst_messages, burst_factor: spoofs of a day, and so many times the usual day's. silent_factor, silent_days: an
    honest sender is silent after so many times its longest gap, at least so many days, if it was active on at least
    `regular_days`. certificate_days, address_days: before a certificate ends; since an address of a connector was seen.
    stale_hours: since the history was complete, or the settings were read. bypass_messages: sent directly, in a week.
    untold_hours: since DNS, a probe, bounces or certificates could be had. at_once: more alerts of one kind than these
    in one run are told of in one message.
    """

    burst_messages: int = 20
    burst_factor: float = 3.0
    silent_factor: float = 2.0
    silent_days: int = 7
    regular_days: int = 5
    certificate_days: int = 30
    address_days: int = 60
    stale_hours: int = 48
    bypass_messages: int = 20
    untold_hours: int = 72
    at_once: int = 10
