"""Which Received line Exchange Online wrote when it took the message for the recipient's tenant.

Trace fields are put on top (RFC 5321 section 4.4), so a sender's forgeries can only stand below the line that took his
message. Walking down from the newest line, each line of Exchange Online either took the message from outside, which
ends the walk, or was handed it by another of its servers, whose own line must come next. The walk ends at the first of:

- a line by a public front door, `*.mail.protection.outlook.com`: what is below was there before, whatever it claims,
  a HELO that sounds like Microsoft included;
- a line taken from a public IPv4 address, or from a host that is none of Microsoft's;
- a line whose sender's name is not the name under which the next line was written.

A message that another tenant passed on has further runs of such lines below; they are the other tenant's.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

from sidedoor.evidence.message.model import HeaderField, Hop, HopTrust
from sidedoor.mail.fact import Fact, Unknown
from sidedoor.mail.received import Received, ReceivedError, parse_received

MAX_HOPS = 200
"""Received lines that are read; a loop is stopped by Exchange Online at far fewer."""
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
_PROTOCOLS = frozenset({"microsoft smtp server", "mapi", "https"})


def read_hops(fields: Sequence[HeaderField]) -> tuple[tuple[Hop, ...], int, Fact[int], tuple[int, ...]]:
    """(hops, lines left out, boundary, entry lines of earlier passes) of a message's Received lines."""
    lines = [field for field in fields if field.name.lower() == "received"]
    parsed = [_parse(line.value) for line in lines[:MAX_HOPS]]
    readings = [reading for reading, _ in parsed]
    boundary = find_boundary(readings)
    hops = tuple(
        Hop(line.line, line.value, reading, _trust(place, boundary), problem)
        for place, (line, (reading, problem)) in enumerate(zip(lines, parsed, strict=False))
    )
    below = boundary + 1 if isinstance(boundary, int) else 0
    earlier = tuple(place for place in range(below, len(readings)) if _is_entry(readings[place]))
    return hops, max(0, len(lines) - MAX_HOPS), boundary, earlier


def _parse(text: str) -> tuple[Received, str]:
    try:
        return parse_received(text), ""
    except ReceivedError as error:
        return Received(), str(error)


def _trust(place: int, boundary: Fact[int]) -> HopTrust:
    if isinstance(boundary, Unknown) or place > boundary:
        return HopTrust.SENDER
    return HopTrust.ENTRY if place == boundary else HopTrust.SERVICE


def find_boundary(lines: Sequence[Received]) -> Fact[int]:
    """The index of the entry line among Received lines, the newest first."""
    if not lines:
        return Unknown("the header has no Received line")
    if not by_service(lines[0]):
        return Unknown("the newest Received line was not written by Exchange Online")
    place = 0
    while place + 1 < len(lines) and by_service(lines[place + 1]) and _handed_over(lines[place], lines[place + 1]):
        place += 1
    return place


def by_service(line: Received) -> bool:
    """Whether a line says that a server of Exchange Online wrote it. Anybody can say so."""
    return bool(line.by and _SERVICE.fullmatch(line.by)) and (line.protocol or "").lower() in _PROTOCOLS


def _is_entry(line: Received) -> bool:
    return by_service(line) and bool(line.by and _FRONT_DOOR.fullmatch(line.by))


def _handed_over(newer: Received, older: Received) -> bool:
    """Whether Exchange Online itself had the message before the newer of two lines that say they are its own."""
    if _is_entry(newer):
        return False
    if not (newer.from_name and _SERVICE.fullmatch(newer.from_name)) or _public_ipv4(newer):
        return False
    # Into a mailbox by HTTPS or MAPI there is no SMTP client that could give itself a name.
    return (newer.protocol or "").lower() != "microsoft smtp server" or _host(newer.from_name) == _host(older.by or "")


def _public_ipv4(line: Received) -> bool:
    """Servers of the service reach one another by IPv6 and by private IPv4 addresses."""
    return isinstance(line.client_ip, ipaddress.IPv4Address) and line.client_ip.is_global


def _host(name: str) -> str:
    """`AM0EUR00FT001` of both `AM0EUR00FT001.eop-EUR00.prod.protection.outlook.com` and `...mail.protection...`."""
    return name.partition(".")[0].lower()
