"""Sights of an invented tenant, made by hand: a few devices, two connectors, one domain."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from ipaddress import ip_network
from typing import Any

from sidedoor.audit.model import Reason, Sender, Verdict
from sidedoor.mail.domain import Domain
from sidedoor.policy.decision import Submission
from sidedoor.store.model import Finding, Word
from sidedoor.tenant.snapshot import (
    AcceptedDomain,
    ConnectionFilter,
    ConnectorKind,
    DomainKind,
    InboundConnector,
    MailExchanger,
    SenderDomainPattern,
    TenantSnapshot,
    TransportRule,
)
from sidedoor.watch.baseline import first
from sidedoor.watch.sight import Baseline, CertificateSight, DomainSight, SenderSight, Sight

NOW = datetime(2026, 11, 24, 6, tzinfo=UTC)  # a Tuesday
TODAY = NOW.date()
CONTOSO = Domain("contoso.com")


def ago(days: float = 0, hours: float = 0) -> datetime:
    """A moment before now."""
    return NOW - timedelta(days=days, hours=hours)


def daily(since: int, until: int = 1, each: int = 3, *, workdays: bool = False) -> dict[date, int]:
    """Messages on the days from so many days ago up to so many days ago, both included."""
    days = [TODAY - timedelta(days=age) for age in range(since, until - 1, -1)]
    return {day: each for day in days if not workdays or day.weekday() < 5}


def at(day: date, hour: int = 8) -> datetime:
    """An hour of a day."""
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


def seen(  # a sender has as many facts
    key: str,
    days: Mapping[date, int] | None = None,
    *,
    address: str = "203.0.113.10",
    assessment: Verdict = Verdict.LEGITIMATE,
    submission: Submission = Submission.DIRECT_SEND,
    word: Word = Word.NONE,
    helo: Iterable[str] | None = None,
    mail_from: Iterable[str] | None = None,
    reasons: Iterable[str] = ("spf-listed",),
    service: str | None = None,
    domain: str = "contoso.com",
    **more: Any,
) -> SenderSight:
    """A sender that wrote on these days, at eight o'clock UTC; since 50 days daily where nothing is said."""
    counts = dict(daily(50) if days is None else days)
    messages = sum(counts.values())
    sender = Sender(
        id=f"id-{key}",
        name=f"{key} ({address})",
        submission=submission,
        assessment=assessment,
        confidence=0.9,
        reasons=tuple(Reason(each, f"{each} holds.", 1.0) for each in reasons),
        networks=(f"{address}/32",),
        envelope_domains=(domain,),
        mail_from=tuple(mail_from or (f"{key}@{domain}",)),
        helo=tuple(helo or (f"{key}-mfp1",)),
        service=service,
        messages=messages,
        recipients=4,
        first_seen=at(min(counts)),
        last_seen=at(max(counts)),
        active_days=len(counts),
        authentication={},
        would_reject=messages,
        would_reject_unknown=0,
        recommendation="Give it a connector.",
        daily=counts,
    )
    places = more.pop("places", frozenset({(address, domain)}))
    return SenderSight(key, sender, word, places, **more)


def connector(name: str = "Offices", **more: Any) -> InboundConnector:
    """A Partner connector by address, enabled and restricted, changed half a year ago."""
    values: dict[str, Any] = {
        "kind": ConnectorKind.PARTNER,
        "enabled": True,
        "sender_domains": (SenderDomainPattern(CONTOSO),),
        "sender_networks": (ip_network("198.51.100.7/32"), ip_network("198.51.100.8/32")),
        "restrict_to_addresses": True,
        "changed_at": ago(180),
        "source": "AdminUI",
    }
    return InboundConnector(name, **{**values, **more})


def certified(name: str = "Relay", **more: Any) -> InboundConnector:
    """An OnPremises connector by certificate."""
    values: dict[str, Any] = {
        "kind": ConnectorKind.ON_PREMISES,
        "sender_domains": (SenderDomainPattern(None),),
        "sender_networks": (),
        "restrict_to_addresses": False,
        "require_tls": True,
        "tls_certificate_name": "relay.contoso.com",
    }
    return connector(name, **{**values, **more})


QUARANTINE_RULE = TransportRule(
    "Sidedoor: quarantine mail beside the filter", 0, enabled=True, mode="Enforce",
    settings={"HeaderContainsMessageHeader": "X-MS-Exchange-Organization-AuthAs", "Quarantine": True},
)  # fmt: skip
TAG_RULE = TransportRule(
    "Sidedoor: tag Direct Send", 1, enabled=True, mode="Enforce", settings={"SetHeaderName": "X-Sidedoor-Direct-Send"}
)
OTHER_RULE = TransportRule("Disclaimer", 2, enabled=True, mode="Enforce", settings={"ApplyHtmlDisclaimerText": "x"})


