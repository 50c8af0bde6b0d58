"""The PROXY protocol, versions 1 and 2 (HAProxy's proxy-protocol.txt): who the client is, told by a load balancer.

Believed from named networks only; who listens to it from anybody lets everybody choose an address.
"""

from __future__ import annotations

import ipaddress
import re
import struct
from typing import NamedTuple

from sidedoor.mail.network import IPAddress, parse_ip

_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"  # section 2.2
_MOST_V1 = 107  # section 2.1: the longest line, its CRLF included
_MOST_V2 = 2_048  # addresses and TLVs; 64 KB are possible, nobody sends them
_V1 = re.compile(rb"PROXY TCP(?P<version>[46]) (?P<client>[0-9A-Fa-f:.]+) [0-9A-Fa-f:.]+ (?P<port>\d{1,5}) \d{1,5}")
_UNKNOWN = re.compile(rb"PROXY UNKNOWN(?: .*)?", re.DOTALL)
_ADDRESSES = {0x1: ("!4s4sHH", 4), 0x2: ("!16s16sHH", 6)}  # address family -> layout, IP version


class ProxyError(ValueError):
    """What came is no PROXY header; the message says why."""


class Told(NamedTuple):
    """`client_ip` None where the balancer speaks for itself (LOCAL, UNKNOWN); `length` octets are the header's."""

    client_ip: IPAddress | None
    client_port: int
    length: int


def parse_proxy(data: bytes) -> Told | None:
    """Read the header at the front of a connection; None while it is not all there. Raises ProxyError."""
    if data.startswith(_SIGNATURE) or _SIGNATURE.startswith(data):
        return _version_2(data) if len(data) >= 16 else None
    end = data.find(b"\r\n", 0, _MOST_V1)
    if end < 0:
        if len(data) >= _MOST_V1 or not (data.startswith(b"PROXY ") or b"PROXY ".startswith(data)):
            raise ProxyError("no PROXY header")
        return None
    return _version_1(data[:end], end + 2)


def _version_1(line: bytes, length: int) -> Told:
    if _UNKNOWN.fullmatch(line):
        return Told(None, 0, length)
    match = _V1.fullmatch(line)
    if match is None:
        raise ProxyError("a malformed PROXY line")
    try:
        address = ipaddress.ip_address(match["client"].decode("ascii"))
    except ValueError as error:
        raise ProxyError("a PROXY line with a malformed address") from error
    port = int(match["port"])
    if address.version != int(match["version"]) or port > 65_535:
        raise ProxyError("a PROXY line that contradicts itself")
    return Told(parse_ip(str(address)), port, length)


def _version_2(data: bytes) -> Told | None:
    version, family, size = data[12], data[13] >> 4, struct.unpack_from("!H", data, 14)[0]
    command = version & 0x0F
    if version >> 4 != 2 or command not in {0, 1} or size > _MOST_V2:
        raise ProxyError("a malformed PROXY header of version 2")
    if len(data) < 16 + size:
        return None
    if command == 0 or family not in _ADDRESSES:  # LOCAL; a Unix socket or no family
        return Told(None, 0, 16 + size)
    layout, _ = _ADDRESSES[family]
    if data[13] & 0x0F != 1 or size < struct.calcsize(layout):  # SMTP is a stream
        raise ProxyError("a PROXY header of version 2 without its addresses")
    client, _, port, _ = struct.unpack_from(layout, data, 16)
    return Told(parse_ip(str(ipaddress.ip_address(client))), port, 16 + size)
