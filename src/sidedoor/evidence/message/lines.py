"""What a Received line by itself says of its writer. Anybody can write one: see `boundary` for whom to believe."""

from __future__ import annotations

import re
from functools import lru_cache

from sidedoor.mail.received import Received, ReceivedError, parse_received

# Worldwide, GCC High and DoD, Germany (closed), 21Vianet in China.
_SERVICE = re.compile(
    r"(?:.+\.)?(?:outlook\.com|office365\.com|office365\.us|outlook\.us|outlook\.de|outlook\.cn|partner\.outlook\.cn"
    r"|mx\.microsoft)",
    re.IGNORECASE,
)
_FRONT_DOOR = re.compile(
    r"[^.]+\.mail\.protection\.(?:outlook\.com|office365\.us|outlook\.us|outlook\.de|partner\.outlook\.cn|outlook\.cn)",
    re.IGNORECASE,
)
SMTP = "microsoft smtp server"
"""The protocol of Exchange's lines where a client spoke SMTP, in lower case; `mapi` and `https` are mailboxes."""
_PROTOCOLS = frozenset({SMTP, "mapi", "https"})


@lru_cache(maxsize=2_048)
def reading_of(text: str) -> tuple[Received, str]:
    """(the parts of a Received line, what is wrong with it)."""
    try:
        return parse_received(text), ""
    except ReceivedError as error:
        return Received(), str(error)


def of_service(host: str | None) -> bool:
    """Whether a name is one of Exchange Online's hosts."""
    return bool(host and _SERVICE.fullmatch(host))


def by_service(line: Received) -> bool:
    """Whether a line says that a server of Exchange Online wrote it."""
    return of_service(line.by) and (line.protocol or "").lower() in _PROTOCOLS


def is_entry(line: Received) -> bool:
    """Whether a line says that a public front door of Exchange Online wrote it."""
    return by_service(line) and bool(line.by and _FRONT_DOOR.fullmatch(line.by))
