"""What the edge looks at in a message: the size of its header, loops, and the header From. No parsing of bodies."""

from __future__ import annotations

import re
from email.utils import getaddresses
from functools import lru_cache
from typing import NamedTuple

from sidedoor.mail.reply import Reply

_MOST_HEADER = 256 * 1024  # MaxHeaderSize of Exchange's receive connectors
_MOST_HOPS = 100  # RFC 5321 section 6.3 asks for a threshold of at least 100
_MOST_FROM = 8_192
HEADER_TOO_BIG = Reply(552, "5.3.4", "Header size exceeds fixed maximum size")
LOOP = Reply(554, "5.4.6", "Hop count exceeded - possible mail loop")
_FROM = re.compile(rb"(?:\r\n)?From[ \t]*:((?:[^\r\n]|\r\n[ \t])*)", re.IGNORECASE)
_FOLD = re.compile(r"\r\n(?=[ \t])")


class Looked(NamedTuple):
    """`refusal` None where the message may pass; header_from: see `Transaction`."""

    refusal: Reply | None
    header_from: str | None = None


def look(content: bytes) -> Looked:
    """Read the header of a message with CRLF line ends. Linear in a bounded header."""
    end = content.find(b"\r\n\r\n", 0, _MOST_HEADER + 4)
    if end < 0 and len(content) > _MOST_HEADER:
        return Looked(HEADER_TOO_BIG)
    header = content[:end] if end >= 0 else content
    lower = header.lower()
    if lower.count(b"\r\nreceived:") + lower.startswith(b"received:") > _MOST_HOPS:
        return Looked(LOOP)
    return Looked(None, _header_from(header, lower))


def _header_from(header: bytes, lower: bytes) -> str | None:
    """The address of the first From field. `find` is much faster than a pattern that begins anywhere."""
    at = 0 if lower.startswith(b"from") else lower.find(b"\r\nfrom")
    while at >= 0:
        if match := _FROM.match(header, at):
            return _address(match[1][:_MOST_FROM])
        at = lower.find(b"\r\nfrom", at + 1)
    return None


@lru_cache(maxsize=1_024)
def _address(value: bytes) -> str | None:
    """The first addr-spec of a From field, as written but for its case; None where there is none."""
    text = _FOLD.sub("", value.decode("utf-8", errors="replace"))
    try:
        found = [address for _, address in getaddresses([text]) if "@" in address]
    except (ValueError, IndexError, RecursionError):  # email.utils on words that are no address at all
        return None
    return found[0].lower() if found else None
