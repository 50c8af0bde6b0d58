"""DNS as the rest of Sidedoor sees it: one question, one of four answers.

A name that does not exist, a name without such records, and a question that got no answer are three different things.
A time-out is never "no record".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

from sidedoor.mail.domain import Domain


class Kind(StrEnum):
    """Record types that mail asks for."""

    A = "A"  # IPv4 address
    AAAA = "AAAA"  # IPv6 address
    MX = "MX"  # mail exchanger: "10 mail.example", "0 ." for the null MX
    TXT = "TXT"  # text: SPF and DMARC records
    PTR = "PTR"  # name of an address
    CNAME = "CNAME"  # alias; every other kind follows aliases by itself


@dataclass(frozen=True, slots=True)
class Records:
    """At least one record.

    `values`: addresses as text; names in lower case without trailing dot; MX as "preference host"; TXT with its
    strings joined without a space (RFC 7208 section 3.3), one character per octet (ISO 8859-1).
    """

    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NoSuchName:
    """NXDOMAIN: the name does not exist, with any record type."""


@dataclass(frozen=True, slots=True)
class NoData:
    """The name exists and has no record of this kind."""


@dataclass(frozen=True, slots=True)
class Failure:
    """No answer could be had.

    `reason` is a short phrase. `temporary`: a later try may succeed (RFC 7208 section 2.6.6); where it is False nobody
    was asked, or nobody can answer: the fact is unknown.
    """

    reason: str
    temporary: bool


Answer = Records | NoSuchName | NoData | Failure
Query = tuple[str, Kind]


class Resolver(Protocol):
    """Answers one question, aliases followed. Raises nothing: trouble is a Failure."""

    def lookup(self, name: Domain | str, kind: Kind) -> Answer: ...


@runtime_checkable
class Prefetching(Protocol):
    """A resolver for which many questions at once are much faster than one after the other."""

    def prefetch(self, queries: Iterable[Query]) -> None: ...


def prefetch(resolver: Resolver, queries: Iterable[Query]) -> bool:
    """Tell a resolver what will be asked; False where it makes no difference to it."""
    if isinstance(resolver, Prefetching):
        resolver.prefetch(queries)
        return True
    return False


class Offline:
    """Asks nobody and says so."""

    def lookup(self, name: Domain | str, kind: Kind) -> Answer:
        """Always a Failure that is not temporary."""
        return Failure(f"offline: {kind} of {fold(name)} was not asked for", temporary=False)


def fold(name: Domain | str) -> str:
    """The form names are compared in: lower case, no trailing dot (RFC 4343)."""
    return str(name).lower().removesuffix(".")


_MAX_LABEL, _MAX_NAME = 63, 253  # RFC 1035 section 2.3.4, as text


def askable(name: str) -> bool:
    """Whether DNS can carry the name: no empty label, no over-long one, nothing beyond ASCII."""
    return name.isascii() and len(name) <= _MAX_NAME and all(0 < len(label) <= _MAX_LABEL for label in name.split("."))
