"""Defender XDR advanced hunting, table EmailEvents: portal CSV or workbook, API answers, the streaming API, Sentinel.

One row per recipient. SenderMailFromAddress is 5321.MailFrom, empty for the null reverse-path; Connectors is empty
where no inbound connector took the message. Source: Microsoft's page of the EmailEvents table.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from sidedoor.evidence import values
from sidedoor.evidence.clock import Clock
from sidedoor.evidence.formats.base import Decoder, Spec, identity, required_time
from sidedoor.evidence.interface import Format
from sidedoor.evidence.record import NULL_SENDER, Record
from sidedoor.evidence.sources import Cells, text
from sidedoor.evidence.values import RowError

CANNOT_TELL: Mapping[str, str] = {
    "helo": "an extended historical search (Start-HistoricalSearch -ReportType MessageTraceDetail)",
    "tls": "an extended historical search (Start-HistoricalSearch -ReportType MessageTraceDetail)",
    "compauth_reason": "the message's own headers (Authentication-Results)",
}
# 30,000 rows in the portal, 100,000 by API (advanced-hunting-limits).
EMAIL_EVENTS = Format("email-events", "advanced hunting, EmailEvents", (30_000, 100_000), CANNOT_TELL)

_DATES = ("timestamp", "timegenerated")
_SENDERS = ("sendermailfromaddress", "senderfromaddress")


def _decoder(clock: Clock) -> Decoder:
    def decode(row: int, cells: Cells) -> list[Record]:
        category = text(cells, "streamcategory")
        if category and not category.endswith("EmailEvents"):
            raise RowError(f"a record of {category[:60]}, not of EmailEvents")
        to = text(cells, "recipientemailaddress")
        key, message_id = identity(cells, "networkmessageid", ("internetmessageid",), to, text(cells, *_SENDERS))
        spf, dkim, dmarc, compauth = _results(cells)
        return [
            Record(
                row,
                key,
                message_id,
                required_time(cells, clock, _DATES),
                values.recipient(to) if to else None,
                _envelope_sender(cells),
                header_from=_header_from(cells),
                client_ip=_client_ip(cells),
                connector=_connector(cells),
                direction=values.direction(text(cells, "emaildirection") or ""),
                spf=spf,
                dkim=dkim,
                dmarc=dmarc,
                compauth=compauth,
                treatment=_treatment(cells),
                tenant_id=values.word(text(cells, "streamtenantid")),
            )
        ]

    return decode


def _envelope_sender(cells: Cells) -> str | None:
    """`<>` where the column is there and empty, unknown where the query left the column out."""
    if "sendermailfromaddress" not in cells:
        return None
    return values.mail_address(text(cells, "sendermailfromaddress") or "") or NULL_SENDER


def _header_from(cells: Cells) -> str | None:
    if "senderfromaddress" not in cells:
        return None
    return values.mail_address(text(cells, "senderfromaddress") or "")


def _client_ip(cells: Cells) -> str | None:
    """SenderIPv4 or SenderIPv6, whichever is filled; known absent only where both columns are there and empty."""
    columns = [name for name in ("senderipv4", "senderipv6") if name in cells]
    found = next((address for name in columns if (address := values.client_ip(text(cells, name) or ""))), None)
    return found or ("" if len(columns) == 2 else None)


def _connector(cells: Cells) -> str | None:
    if "connectors" not in cells:
        return None
    return values.connector(text(cells, "connectors") or "") or ""


def _results(cells: Cells) -> tuple[str | None, str | None, str | None, str | None]:
    """SPF, DKIM, DMARC and CompAuth out of AuthenticationDetails; unknown where a key is missing or the text is cut."""
    raw = cells.get("authenticationdetails")
    if isinstance(raw, str) and len(raw) <= values.MAX_CELL:
        try:
            raw = json.loads(raw) if raw.strip() else None
        except (ValueError, RecursionError):
            raw = None
    if not isinstance(raw, Mapping):
        return None, None, None, None
    found = {str(key).lower(): value for key, value in raw.items() if isinstance(value, str)}
    spf, dkim, dmarc, compauth = (values.word(found.get(name)) for name in ("spf", "dkim", "dmarc", "compauth"))
    return spf, dkim, dmarc, compauth


def _treatment(cells: Cells) -> str | None:
    """DeliveryLocation tells quarantine and failure from a plain block; DeliveryAction the rest."""
    location = (text(cells, "deliverylocation") or "").strip().lower()
    if location.startswith("quarantine"):
        return "quarantined"
    if location == "failed":
        return "failed"
    return values.treatment(text(cells, "deliveryaction") or "") or ("junked" if location.startswith("junk") else None)


def _matches(columns: frozenset[str]) -> bool:
    return (
        bool(columns & {"networkmessageid", "internetmessageid"})
        and bool(columns & set(_DATES))
        and bool(columns & set(_SENDERS))
    )


_MARKERS = frozenset(
    {
        *_SENDERS,
        "networkmessageid",
        "internetmessageid",
        "senderipv4",
        "senderipv6",
        "recipientemailaddress",
        "emaildirection",
        "authenticationdetails",
    }
)
SPECS = (
    Spec(
        EMAIL_EVENTS,
        _matches,
        _MARKERS,
        "Timestamp, NetworkMessageId, SenderMailFromAddress, SenderFromAddress, SenderIPv4, RecipientEmailAddress",
        _decoder,
        _DATES,
        "huntingqueryresults",
    ),
)
