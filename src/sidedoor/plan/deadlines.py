"""Dates of Microsoft's that a choice has to reckon with: a table, and which of them touch a plan."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from sidedoor.plan.model import Deadline, Method

DEADLINES: tuple[Deadline, ...] = (
    Deadline(
        "smtp-auth-basic-default-off", date(2026, 12, 31),
        "SMTP AUTH with user name and password is switched off by default at the end of December 2026; an "
        "administrator can switch it on again until its removal, whose date is to be announced in the second half of "
        "2027. OAuth is not touched.",
        "Exchange Team blog, 27 January 2026 (documented)",
        (Method.SMTP_AUTH_OAUTH,),
    ),
    Deadline(
        "hve-basic-ends", date(2028, 9, 30),
        "High Volume Email takes user name and password until September 2028; OAuth after that.",
        "Message Center MC1243552 (reported)",
        (Method.HVE,),
    ),
    Deadline(
        "hve-is-billed", date(2026, 6, 1),
        "High Volume Email is billed since 1 June 2026 (42 US dollars for a million recipients).",
        "Message Center MC1243552 (reported)",
        (Method.HVE,),
    ),
)  # fmt: skip


def for_methods(methods: Iterable[Method]) -> tuple[Deadline, ...]:
    """The dates that touch any of these methods, in the order of the table."""
    wanted = set(methods)
    return tuple(deadline for deadline in DEADLINES if wanted & set(deadline.methods))
