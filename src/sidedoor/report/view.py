"""What the page shows, decided in Python so that the template only arranges it.

Nothing from outside gets into an attribute: anchors are numbers given here, not ids of senders.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sidedoor.audit.model import Audit, Reason, ReportedSource, Sender, Verdict
from sidedoor.policy.decision import Submission
from sidedoor.report import words
from sidedoor.report.answer import Answer, answer
from sidedoor.report.timeline import Bar, Chart, chart, gather

MAX_CARDS = 300
MX = "mx"  # the fact of coverage.missing without which mail sent directly cannot be recognised
MAX_ITEMS = 6  # addresses, names, networks shown of each list


@dataclass(frozen=True, slots=True)
class Some:
    """The beginning of a list, and how many more there are."""

    items: tuple[str, ...]
    more: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """One reason: its weight with a sign, and whether it speaks for, against or neither."""

    text: str
    weight: str
    speaks: str  # for, against, neutral


@dataclass(frozen=True, slots=True)
class Card:
    """One sender. `number` makes the anchor; `whole` is false for those that get a row only."""

    number: int
    sender: Sender
    kind: str
    assessment: str
    confidence: str
    submission: str
    refusal: str
    refused: str
    seen: str
    networks: Some
    helo: Some
    envelope: Some
    header: Some
    results: tuple[tuple[str, str], ...]
    evidence: tuple[Evidence, ...]
    balance: str
    why: str


@dataclass(frozen=True, slots=True)
class Group:
    """Senders under one heading: the first as cards, the rest as rows."""

    id: str
    title: str
    lead: str
    cards: tuple[Card, ...]
    rows: tuple[Card, ...]

    @property
    def total(self) -> int:
        return len(self.cards) + len(self.rows)


@dataclass(frozen=True, slots=True)
class Refused:
    """One line of "what would be refused"."""

    kind: str
    label: str
    senders: int
    messages: int
    share: str


@dataclass(frozen=True, slots=True)
class Page:
    """Everything the template needs."""

    audit: Audit
    answer: Answer
    window: str
    groups: tuple[Group, ...]
    blockers: tuple[Card, ...]
    more_blockers: int
    carded: int
    bars: tuple[Bar, ...]
    charts: tuple[Chart, ...]
    totals: tuple[tuple[str, str, int], ...]
    refused: tuple[Refused, ...]
    connectors: tuple[tuple[tuple[str, str], ...], ...]
    settings: tuple[tuple[str, str], ...]
    silence: str  # why an empty list means nothing, "" where it does mean "none"
    mx_unknown: bool
    reported_names: tuple[str, ...] = ()  # who each of `audit.reported` is: a sender of this page, or a service
    reporters: tuple[Some, ...] = ()


# Anchor -> heading, explanation.
_GROUPS = {
    "blockers": (
        "Senders that stand in the way",
        (
            "Legitimate or unclear, and closing Direct Send would refuse their mail, or may. Before you close it, "
            "move the legitimate to another way in and find out what the unclear are."
        ),
    ),
    "spoofing": (
        "Spoofing",
        "Somebody who borrows your name. Each says whether closing Direct Send stops it.",
    ),
    "others": (
        "Other senders",
        "Closing Direct Send would refuse none of their mail.",
    ),
}


def page(audit: Audit) -> Page:
    """Arrange an audit for the page."""
    blocking = set(audit.readiness.blockers)
    chosen = _chosen(audit.senders, blocking)
    cards = [_card(number, sender) for number, sender in enumerate(audit.senders, 1)]
    by_id = {card.sender.id: card for card in cards}
    stand = [by_id[id_] for id_ in audit.readiness.blockers if id_ in by_id]
    bars = gather(audit.timeline)
    names = {sender.id: sender.name for sender in audit.senders}
    return Page(
        audit=audit,
        answer=answer(audit),
        window=window(audit),
        groups=tuple(_group(name, cards, blocking, chosen) for name in _GROUPS),
        blockers=tuple(stand[:MAX_ITEMS]),
        more_blockers=max(len(stand) - MAX_ITEMS, 0),
        carded=len(chosen),
        bars=bars,
        charts=(chart(bars, "wide", 1_000, 260), chart(bars, "narrow", 340, 220)) if bars else (),
        totals=tuple(
            (*words.SUBMISSION[word], audit.totals.get(word, 0)) for word in Submission if audit.totals.get(word, 0)
        ),
        refused=_refused(audit),
        connectors=tuple(_facts(connector) for connector in audit.tenant.inbound_connectors or ()),
        settings=_settings(audit),
        silence=_silence(audit),
        mx_unknown=any(item.fact == MX for item in audit.coverage.missing),
        reported_names=tuple(_who(source, names) for source in audit.reported),
        reporters=tuple(_some(source.reporters) for source in audit.reported),
    )


def _who(source: ReportedSource, names: Mapping[str, str]) -> str:
    return names.get(source.sender or "", "") or source.service or ""


def _silence(audit: Audit) -> str:
    """Silence is never read as "none": say why nothing could be found."""
    if not audit.coverage.messages:
        return "Nothing can be said: no message was read."
    if audit.tenant.accepted_domains is None:
        return "Nothing can be said: without the accepted domains no mail can be called your own."
    return ""


def window(audit: Audit) -> str:
    """`25 Oct 2026 to 22 Nov 2026`."""
    if audit.window is None:
        return "no dated message"
    start, end = map(words.day, audit.window)
    return start if start == end else f"{start} to {end}"


def _chosen(senders: Sequence[Sender], blocking: set[str]) -> set[str]:
    """Ids of the senders that get a card: those that stand in the way first, then by messages."""
    ordered = sorted(senders, key=lambda sender: (sender.id not in blocking, -sender.messages))
    return {sender.id for sender in ordered[:MAX_CARDS]}


def _group(name: str, cards: Iterable[Card], blocking: set[str], chosen: set[str]) -> Group:
    mine = [card for card in cards if _group_of(card.sender, blocking) == name]
    return Group(
        name,
        *_GROUPS[name],
        cards=tuple(card for card in mine if card.sender.id in chosen),
        rows=tuple(card for card in mine if card.sender.id not in chosen),
    )


def _group_of(sender: Sender, blocking: set[str]) -> str:
    if sender.id in blocking:
        return "blockers"
    return "spoofing" if sender.assessment is Verdict.SPOOFING else "others"


def _card(number: int, sender: Sender) -> Card:
    return Card(
        number=number,
        sender=sender,
        kind=sender.assessment.value,
        assessment=words.ASSESSMENT[sender.assessment],
        confidence=words.confidence(sender.confidence),
        submission=words.SUBMISSION[sender.submission][0],
        refusal=words.refusal(sender),
        refused=words.refused_word(sender),
        seen=words.span(sender.first_seen, sender.last_seen),
        networks=_some(sender.networks),
        helo=_some(sender.helo),
        envelope=_some(sender.mail_from or sender.envelope_domains),
        header=_some(sender.header_from),
        results=tuple((_MECHANISMS.get(name, name), _results(result)) for name, result in _known(sender)),
        evidence=tuple(_evidence(reason.text, reason.weight) for reason in _ordered(sender)),
        balance=_balance(sender),
        why=words.leading_reason(sender),
    )


def _some(items: Sequence[str]) -> Some:
    return Some(tuple(items[:MAX_ITEMS]), max(len(items) - MAX_ITEMS, 0))


_MECHANISMS = {"spf": "SPF", "dkim": "DKIM", "dmarc": "DMARC"}  # in the order shown


def _known(sender: Sender) -> list[tuple[str, Mapping[str, int]]]:
    others = sorted(set(sender.authentication) - set(_MECHANISMS))
    named = ((name, sender.authentication.get(name, {})) for name in (*_MECHANISMS, *others))
    return [(name, result) for name, result in named if result]


def _results(result: Mapping[str, int]) -> str:
    ordered = sorted(result.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{word} {messages:,}" for word, messages in ordered[:MAX_ITEMS])


def _ordered(sender: Sender) -> list[Reason]:
    return sorted(sender.reasons, key=lambda reason: (-abs(reason.weight), reason.id))


def _evidence(text: str, weight: float) -> Evidence:
    speaks = "for" if weight > 0 else "against" if weight < 0 else "neutral"
    return Evidence(text, signed(weight), speaks)


def signed(weight: float) -> str:
    """`+2`, `−1.5` (with a minus sign as long as the plus), `0`."""
    return f"{weight:+.4g}".replace("-", "−") if weight else "0"


def _balance(sender: Sender) -> str:
    total = sum(reason.weight for reason in sender.reasons)
    return f"{words.count(len(sender.reasons), 'finding')}, {signed(total)} altogether" if sender.reasons else ""


def _refused(audit: Audit) -> tuple[Refused, ...]:
    counts = {
        Verdict.LEGITIMATE: audit.simulation.rejected_legitimate,
        Verdict.SPOOFING: audit.simulation.rejected_spoofing,
        Verdict.UNCLEAR: audit.simulation.rejected_unclear,
    }
    return tuple(
        Refused(
            verdict.value,
            words.ASSESSMENT[verdict],
            sum(1 for sender in audit.senders if sender.assessment is verdict and sender.would_reject),
            messages,
            f"{messages / audit.simulation.rejected:.1%}" if audit.simulation.rejected else "–",
        )
        for verdict, messages in counts.items()
    )


def _facts(values: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    return tuple((str(key).replace("_", " "), plain(value)) for key, value in values.items())


def plain(value: object) -> str:
    """A setting's value in words."""
    if value is None:
        return "not known"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(plain(item) for item in value) or "none"
    return str(value)


def _settings(audit: Audit) -> tuple[tuple[str, str], ...]:
    tenant = audit.tenant
    state = {True: "on", False: "off", None: "not known"}[tenant.reject_direct_send]
    connectors = tenant.inbound_connectors
    return (
        ("Organisation", tenant.name or "not known"),
        ("RejectDirectSend", state),
        (
            "Accepted domains",
            "not known" if tenant.accepted_domains is None else ", ".join(tenant.accepted_domains) or "none",
        ),
        ("Inbound connectors", "not known" if connectors is None else words.count(len(connectors), "connector")),
    )
