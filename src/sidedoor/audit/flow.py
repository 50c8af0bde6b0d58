"""A flow: all messages that are alike in everything the rule may look at and in who submitted them.

The columnar engine makes flows out of events; the rule decides each once; senders are made out of flows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from sidedoor.policy.decision import Decision


@dataclass(frozen=True, slots=True)
class Flow:
    """One flow with its decision, its counts and its time profile.

    Text fields follow `evidence.record`: None is unknown, "" is known absent. Counts are messages per recipient.
    envelope_domain: A-label domain of the envelope sender, "<>" for the null reverse-path, None if unknown.
    listed_domain: domain of a sender column of unspecified kind; looked at only where envelope_domain is None.
    envelope_senders, header_froms: up to 50 addresses with their counts, the commonest first.
    distinct_senders, distinct_recipients: how many there were altogether (distinct_recipients may be approximate).
    self_addressed: messages whose sender is the recipient.
    days: calendar days (UTC) with at least one message. hours: 24 counts by hour of day (UTC).
    own_header_from: the header From (or the listed sender, where no better is known) is in an accepted domain.
    spf, dkim, dmarc, compauth, compauth_reason, treatments: result word -> messages; unknown results are left out.
    entries, mailers, signers: likewise for how it came in, X-Mailer, and the signing domain (d=).
    """

    id: int
    client_ip: str | None
    envelope_domain: str | None
    listed_domain: str | None
    header_from_domain: str | None
    helo: str | None
    tls: str | None
    connector: str | None
    direction: str | None
    decision: Decision
    messages: int
    distinct_senders: int
    distinct_recipients: int
    self_addressed: int
    first_seen: datetime
    last_seen: datetime
    days: tuple[date, ...]
    hours: tuple[int, ...]
    envelope_senders: tuple[tuple[str, int], ...] = ()
    header_froms: tuple[tuple[str, int], ...] = ()
    spf: Mapping[str, int] = field(default_factory=dict)
    dkim: Mapping[str, int] = field(default_factory=dict)
    dmarc: Mapping[str, int] = field(default_factory=dict)
    compauth: Mapping[str, int] = field(default_factory=dict)
    compauth_reason: Mapping[str, int] = field(default_factory=dict)
    treatments: Mapping[str, int] = field(default_factory=dict)
    own_header_from: bool = False
    entries: Mapping[str, int] = field(default_factory=dict)
    mailers: Mapping[str, int] = field(default_factory=dict)
    signers: Mapping[str, int] = field(default_factory=dict)
