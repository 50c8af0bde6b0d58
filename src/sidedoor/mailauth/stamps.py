"""Header fields in which Exchange Online notes what it saw of a connection and thought of a message.

Sources: Microsoft's page "Anti-spam message headers in Microsoft 365" (2025-07); fields of forwarded and listed mail.
Every reader takes one unfolded value and answers with what it could read; a part that makes no sense is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from sidedoor.mail.network import IPAddress, NetworkError, parse_ip

_MAX_STAMP = 16_384
_MAX_PARTS = 500
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_BRACKETED = re.compile(r"\s*(?P<key>[A-Za-z]{1,40})=(?:\[(?P<listed>[^;]*)\]|(?P<bare>[^;]*))\s*")
_SPF_PAIR = re.compile(r"(?P<key>[A-Za-z-]{1,40})=\"?(?P<value>[^;\"\s]*)")
_SPF_WORD = re.compile(r"\s*(?P<word>[A-Za-z]{1,20})\b")


def parse_report(text: str) -> Mapping[str, str]:
    """X-Forefront-Antispam-Report and X-Microsoft-Antispam: `KEY:VALUE` by `;`, keys in upper case.

    Cut at the first colon, because CIP may be an IPv6 address. Of a key that stands twice the first counts.
    """
    found: dict[str, str] = {}
    for part in text[:_MAX_STAMP].split(";", _MAX_PARTS)[:_MAX_PARTS]:
        key, colon, value = part.partition(":")
        if colon and key.strip():
            found.setdefault(key.strip().upper(), value.strip())
    return found


def report_ip(report: Mapping[str, str]) -> IPAddress | None:
    """CIP, the connecting address; None where it is missing or none."""
    return _ip(report.get("CIP", ""))


@dataclass(frozen=True, slots=True)
class ConnectingIp:
    """OriginalAttributedTenantConnectingIp: whom the service held responsible, and from where it came."""

    tenant_id: str | None
    client_ip: IPAddress | None
    helo: str | None


def parse_connecting_ip(text: str) -> ConnectingIp | None:
    """`TenantId=<guid>;Ip=[203.0.113.9];Helo=[mx.contoso.com]`; None where it has neither tenant nor address."""
    parts = {
        match["key"].lower(): (match["listed"] or match["bare"] or "").strip()
        for part in text[:_MAX_STAMP].split(";", 20)[:20]
        if (match := _BRACKETED.fullmatch(part))
    }
    tenant, client_ip = guid(parts.get("tenantid", "")), _ip(parts.get("ip", ""))
    if tenant is None and client_ip is None:
        return None
    return ConnectingIp(tenant, client_ip, parts.get("helo") or None)


@dataclass(frozen=True, slots=True)
class ReceivedSpf:
    """Received-SPF (RFC 7208 section 9.1): the result word in lower case and its key-value list."""

    word: str
    client_ip: IPAddress | None
    helo: str | None
    envelope_from: str | None


def parse_received_spf(text: str) -> ReceivedSpf | None:
    """`Fail (comment) receiver=x; client-ip=192.0.2.66; helo=[127.0.0.1];`; None where it begins with no word."""
    word = _SPF_WORD.match(text)
    if word is None:
        return None
    pairs: dict[str, str] = {}
    for match in _SPF_PAIR.finditer(text[:_MAX_STAMP]):
        pairs.setdefault(match["key"].lower(), match["value"])
    return ReceivedSpf(
        word["word"].lower(), _ip(pairs.get("client-ip", "")), pairs.get("helo") or None, pairs.get("envelope-from")
    )


def guid(text: str) -> str | None:
    """A GUID in lower case; None for anything else."""
    bare = text.strip().strip("{}")
    return bare.lower() if _GUID.fullmatch(bare) else None


def attributed_tenant(text: str) -> str | None:
    """The tenant of X-EOPTenantAttributedMessage, `<guid>:0`."""
    return guid(text.partition(":")[0])


@lru_cache(maxsize=4_096)
def _ip(text: str) -> IPAddress | None:
    try:
        return parse_ip(text) if text else None
    except NetworkError:
        return None
