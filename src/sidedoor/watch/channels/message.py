"""What a message about an alert says, before any channel dresses it. Pure.

Everything a finding holds may have come from outside (a HELO name, an envelope sender), its title included.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sidedoor.report.text import shorten
from sidedoor.store.model import Alert, Occasion, Severity

_TITLE, _TEXT, _NAME, _VALUE = 200, 2_000, 60, 500
_MOST_EVIDENCE = 30
_HEAD = {Occasion.RAISED: "new", Occasion.WORSENED: "worse", Occasion.RECOVERED: "over"}
SEVERITY_WORDS = {
    Severity.INFO: "Info", Severity.WARNING: "Warning", Severity.SERIOUS: "Serious", Severity.CRITICAL: "Critical",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Message:
    """One line each, cleaned of what moves the cursor or hides, and bounded. `at`: when the occasion was."""

    title: str
    text: str
    advice: str
    evidence: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    at: datetime


def message_of(alert: Alert, occasion: Occasion, tenant: str, delivery_id: str, *, repeat: bool) -> Message:
    """The same arguments give the same message: no clock is read."""
    finding = alert.finding
    evidence = [(shorten(name, _NAME), shorten(value, _VALUE)) for name, value in finding.evidence[:_MOST_EVIDENCE]]
    if left := len(finding.evidence) - _MOST_EVIDENCE:
        evidence += [("more", f"{left} left out")] if left > 0 else []
    at = when(alert, occasion)
    over = occasion is Occasion.RECOVERED
    head = f"Sidedoor {shorten(tenant, _NAME)}: {SEVERITY_WORDS[finding.severity]}, {_HEAD[occasion]}"
    return Message(
        f"{head}: {shorten(finding.title, _TITLE)}",
        shorten(finding.text, _TEXT),
        "It is over; nothing needs to be done about it now." if over else shorten(finding.advice, _TEXT),
        tuple(evidence),
        tuple(_notes(alert, at, delivery_id, repeat=repeat)),
        at,
    )


def when(alert: Alert, occasion: Occasion) -> datetime:
    """The time of the occasion, UTC."""
    times = {
        Occasion.RAISED: alert.raised_at,
        Occasion.WORSENED: alert.seen_at,
        Occasion.RECOVERED: alert.recovered_at or alert.seen_at,
    }
    return times[occasion].astimezone(UTC)


def minute(at: datetime) -> str:
    """A time for people."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _notes(alert: Alert, at: datetime, delivery_id: str, *, repeat: bool) -> list[str]:
    finding = alert.finding
    since = f"; it began {minute(finding.since)}" if finding.since else ""
    notes = [f"{minute(at)}{since}. Kind {finding.kind}, alert {alert.id}, message {delivery_id}."]
    if repeat:
        notes.append("This message may have reached you before: the same message number is the same message.")
    return notes
