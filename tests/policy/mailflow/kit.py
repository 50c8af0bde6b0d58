"""Rules as an export has them, and messages, for the tests of transport rules."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sidedoor.mail.address import NULL_REVERSE_PATH, EnvelopeSender, parse_address
from sidedoor.mail.domain import Domain
from sidedoor.mail.fact import Fact
from sidedoor.mail.network import parse_ip
from sidedoor.policy.mailflow.header import HeaderField
from sidedoor.policy.mailflow.result import MailFlow
from sidedoor.policy.mailflow.rules import RuleSet, compile_rules
from sidedoor.policy.mailflow.switches import FromScopeReading
from sidedoor.policy.mailflow.view import MessageView
from sidedoor.tenant.snapshot import AcceptedDomain, DomainKind, TransportRule

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ACCEPTED: tuple[AcceptedDomain, ...] = (
    AcceptedDomain(Domain("contoso.com"), DomainKind.AUTHORITATIVE, match_subdomains=False),
    AcceptedDomain(Domain("group.example"), DomainKind.INTERNAL_RELAY, match_subdomains=True),
)


def rule(name: str = "R", priority: int = 0, mode: str = "Enforce", /, **settings: Any) -> TransportRule:
    """A rule whose settings are complete as they stand."""
    return TransportRule(name, priority, True, mode, settings)


def rules(
    *rows: TransportRule,
    accepted: Fact[tuple[AcceptedDomain, ...]] = ACCEPTED,
    from_scope: FromScopeReading = FromScopeReading.OPEN,
) -> RuleSet:
    """Compiled rules of the tenant contoso.com."""
    return compile_rules(rows, accepted, from_scope)


def header(**values: str) -> tuple[HeaderField, ...]:
    """Fields from keywords: `X_Mailer="x"` is X-Mailer."""
    return tuple(HeaderField(name.replace("_", "-"), value) for name, value in values.items())


def sender(text: str) -> EnvelopeSender:
    """An envelope sender; "" is the null reverse-path."""
    return parse_address(text) if text else NULL_REVERSE_PATH


def message(header_from: str = "app@contoso.com", **changes: Any) -> MessageView:
    """An anonymous message in an own domain from 203.0.113.10 to an own recipient: Direct Send."""
    facts: dict[str, Any] = {
        "envelope_sender": sender("app@contoso.com"),
        "recipient": parse_address("ann@contoso.com"),
        "client_ip": parse_ip("203.0.113.10"),
        "authenticated": False,
        "fields": header(From=header_from, To="Ann <ann@contoso.com>", Subject="Scan from the printer"),
        "size": 2_048,
    }
    return MessageView(**{**facts, **changes})


def run(view: MessageView, *rows: TransportRule, now: datetime = NOW) -> MailFlow:
    """What the rules do with the message."""
    return rules(*rows).apply(view, now)
