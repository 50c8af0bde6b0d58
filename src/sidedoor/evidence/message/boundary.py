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
from collections.abc import Sequence

from sidedoor.evidence.message.lines import SMTP, by_service, is_entry, of_service, reading_of
from sidedoor.evidence.message.model import HeaderField, Hop, HopTrust
from sidedoor.mail.fact import Fact, Unknown
from sidedoor.mail.received import Received

MAX_HOPS = 200
"""Received lines that are read; a loop is stopped by Exchange Online at far fewer."""


def read_hops(fields: Sequence[HeaderField]) -> tuple[tuple[Hop, ...], int, Fact[int]]:
    """(hops, lines left out, boundary) of a message's Received lines. Lines below the boundary are not looked at."""
    lines = [field for field in fields if field.name.lower() == "received"]
    boundary = find_boundary([line.value for line in lines[:MAX_HOPS]])
    hops = tuple(Hop(line.line, line.value, _trust(place, boundary)) for place, line in enumerate(lines[:MAX_HOPS]))
    return hops, max(0, len(lines) - MAX_HOPS), boundary


def _trust(place: int, boundary: Fact[int]) -> HopTrust:
    if isinstance(boundary, Unknown) or place > boundary:
        return HopTrust.SENDER
    return HopTrust.ENTRY if place == boundary else HopTrust.SERVICE


def find_boundary(lines: Sequence[str]) -> Fact[int]:
    """The index of the entry line among Received lines, the newest first."""
    if not lines:
        return Unknown("the header has no Received line")
    newer, _ = reading_of(lines[0])
    if not by_service(newer):
        return Unknown("the newest Received line was not written by Exchange Online")
    for place, text in enumerate(lines[1:]):
        if is_entry(newer):
            return place
        older, _ = reading_of(text)
        if not (by_service(older) and _handed_over(newer, older)):
            return place
        newer = older
    return len(lines) - 1


def _handed_over(newer: Received, older: Received) -> bool:
    """Whether Exchange Online itself had the message before the newer of two lines that say they are its own."""
    if not of_service(newer.from_name) or _public_ipv4(newer):
        return False
    # Into a mailbox by HTTPS or MAPI there is no SMTP client that could give itself a name.
    return (newer.protocol or "").lower() != SMTP or _host(newer.from_name or "") == _host(older.by or "")


def _public_ipv4(line: Received) -> bool:
    """Servers of the service reach one another by IPv6 and by private IPv4 addresses."""
    return isinstance(line.client_ip, ipaddress.IPv4Address) and line.client_ip.is_global


def _host(name: str) -> str:
    """`AM0EUR00FT001` of both `AM0EUR00FT001.eop-EUR00.prod.protection.outlook.com` and `...mail.protection...`."""
    return name.partition(".")[0].lower()