def settings(**more: Any) -> TenantSnapshot:
    """An open door, one domain, two connectors, an allowed network, three rules."""
    values: dict[str, Any] = {
        "accepted_domains": (AcceptedDomain(CONTOSO, DomainKind.AUTHORITATIVE, match_subdomains=False),),
        "inbound_connectors": (connector(), certified()),
        "reject_direct_send": False,
        "connection_filter": ConnectionFilter((ip_network("192.0.2.0/28"),)),
        "transport_rules": (QUARANTINE_RULE, TAG_RULE, OTHER_RULE),
        "name": "contoso.onmicrosoft.com",
    }
    return TenantSnapshot(**{**values, **more})


def records(**more: Any) -> DomainSight:
    """A domain behind a filter, with SPF and DMARC."""
    values: dict[str, Any] = {
        "mx": ("10 mx.filter.example",),
        "exchanger": MailExchanger.ELSEWHERE,
        "spf": "v=spf1 ip4:198.51.100.0/28 include:spf.protection.outlook.com -all",
        "spf_lookups": 2,
        "spf_troubles": (),
        "dmarc": "v=DMARC1; p=reject; rua=mailto:dmarc@contoso.com",
    }
    return DomainSight(**{**values, **more})


DEVICES = (
    seen("printer"),
    seen("monitor", address="203.0.113.22"),
    seen("erp", daily(49, 1, workdays=True), address="203.0.113.40"),
    seen("crm", address="192.0.2.77", service="include:_spf.crm.example"),
    seen("spoofer", daily(40, 33, each=2), address="45.10.20.30", assessment=Verdict.SPOOFING),
)


def sight(**more: Any) -> Sight:
    """What a run sees on an ordinary day."""
    values: dict[str, Any] = {
        "now": NOW,
        "window": (ago(89), NOW),
        "history_until": ago(hours=2),
        "senders": DEVICES,
        "snapshot": settings(),
        "domains": {"contoso.com": records()},
        "connector_addresses": {"Offices": {"198.51.100.7": ago(1), "198.51.100.8": ago(3)}},
        "certificates": (CertificateSight("Relay", ("relay.contoso.com",), ago(-200), "relay.contoso.com:25"),),
    }
    return Sight(**{**values, **more})


def with_senders(*senders: SenderSight, without: Iterable[str] = (), base: Sight | None = None) -> Sight:
    """The sight with these senders beside, or in place of, the others."""
    base = base or sight()
    keys = {each.key for each in senders} | set(without)
    return replace(base, senders=(*(each for each in base.senders if each.key not in keys), *senders))


def with_settings(base: Sight | None = None, **parts: Any) -> Sight:
    """The sight with other settings."""
    base = base or sight()
    return replace(base, snapshot=replace(base.snapshot, **parts))


def with_records(**parts: Any) -> Sight:
    """The sight with other records of contoso.com."""
    return sight(domains={"contoso.com": records(**parts)})


def baseline_of(base: Sight, days: float = 10) -> Baseline:
    """The baseline that a run so many days ago made of the same."""
    old = replace(base, now=base.now - timedelta(days=days))
    return replace(first(old), told=dict.fromkeys(first(base).told, base.now - timedelta(hours=6)))


def closed(base: Sight | None = None) -> Sight:
    """The sight with RejectDirectSend on."""
    return with_settings(base, reject_direct_send=True)


def migrated(days: float, *senders: SenderSight, **more: Any) -> Sight:
    """The door has been closed for so many days; the devices come by a connector since. `senders` stand beside them."""
    until = int(days) + 1
    moved = [
        replace(
            each,
            sender=replace(
                each.sender,
                last_seen=min(each.sender.last_seen, ago(days + 0.5)),
                daily={day: count for day, count in each.daily.items() if (TODAY - day).days >= until},
            ),
        )
        for each in DEVICES
    ]
    own = {each.key for each in senders}
    taken = {place[0]: ago(0.5) for each in DEVICES if each.key not in own for place in each.places}
    addresses = {"Offices": {"198.51.100.7": ago(1), "198.51.100.8": ago(1), **taken}}
    return with_senders(*senders, base=closed(sight(senders=tuple(moved), connector_addresses=addresses, **more)))


def shut(days: float = 10) -> Baseline:
    """A baseline of a door that has been closed for so many days."""
    return replace(baseline_of(closed()), closed_since=ago(days))


def found(findings: Iterable[Finding]) -> dict[tuple[str, str], str]:
    """(kind, subject) -> severity, for tables."""
    return {(each.kind, each.subject): each.severity.value for each in findings}


def counter() -> Callable[[], str]:
    """Ids in the order they are asked for."""
    numbers = iter(range(1, 1_000_000))
    return lambda: f"n{next(numbers):05d}"
