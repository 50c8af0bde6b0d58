"""The words and figures all reports share: labels of the closed enums, dates, counts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from types import MappingProxyType

from sidedoor.audit.model import Sender, Verdict
from sidedoor.policy.decision import Submission

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

ASSESSMENT: Mapping[Verdict, str] = MappingProxyType(
    {Verdict.LEGITIMATE: "Legitimate", Verdict.SPOOFING: "Spoofing", Verdict.UNCLEAR: "Unclear"}
)

SUBMISSION: Mapping[Submission, tuple[str, str]] = MappingProxyType(
    {
        Submission.DIRECT_SEND: (
            "Direct Send",
            "No login, recognised by no connector, and an envelope sender in one of your own domains.",
        ),
        Submission.SENT_DIRECTLY: (
            "Sent directly",
            "A foreign envelope sender, handed straight to Exchange Online although your MX record leads elsewhere.",
        ),
        Submission.INTERNET: (
            "Internet",
            "Ordinary mail from outside: a foreign envelope sender, by the way your MX record names.",
        ),
        Submission.PARTNER_CONNECTOR: (
            "Partner connector",
            "Recognised by address or certificate as a partner's server.",
        ),
        Submission.ONPREMISES_CONNECTOR: ("OnPremises connector", "Recognised as one of your own servers."),
        Submission.AUTHENTICATED: ("Logged in", "A user or an application logged in; also mail between mailboxes."),
        Submission.OUTBOUND: ("Outbound", "Left the organisation."),
        Submission.UNDETERMINED: ("Undetermined", "The facts at hand allow more than one of these."),
    }
)
"""Submission -> (label, what it means in a sentence)."""


def count(number: int, singular: str, plural: str | None = None) -> str:
    """`1 message`, `1,234 messages`."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def utc(moment: datetime) -> datetime:
    """The moment in UTC; one without a zone is UTC already, as everywhere in the audit."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def iso(moment: datetime) -> str:
    """RFC 3339 in UTC, whole seconds: `2026-11-03T09:15:00Z`."""
    return utc(moment).isoformat(timespec="seconds").replace("+00:00", "Z")


def day(moment: date | datetime) -> str:
    """`3 Nov 2026` (UTC)."""
    at = utc(moment) if isinstance(moment, datetime) else moment
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year}"


def minute(moment: datetime) -> str:
    """`3 Nov 2026, 09:15 UTC`."""
    at = utc(moment)
    return f"{day(at)}, {at.hour:02}:{at.minute:02} UTC"


def span(first: datetime, last: datetime) -> str:
    """`3 Nov 2026, 09:15 to 10:40 UTC`, or with both days where they differ."""
    start, end = minute(first).removesuffix(" UTC"), minute(last)
    if day(first) == day(last):
        end = end.removeprefix(f"{day(last)}, ")
    return minute(first) if start == minute(last).removesuffix(" UTC") else f"{start} to {end}"


def confidence(value: float) -> str:
    """High, medium or low, with the figure."""
    word = "high" if value >= 0.85 else "medium" if value >= 0.6 else "low"
    return f"{word} confidence ({value:.0%})"


def refusal(sender: Sender) -> str:
    """What RejectDirectSend would do to this sender's mail, in a sentence or two."""
    parts = []
    if sender.would_reject and sender.would_reject == sender.messages:
        parts.append("It would be refused." if sender.messages == 1 else f"All {sender.messages:,} would be refused.")
    elif sender.would_reject:
        parts.append(f"{sender.would_reject:,} of {sender.messages:,} would be refused.")
    elif not sender.would_reject_unknown:
        parts.append("RejectDirectSend would refuse none of it.")
    if sender.would_reject_unknown:
        parts.append(f"For {sender.would_reject_unknown:,} it cannot be told.")
    return " ".join(parts)


def refused_word(sender: Sender) -> str:
    """yes, no or unknown, with the count where there is one."""
    if sender.would_reject:
        return f"{sender.would_reject:,}"
    return "cannot be told" if sender.would_reject_unknown else "none"


def leading_reason(sender: Sender) -> str:
    """The text of the reason that weighs most for the assessment; the recommendation where there is none."""
    sign = {Verdict.LEGITIMATE: 1.0, Verdict.SPOOFING: -1.0}.get(sender.assessment)
    best = max(
        sender.reasons,
        key=lambda reason: abs(reason.weight) if sign is None else sign * reason.weight,
        default=None,
    )
    return sender.recommendation if best is None else best.text
