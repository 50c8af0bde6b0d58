"""What the tests of the store are made of: values by hand, and the two databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from sidedoor.store.model import (
    Alert,
    Delivery,
    DeliveryState,
    EdgeCount,
    EdgeLine,
    Finding,
    HeldMessage,
    KnownSender,
    Occasion,
    Severity,
)

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 28, 6, 0, 0, 123456, tzinfo=UTC)
DOMAIN = "contoso.com"
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def finding(subject: str = "key-1", severity: Severity = Severity.WARNING, **changes: Any) -> Finding:
    """A new sender."""
    plain = Finding(
        kind="new-sender",
        subject=subject,
        severity=severity,
        title="A new sender sends directly",
        text=f"{subject} sent 3 messages",
        advice="Say whether it is honest.",
        source="history",
        evidence=(("address", "192.0.2.7"), ("helo", "scanner")),
        since=NOW - DAY,
    )
    return replace(plain, **changes)


def alert(number: int = 1, at: datetime = NOW, severity: Severity = Severity.WARNING, **changes: Any) -> Alert:
    """An alert about a new sender, open."""
    return replace(Alert(f"alert-{number}", finding(f"key-{number}", severity), at, at), **changes)


def delivery(of: Alert, channel: str = "mail", occasion: Occasion = Occasion.RAISED, **changes: Any) -> Delivery:
    """A message about it, due at once."""
    plain = Delivery(f"{of.id}-{occasion}-{channel}", of.id, occasion, channel, DeliveryState.DUE, of.raised_at)
    return replace(plain, **changes)


def known(number: int = 1, **changes: Any) -> KnownSender:
    """A sender that was seen at two places."""
    places = frozenset({(f"192.0.2.{number % 250}", DOMAIN), ("", "<>")})
    plain = KnownSender(
        f"key-{number}", f"id-{number}", "Scanner", "legitimate", places, NOW - DAY, NOW, number, accepted=False
    )
    return replace(plain, **changes)


def held(number: int = 1, at: datetime = NOW, **changes: Any) -> HeldMessage:
    """A message that an edge holds back."""
    content = f"Subject: {number}\r\n\r\nbody\r\n".encode()
    plain = HeldMessage(
        f"m-{number}", at, "scan@contoso.com", ("desk@contoso.com",), len(content), "transport rule Hold", "edge-1",
        content=content,
    )  # fmt: skip
    return replace(plain, **changes)


def line(seq: int, edge: str = "edge-1", at: datetime = NOW, **body: Any) -> EdgeLine:
    """A line of an edge's log."""
    return EdgeLine(edge, seq, at, {"outcome": "kept", **body})


def counted(count: int, edge: str = "edge-1", day: date | None = None, outcome: str = "kept") -> EdgeCount:
    """What an edge counted in a day."""
    return EdgeCount(edge, day or NOW.date(), outcome, "internet", count)
