"""Headers put together line by line, as Exchange Online and a client in front of it write them."""

from __future__ import annotations

import struct
from pathlib import Path

from sidedoor.evidence.message import MessageEvidence, parse_message

MESSAGES = Path(__file__).parent.parent / "data" / "messages"
TENANT = "0c0ffee0-1111-4222-8333-444455556666"
KEY = "a1000000-1b62-4d07-db4f-08df1a10ee9b"
DATE = "Tue, 3 Nov 2026 08:15:27 +0000"

DELIVERED = (
    "Received: from AM9PR00MB0001.eurprd00.prod.outlook.com (::1) by AM9PR00MB0002.eurprd00.prod.outlook.com with "
    f"HTTPS; {DATE}"
)
INSIDE = (
    "Received: from AM0EUR00FT001.eop-EUR00.prod.protection.outlook.com (2001:db8:20:cafe::f0) by "
    "AM9PR00CA0001.outlook.office365.com (2001:db8:20::8) with Microsoft SMTP Server (version=TLS1_3, "
    f"cipher=TLS_AES_256_GCM_SHA384) id 15.20.9999.10 via Frontend Transport; {DATE}"
)
RESULTS = (
    "Authentication-Results: spf=fail (sender IP is 192.0.2.66) smtp.mailfrom=contoso.com; dkim=none (message not "
    "signed) header.d=none;dmarc=fail action=none header.from=contoso.com;compauth=fail reason=601"
)
AUTHOR = ("From: Alice <alice@contoso.com>", "To: <alice@contoso.com>", "Message-ID: <1@pc>", f"Date: {DATE}")


def entry_line(
    helo: str = "pc", ip: str = "192.0.2.66", host: str = "AM0EUR00FT001.mail.protection.outlook.com"
) -> str:
    """The line that a front door writes."""
    return (
        f"Received: from {helo} ({ip}) by {host} (10.0.0.66) with Microsoft SMTP Server (version=TLS1_2, cipher=TLS_X) "
        f"id 15.20.9999.10 via Frontend Transport; {DATE}"
    )


ENTRY = entry_line()
TOP = (DELIVERED, INSIDE, RESULTS, ENTRY)
STAMPS = (
    "Return-Path: alice@contoso.com",
    "X-MS-Exchange-Organization-MessageDirectionality: Incoming",
    f"X-MS-Exchange-Organization-Network-Message-Id: {KEY}",
    "X-MS-Exchange-Organization-AuthAs: Anonymous",
    "X-Forefront-Antispam-Report: CIP:192.0.2.66;CTRY:;SFV:SPM;H:pc;PTR:InfoDomainNonexistent;CAT:SPOOF;DIR:INB;",
    f"X-MS-Exchange-CrossTenant-Id: {TENANT}",
    "X-MS-Exchange-CrossTenant-FromEntityHeader: Internet",
)


def header(*lines: str) -> bytes:
    """The lines with CRLF, a blank line and a body."""
    return ("\r\n".join(lines) + "\r\n\r\nBody.\r\n").encode("utf-8", errors="surrogateescape")


def message(*lines: str) -> MessageEvidence:
    """The lines, read."""
    return parse_message(header(*lines))


def without(lines: tuple[str, ...], *names: str) -> tuple[str, ...]:
    """The lines but those that begin so."""
    return tuple(line for line in lines if not line.startswith(names))


def compound_file(streams: dict[str, bytes]) -> bytes:
    """A compound file ([MS-CFB], version 3) with these streams at its root, each padded with NULs to 4,096 bytes."""
    end, free, size = 0xFFFFFFFE, 0xFFFFFFFF, 512
    fat, sectors, entries = [0xFFFFFFFD, end], [], []
    entries.append(_entry("Root Entry", 5, end, 0, child=1))
    for number, (name, data) in enumerate(streams.items(), start=1):
        padded = data.ljust(4_096, b"\0")
        padded += bytes(-len(padded) % size)
        first, count = len(fat), len(padded) // size
        fat.extend([*range(first + 1, first + count), end])
        sectors.append(padded)
        right = number + 1 if number < len(streams) else free
        entries.append(_entry(name, 2, first, max(len(data), 4_096), right=right))
    start = struct.pack(
        "<8s16sHHHHH6sIIIIIIIIII", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", bytes(16), 0x3E, 3, 0xFFFE, 9, 6, bytes(6),
        0, 1, 1, 0, 4_096, end, 0, end, 0, 0,
    )  # fmt: skip
    table = struct.pack("<128I", *(fat + [free] * (128 - len(fat))))
    directory = b"".join(entries).ljust(size, b"\0")
    return start.ljust(size, b"\xff") + table + directory + b"".join(sectors)


def _entry(name: str, kind: int, first: int, size: int, *, child: int = 0xFFFFFFFF, right: int = 0xFFFFFFFF) -> bytes:
    encoded = name.encode("utf-16-le") + b"\0\0"
    return struct.pack(
        "<64sHBBIII16sIQQIQ", encoded, len(encoded), kind, 1, 0xFFFFFFFF, right, child, bytes(16), 0, 0, 0, first, size
    )


def msg_file(text: str) -> bytes:
    """An Outlook message with this transport header."""
    return compound_file({"__properties_version1.0": b"\1" * 32, "__substg1.0_007D001F": text.encode("utf-16-le")})
