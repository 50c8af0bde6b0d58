"""What an SPF record can say: mechanisms and modifiers as values (RFC 7208 sections 4.6, 5 and 6)."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import TypeAlias

from sidedoor.mailauth.spf.macro import DomainSpec


class SpfResult(StrEnum):
    """The results of check_host (RFC 7208 section 2.6), and one of our own."""

    PASS = "pass"  # the address may use the domain  # noqa: S105
    FAIL = "fail"  # the address may not
    SOFTFAIL = "softfail"  # probably not
    NEUTRAL = "neutral"  # the domain says nothing either way
    NONE = "none"  # no record is published, or there is no domain to ask
    PERMERROR = "permerror"  # the record cannot be understood; somebody must repair it
    TEMPERROR = "temperror"  # DNS gave no answer; a later try may succeed
    UNDETERMINED = "undetermined"  # ours: the result hangs on the message, or on DNS that nobody could ask


class Qualifier(Enum):
    """What a mechanism that matches results in (RFC 7208 section 4.6.2)."""

    PASS = "+"  # also where no qualifier is written  # noqa: S105
    FAIL = "-"  # not authorised
    SOFTFAIL = "~"  # between fail and neutral
    NEUTRAL = "?"  # as if nothing were said

    @property
    def result(self) -> SpfResult:
        """The result of a match."""
        return SpfResult[self.name]

    def __str__(self) -> str:
        return "" if self is Qualifier.PASS else self.value


@dataclass(frozen=True, slots=True)
class All:
    """`all`: matches everything (section 5.1)."""

    qualifier: Qualifier

    def __str__(self) -> str:
        return f"{self.qualifier}all"


@dataclass(frozen=True, slots=True)
class Include:
    """`include:domain`: matches where that domain's record passes (section 5.2)."""

    qualifier: Qualifier
    target: DomainSpec

    def __str__(self) -> str:
        return f"{self.qualifier}include:{self.target}"


@dataclass(frozen=True, slots=True)
class Host:
    """`a` or `mx`, by `name`: addresses of the domain, or of its mail exchangers (sections 5.3 and 5.4)."""

    name: str
    qualifier: Qualifier
    target: DomainSpec | None = None
    prefix4: int = 32
    prefix6: int = 128

    def __str__(self) -> str:
        domain = f":{self.target}" if self.target else ""
        prefix4 = f"/{self.prefix4}" if self.prefix4 != 32 else ""
        prefix6 = f"//{self.prefix6}" if self.prefix6 != 128 else ""
        return f"{self.qualifier}{self.name}{domain}{prefix4}{prefix6}"


@dataclass(frozen=True, slots=True)
class Network:
    """`ip4` or `ip6`: a network as it stands (section 5.6)."""

    qualifier: Qualifier
    network: ipaddress.IPv4Network | ipaddress.IPv6Network

    def __str__(self) -> str:
        whole = self.network.prefixlen == self.network.max_prefixlen
        text = self.network.network_address if whole else self.network
        return f"{self.qualifier}ip{self.network.version}:{text}"


@dataclass(frozen=True, slots=True)
class Ptr:
    """`ptr`: matches by the address's reverse name; discouraged (section 5.5)."""

    qualifier: Qualifier
    target: DomainSpec | None = None

    def __str__(self) -> str:
        return f"{self.qualifier}ptr" + (f":{self.target}" if self.target else "")


@dataclass(frozen=True, slots=True)
class Exists:
    """`exists:domain`: matches where the name has an A record, mostly one made of macros (section 5.7)."""

    qualifier: Qualifier
    target: DomainSpec

    def __str__(self) -> str:
        return f"{self.qualifier}exists:{self.target}"


@dataclass(frozen=True, slots=True)
class Redirect:
    """`redirect=domain`: that domain's record instead, where no mechanism matched (section 6.1)."""

    target: DomainSpec

    def __str__(self) -> str:
        return f"redirect={self.target}"


@dataclass(frozen=True, slots=True)
class OtherModifier:
    """`exp=` (section 6.2; it explains, it does not decide) and modifiers nobody knows, ignored (section 6)."""

    name: str
    value: str

    def __str__(self) -> str:
        return f"{self.name}={self.value}"


Mechanism: TypeAlias = All | Include | Host | Network | Ptr | Exists
Term: TypeAlias = Mechanism | Redirect | OtherModifier


@dataclass(frozen=True, slots=True)
class Record:
    """One record: its terms in order; `str()` writes it in normal form."""

    terms: tuple[Term, ...]

    def __str__(self) -> str:
        return " ".join(("v=spf1", *map(str, self.terms)))

    @property
    def mechanisms(self) -> tuple[Mechanism, ...]:
        """The terms that are evaluated from left to right."""
        return tuple(term for term in self.terms if not isinstance(term, Redirect | OtherModifier))

    @property
    def redirect(self) -> Redirect | None:
        """The redirect that counts: none where an `all` stands anywhere in the record (section 6.1)."""
        if any(isinstance(term, All) for term in self.terms):
            return None
        return next((term for term in self.terms if isinstance(term, Redirect)), None)
