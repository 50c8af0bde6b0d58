"""The values of the store. Plain: no SQL here, so that watch and web build on them and tests make them by hand.

All times are aware and UTC. Texts that came from outside are kept as they came and escaped where they are shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """How much an alert matters; members from least to most."""

    INFO = "info"  # worth knowing at leisure
    WARNING = "warning"  # somebody should look this week
    SERIOUS = "serious"  # mail is, or will be, lost, or the door is weaker than it was
    CRITICAL = "critical"  # the door is open, or honest mail is being refused now

    @property
    def rank(self) -> int:
        """0 for the least."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that holds now and should not, or is new. Pure comparison gives the same findings each time.

    kind: reason id (docs/alerts.md). subject: what it is about, the same in every run: a sender's key, a connector's
    name, a domain, "" the tenant. source: which of what a run saw it rests on (`watch.sight.Source`); while that is
    not to be had, its alert neither comes nor goes. evidence: name and value, in order. since: when it began, if known.
    """

    kind: str
    subject: str
    severity: Severity
    title: str
    text: str
    advice: str
    source: str
    evidence: tuple[tuple[str, str], ...] = ()
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Alert:
    """A finding that was raised once. Open until `recovered_at`; at most one open for each kind and subject.

    seen_at: the last run that found it. acknowledged_by: who said that it is known, "" nobody. snoozed_until: no
    message about it goes out before.
    """

    id: str
    finding: Finding
    raised_at: datetime
    seen_at: datetime
    recovered_at: datetime | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""
    snoozed_until: datetime | None = None


class Occasion(StrEnum):
    """What a message about an alert says."""

    RAISED = "raised"  # it is new
    WORSENED = "worsened"  # its severity rose
    RECOVERED = "recovered"  # it is over


class DeliveryState(StrEnum):
    """What became of one message to one channel."""

    DUE = "due"  # waits for its time: now, the end of quiet hours or of a snooze, the next attempt
    SENDING = "sending"  # handed over; still so in the next run means that nobody knows whether it arrived
    SENT = "sent"  # the channel took it
    GIVEN_UP = "given-up"  # too many attempts; said in `watch` output and metrics
    NEEDLESS = "needless"  # over before it was due: neither raised nor recovered is sent


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message about an alert to one channel.

    There is at most one for each alert, occasion, channel and severity that the alert had: an alert that goes on
    worsening is told of at each step, and at each once.
    """

    id: str
    alert: str
    occasion: Occasion
    channel: str
    state: DeliveryState
    not_before: datetime
    attempts: int = 0
    error: str = ""
    done_at: datetime | None = None
    severity: Severity = Severity.INFO  # that the alert had when the message was made


class Word(StrEnum):
    """What a person decided about a sender; values as in plan.toml's `assessment`."""

    LEGITIMATE = "legitimate"  # honest: it must get in
    SPOOFING = "spoofing"  # refuse it
    UNCLEAR = "unclear"  # seen, and not decided yet
    NONE = ""  # nothing said


@dataclass(frozen=True, slots=True)
class Decision:
    """What people say of one sender, by its key. Empty texts and None: nothing said. method: as in plan.toml."""

    sender: str
    assessment: Word = Word.NONE
    owner: str = ""
    method: str = ""
    note: str = ""
    due: date | None = None
    by: str = ""
    at: datetime | None = None
    version: int = 0  # rises with each change; a change names the version it was made on


@dataclass(frozen=True, slots=True)
class TrailEntry:
    """One line of the audit trail; deleted only with its tenant or by retention, changed only by `forget_address`.

    what: decide, acknowledge, snooze, baseline, release, delete, sign-in, ... subject: a sender's key, an alert's id, a
    message's id. before, after: JSON values. number: rises with each entry kept; 0 before it is.
    """

    at: datetime
    who: str
    via: str  # web, api, cli
    what: str
    subject: str
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    number: int = 0


@dataclass(frozen=True, slots=True)
class KnownSender:
    """A sender as past runs saw it. key: the first id it had, kept when its id changes (`watch.identity`).

    places: (client address, envelope domain) pairs it was seen at. accepted: it belongs to the baseline.
    """

    key: str
    id: str
    name: str
    assessment: str
    places: frozenset[tuple[str, str]]
    first_seen: datetime
    last_seen: datetime
    messages: int
    accepted: bool = False


@dataclass(frozen=True, slots=True)
class Observation:
    """Something seen once that no export holds: a probe, a bounce, a certificate. key: the same thing has the same.

    kind: probe, bounce, certificate. body: JSON values.
    """

    kind: str
    key: str
    at: datetime
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Run:
    """One run of `watch` over one tenant. outcome: done, incomplete (something could not be had), failed; "" not over.

    A run that never ended was killed. number: rises with each run kept.
    """

    started: datetime
    ended: datetime | None
    outcome: str
    said: tuple[str, ...] = ()
    number: int = 0


@dataclass(frozen=True, slots=True)
class Baseline:
    """What was accepted, as `watch` wrote it. body: a JSON value."""

    at: datetime
    body: Any


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """Which alerts a page shows; all of it holds. Empty: no matter which.

    severity: the least. search: in title, text, subject or evidence, without regard to case.
    """

    open_only: bool = False
    kinds: frozenset[str] = frozenset()
    severity: Severity = Severity.INFO
    search: str = ""
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many rows a deletion took, or changed."""

    alerts: int = 0
    deliveries: int = 0
    observations: int = 0
    runs: int = 0
    senders: int = 0
    decisions: int = 0
    trail: int = 0
    edges: int = 0
    others: int = 0

    @property
    def rows(self) -> int:
        """All of them."""
        return sum(getattr(self, name) for name in self.__slots__)


@dataclass(frozen=True, slots=True)
class WebSession:
    """Somebody who signed in. id_hash: `digest_of` the secret in their cookie, which is kept nowhere.

    began: when they signed in; `expires` moves on while they work, to some time after that at most.
    """

    id_hash: str
    who: str
    roles: tuple[str, ...]
    expires: datetime
    csrf: str
    began: datetime


@dataclass(frozen=True, slots=True)
class WebToken:
    """A token of the web page, as it is kept: `digest_of` its secret, and a JSON value."""

    token_hash: str
    body: Any
    expires: datetime


@dataclass(frozen=True, slots=True)
class HeldMessage:
    """A message that an edge holds back. recipients: whom it goes to once it is released.

    envelope_sender: "" for the null reverse-path. edge: which one took it. content: its octets, None in lists.
    """

    id: str
    received_at: datetime
    envelope_sender: str
    recipients: tuple[str, ...]
    size: int
    why: str
    edge: str
    smtputf8: bool = False
    content: bytes | None = None


@dataclass(frozen=True, slots=True)
class PublishedSettings:
    """The settings of a tenant for its edges, as `tenant.codec` writes them. version: rises with each change."""

    version: int
    at: datetime
    who: str
    body: Any


@dataclass(frozen=True, slots=True)
class SeenEdge:
    """A process of an edge. settings: the version in force, 0 where they come from files. waiting: in its spools."""

    name: str
    began: datetime
    seen_at: datetime
    settings: int = 0
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class EdgeCount:
    """How many recipients one process of an edge decided on in a day (UTC), with this outcome and submission."""

    edge: str
    day: date
    outcome: str
    submission: str
    count: int


@dataclass(frozen=True, slots=True)
class EdgeLine:
    """A line of an edge's decision log. seq: its number at this edge. number: rises with each line in the store."""

    edge: str
    seq: int
    at: datetime
    body: Any
    number: int = 0
