"""Message trace lists: Get-MessageTraceV2, its predecessor (and the old reporting service), and Graph's messageTraces.

One row per recipient. SenderAddress is 5321.MailFrom or 5322.From, sources disagree which (docs/formats.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sidedoor.evidence.clock import Clock
from sidedoor.evidence.formats.base import Decoder, Spec, identity, required_time
from sidedoor.evidence.interface import Format
from sidedoor.evidence.record import Record
from sidedoor.evidence.sources import Cells, text
from sidedoor.evidence.values import client_ip, recipient, sender_pair, treatment

_EXTENDED = "an extended historical search (Start-HistoricalSearch -ReportType MessageTraceDetail)"
CANNOT_TELL: Mapping[str, str] = {
    "envelope_sender": _EXTENDED,
    "header_from": "Defender advanced hunting (EmailEvents)",
    "helo": _EXTENDED,
    "tls": _EXTENDED,
    "connector": _EXTENDED,
    "direction": _EXTENDED,
    "spf": "Defender advanced hunting (EmailEvents)",
    "dkim": "Defender advanced hunting (EmailEvents)",
    "dmarc": "Defender advanced hunting (EmailEvents)",
    "compauth": "Defender advanced hunting (EmailEvents)",
    "compauth_reason": "the message's own headers (Authentication-Results)",
    "tenant_id": _EXTENDED,
}
# 5,000 rows are the most of one query (Get-MessageTraceV2's ResultSize; $top of messageTraces).
_PAGE = (5_000,)
MESSAGE_TRACE_V2 = Format("message-trace-v2", "Get-MessageTraceV2", _PAGE, CANNOT_TELL)
# The old service gave pages of 2,000 (its documentation); a page is not the whole.
MESSAGE_TRACE = Format("message-trace", "Get-MessageTrace or the reporting web service", (2_000, 5_000), CANNOT_TELL)
GRAPH_MESSAGE_TRACE = Format("graph-message-trace", "Microsoft Graph messageTraces", _PAGE, CANNOT_TELL)

_LIST = frozenset({"received", "senderaddress", "recipientaddress"})
_GRAPH = frozenset({"receiveddatetime", "senderaddress", "recipientaddress", "id"})
_OLD_ONLY = (frozenset({"startdate", "enddate"}), frozenset({"organization"}))


def _is_old(columns: frozenset[str]) -> bool:
    return any(names <= columns for names in _OLD_ONLY)


def _is_list(columns: frozenset[str]) -> bool:
    return columns >= _LIST and bool(columns & {"messagetraceid", "messageid"})


def _decoder(date_column: str, key_column: str, ip_column: str) -> Callable[[Clock], Decoder]:
    def make(clock: Clock) -> Decoder:
        dates = (date_column,)

        def decode(row: int, cells: Cells) -> list[Record]:
            sender, to, address = text(cells, "senderaddress"), text(cells, "recipientaddress"), text(cells, ip_column)
            key, message_id = identity(cells, key_column, ("messageid",), sender, to)
            envelope_sender, listed_sender = sender_pair(sender)
            return [
                Record(
                    row,
                    key,
                    message_id,
                    required_time(cells, clock, dates),
                    recipient(to) if to else None,
                    envelope_sender,
                    listed_sender,
                    client_ip=None if address is None else client_ip(address),
                    treatment=treatment(text(cells, "status") or ""),
                )
            ]

        return decode

    return make


_MARKERS = frozenset({"messagetraceid", "senderaddress", "recipientaddress", "fromip", "toip", "received"})
_CSV_COLUMNS = {
    "message_key": "messagetraceid",
    "message_id": "messageid",
    "received_at": "received",
    "recipient": "recipientaddress",
    "listed_sender": "senderaddress",
    "client_ip": "fromip",
    "treatment": "status",
}
_EXPECTED = "MessageTraceId, MessageId, Received, SenderAddress, RecipientAddress, FromIP, Status"
SPECS = (
    Spec(
        MESSAGE_TRACE_V2,
        lambda columns: _is_list(columns) and not _is_old(columns),
        _MARKERS,
        _EXPECTED,
        _decoder("received", "messagetraceid", "fromip"),
        ("received",),
        csv_columns=_CSV_COLUMNS,
    ),
    Spec(
        MESSAGE_TRACE,
        lambda columns: _is_list(columns) and _is_old(columns),
        _MARKERS,
        _EXPECTED,
        _decoder("received", "messagetraceid", "fromip"),
        ("received",),
        "reporting.svc/$metadata#messagetrace",
        _CSV_COLUMNS,
    ),
    Spec(
        GRAPH_MESSAGE_TRACE,
        lambda columns: columns >= _GRAPH,
        frozenset({"receiveddatetime", "senderaddress", "recipientaddress", "fromip", "toip"}),
        "id, receivedDateTime, senderAddress, recipientAddress, messageId, fromIP, status",
        _decoder("receiveddatetime", "id", "fromip"),
        ("receiveddatetime",),
        "tracing/messagetraces",
    ),
)
