"""What other receivers' DMARC reports say of a sender: further evidence of who sends in the organisation's name.

Never proof of Direct Send: the messages counted went to others (RFC 7489 section 7.2), and a report is a stranger's
word.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sidedoor.mail.domain import Domain, DomainError, parse_domain
from sidedoor.mail.network import IPAddress


class ReportedUse(Protocol):
    """What reporters saw of one source address (`evidence.dmarc_reports`)."""

    @property
    def messages(self) -> int: ...
    @property
    def passed(self) -> int: ...
    @property
    def failed(self) -> int: ...
    @property
    def reporters(self) -> tuple[str, ...]: ...
    @property
    def first(self) -> datetime | None: ...
    @property
    def last(self) -> datetime | None: ...
    @property
    def header_from(self) -> Mapping[str, int]: ...


class Reported(Protocol):
    """Reports, asked by address as text in its usual form."""

    def of(self, ip: str) -> ReportedUse | None: ...


class NoReports:
    """For those who have none."""

    def of(self, ip: str) -> None:
        """Nothing is known of any address."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What reports say of all addresses of a sender. Counts are messages; `passed` and `failed` by DMARC's result."""

    messages: int
    passed: int
    failed: int
    reporters: tuple[str, ...]


def elsewhere(addresses: Iterable[IPAddress], reported: Reported, accepted: AbstractSet[Domain]) -> Elsewhere | None:
    """The sum over `addresses` that some report saw in the name of an accepted domain; None where none did."""
    uses = [use for use in (reported.of(str(address)) for address in addresses) if use and in_own_name(use, accepted)]
    if not uses:
        return None
    return Elsewhere(
        sum(use.messages for use in uses),
        sum(use.passed for use in uses),
        sum(use.failed for use in uses),
        tuple(sorted({name for use in uses for name in use.reporters})),
    )


def in_own_name(use: ReportedUse, accepted: AbstractSet[Domain]) -> bool:
    """Whether the header From of any of the messages is at or under an accepted domain."""
    return any(_own(name, accepted) for name in use.header_from)


def _own(name: str, accepted: AbstractSet[Domain]) -> bool:
    try:
        domain = parse_domain(name)
    except DomainError:
        return False
    return any(domain.is_at_or_under(each) for each in accepted)
