"""Addresses in header fields: From, To, Cc, Delivered-To (RFC 5322 section 3.4, RFC 6532), bounded in number.

The common forms are read directly; groups, comments and quoted names by the standard library.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from email.errors import HeaderParseError
from email.header import decode_header
from email.utils import getaddresses
from functools import lru_cache

from sidedoor.evidence.message.model import HeaderField, Mailbox, Sureness, Told
from sidedoor.mail.domain import Domain, DomainError, parse_domain
from sidedoor.mail.fact import Unknown

_MAX_VALUE = 65_536
MAX_MAILBOXES = 1_000
"""Addresses of one field that are read; Exchange Online allows 1,000 recipients a message."""
_MAX_DISPLAY, _MAX_ADDRESS = 500, 1_000
_MAX_COMMENTS = 100  # opened in one field
# `Name <a@b>` and `a@b`, with a name that needs no second thought.
_SIMPLE = re.compile(
    r'(?:(?:"(?P<quoted>[^"\\]{0,300})"|(?P<name>[^<>"(),;:\\@]{0,300}?))[ \t]*<(?P<angle>[^<>"(),;:\\\s]{1,1000})>'
    r'|(?P<bare>[^<>"(),;:\\\s]{1,1000}))'
)


def mailboxes_of(fields: Iterable[HeaderField], *names: str) -> Told[tuple[Mailbox, ...]]:
    """The addresses of every field of the given names (in lower case), of the first ten."""
    found = [field for field in fields if field.name.lower() in names]
    if not found:
        return Told(Unknown(f"there is no field {names[0].title()}"), Sureness.CLAIMED)
    mailboxes = tuple(mailbox for field in found[:10] for mailbox in parse_mailboxes(field.value))
    return Told(mailboxes, Sureness.CLAIMED, found[0].name, found[0].line)


def parse_mailboxes(value: str) -> tuple[Mailbox, ...]:
    """The addresses of one unfolded field, groups taken apart, encoded words decoded; empty for an empty group."""
    bare = value[:_MAX_VALUE].strip()
    if match := _SIMPLE.fullmatch(bare):
        return (_mailbox(match["quoted"] or match["name"] or "", match["angle"] or match["bare"]),)
    if "@" not in bare and not bare.endswith(";"):  # no address at all: shown as it stands
        return (Mailbox("", bare[:_MAX_ADDRESS], None),) if bare else ()
    pairs = _pairs(bare) if bare.count("(") <= _MAX_COMMENTS else [("", bare[:_MAX_ADDRESS])]
    return tuple(_mailbox(name, address) for name, address in pairs[:MAX_MAILBOXES] if address)


def _pairs(text: str) -> list[tuple[str, str]]:
    """(display name, address) by the standard library, which takes nested comments one call deeper each."""
    try:
        return getaddresses([text], strict=False)
    except TypeError:  # before the `strict` of Python 3.11.10 and 3.12.6
        return getaddresses([text])
    except (ValueError, IndexError):
        return []


def _mailbox(name: str, address: str) -> Mailbox:
    return Mailbox(decoded(name.strip()), address.strip(), domain_of(address))


@lru_cache(maxsize=4_096)
def domain_of(address: str) -> Domain | None:
    """The domain behind the last @; None where there is none."""
    _, at, domain = address.strip().strip("<>").rpartition("@")
    try:
        return parse_domain(domain) if at else None
    except DomainError:
        return None


def decoded(text: str) -> str:
    """Encoded words (RFC 2047) as text; as written where they cannot be decoded."""
    if "=?" not in text:
        return text[:_MAX_DISPLAY]
    try:
        parts = decode_header(text[:_MAX_VALUE])
        shown = "".join(
            part if isinstance(part, str) else part.decode(charset or "ascii", errors="replace")
            for part, charset in parts
        )
    except (HeaderParseError, LookupError, ValueError):
        shown = text
    return "".join(letter if letter.isprintable() else " " for letter in shown)[:_MAX_DISPLAY]
