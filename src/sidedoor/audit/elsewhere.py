"""What other receivers' DMARC reports say of a sender: further evidence of who sends in the organisation's name.

Never proof of Direct Send: the messages counted went to others (RFC 7489 section 7.2), and a report is a stranger's
word.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sidedoor.audit.model import ReportedSource, Sender
from sidedoor.catalogue.catalogue import Catalogue
from sidedoor.catalogue.match import Traits
from sidedoor.mail.domain import Domain, DomainError, parse_domain
from sidedoor.mail.network import IPAddress, IPNetwork

MOST_LISTED = 100
_FEW = 4096  # addresses of one network that are compared one by one


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
    @property
    def signers(self) -> Mapping[str, int]: ...
    @property
    def source_ip(self) -> str: ...


class Reported(Protocol):
    """Reports, asked by address as text in its usual form, or listed by source, the most messages first."""

    def of(self, ip: str) -> ReportedUse | None: ...
    def sources(self) -> Iterable[ReportedUse]: ...


class NoReports:
    """For those who have none."""

    def of(self, ip: str) -> None:
        """Nothing is known of any address."""

    def sources(self) -> tuple[ReportedUse, ...]:
        """No source is known."""
        return ()


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


def reported_sources(
    reported: Reported, senders: Sequence[Sender], accepted: AbstractSet[Domain], catalogue: Catalogue
) -> tuple[tuple[ReportedSource, ...], int]:
    """The sources that send in the name of an accepted domain, the first `MOST_LISTED`, and the messages of all."""
    known = {address: sender.id for sender in reversed(senders) for address in _addresses(sender)}
    own = [use for use in reported.sources() if in_own_name(use, accepted)]
    listed = tuple(_source(use, known.get(use.source_ip), catalogue) for use in own[:MOST_LISTED])
    return listed, sum(use.messages for use in own)


def _addresses(sender: Sender) -> list[str]:
    """The addresses of a sender that stand alone in its networks; larger ones were joined of such."""
    return [str(address) for text in sender.networks for address in _few(ipaddress.ip_network(text))]


def _few(network: IPNetwork) -> Iterable[IPAddress]:
    return network if network.num_addresses <= _FEW else ()


def _source(use: ReportedUse, sender: str | None, catalogue: Catalogue) -> ReportedSource:
    matches = catalogue.match(Traits(dkim_domains=tuple(use.signers)))
    return ReportedSource(
        use.source_ip, matches[0].entry.name if matches else None, sender, use.messages, use.passed, use.failed,
        use.reporters, use.first, use.last, tuple(use.header_from), tuple(use.signers),
    )  # fmt: skip
