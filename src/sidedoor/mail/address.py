"""Mail addresses and the envelope sender (5321.MailFrom), which may be the null reverse-path `<>`.

Grammar: RFC 5321 section 4.1.2 (Mailbox, Dot-string, Quoted-string), with RFC 6531's UTF-8 atoms.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sidedoor.mail.domain import Domain, DomainError, parse_domain

# RFC 5321 section 4.5.3.1.1 allows 64 octets; real bounce addresses (VERP, BATV, SRS) are longer and Exchange
# Online delivers them, so the limit is that of the path (section 4.5.3.1.3) with room for SRS.
_MAX_LOCAL = 256
# RFC 6531 section 3.3: UTF8-non-ascii. Lone surrogates are no UTF-8.
_NON_ASCII = r"\u0080-\ud7ff\ue000-\U0010ffff"
_ATEXT = rf"[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~{_NON_ASCII}-]+"
_DOT_STRING = re.compile(rf"{_ATEXT}(\.{_ATEXT})*")
# qtextSMTP: %d32-33 / %d35-91 / %d93-126, or a backslash pair; RFC 6531 adds UTF8-non-ascii.
_QUOTED = re.compile(rf'"(?:[ !#-\[\]-~{_NON_ASCII}]|\\[ -~])*"')


class AddressError(ValueError):
    """The text is no mail address; the message says why."""


@dataclass(frozen=True, slots=True)
class Address:
    """`local` as written (a quoted local part keeps its quotes), `domain` in comparable form."""

    local: str
    domain: Domain

    def __str__(self) -> str:
        return f"{self.local}@{self.domain.ascii}"

    @property
    def folded(self) -> str:
        """The form Exchange compares: local parts without regard to case, and without quotes that are not needed.

        RFC 5321 section 4.1.2: `"joe"` and `joe` are the same local part.
        """
        quoted = self.local.startswith('"') and _DOT_STRING.fullmatch(self.local[1:-1])
        local = self.local[1:-1] if quoted else self.local
        return f"{local.lower()}@{self.domain.ascii}"


@dataclass(frozen=True, slots=True)
class NullReversePath:
    """`MAIL FROM:<>`: bounces, out-of-office replies, journal reports. It has no domain (RFC 5321 section 4.5.5)."""

    def __str__(self) -> str:
        return "<>"


NULL_REVERSE_PATH = NullReversePath()
EnvelopeSender = Address | NullReversePath


def parse_address(text: str) -> Address:
    """Parse `local@domain`, with or without angle brackets.

    Raises AddressError where there is no `@`, the local part is malformed, or the domain is none.
    """
    bare = text.strip()
    if bare.startswith("<") and bare.endswith(">"):
        bare = bare[1:-1].strip()
    local, at, domain = bare.rpartition("@")
    if not at:
        raise AddressError(f"{bare[:80]!r} has no @")
    if len(local) > _MAX_LOCAL or not (_DOT_STRING.fullmatch(local) or _QUOTED.fullmatch(local)):
        raise AddressError(f"{local[:80]!r} is no local part")
    try:
        return Address(local, parse_domain(domain))
    except DomainError as error:
        raise AddressError(f"{bare[:80]!r}: {error}") from error


def parse_envelope_sender(text: str) -> EnvelopeSender:
    """Parse a reverse-path: an address, or `<>` (an empty string is `<>` too, as hunting exports write it)."""
    bare = text.strip()
    return NULL_REVERSE_PATH if bare in {"", "<>"} else parse_address(bare)
