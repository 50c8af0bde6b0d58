"""Trace details: Get-MessageTraceDetailV2 and Graph's getDetailsByRecipient. One row per event, no recipient in it.

The Receive event tells envelope sender, connector and TLS, and by the server's own connector whether the client logged
in; the device's own address is ProxiedClientIPAddress in its CustomData, because ClientIP is Microsoft's front end.
Where the blob does not name the device, it stays unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sidedoor.evidence import values
from sidedoor.evidence.clock import Clock
from sidedoor.evidence.customdata import CustomData, parse_custom_data
from sidedoor.evidence.formats.base import Decoder, Spec, identity, required_time
from sidedoor.evidence.interface import Format
from sidedoor.evidence.mep import parse_mep
from sidedoor.evidence.record import Record
from sidedoor.evidence.sources import Cells, text

_HUNTING = "Defender advanced hunting (EmailEvents)"
CANNOT_TELL: Mapping[str, str] = {
    "recipient": "the message trace list itself (Get-MessageTraceV2)",
    "header_from": _HUNTING,
    "direction": _HUNTING,
    "spf": _HUNTING,
    "dkim": _HUNTING,
    "dmarc": _HUNTING,
    "compauth": _HUNTING,
    "compauth_reason": "the message's own headers (Authentication-Results)",
    "tenant_id": "an extended historical search (Start-HistoricalSearch -ReportType MessageTraceDetail)",
}
TRACE_DETAIL_V2 = Format("trace-detail-v2", "Get-MessageTraceDetailV2", (), CANNOT_TELL)
GRAPH_TRACE_DETAIL = Format("graph-trace-detail", "Microsoft Graph getDetailsByRecipient", (), CANNOT_TELL)

_FOLDERS = {"quarantine": "quarantined", "junk": "junked", "inbox": "delivered"}


def _decoder(date_column: str, key_columns: tuple[str, str], detail_column: str) -> Callable[[Clock], Decoder]:
    def make(clock: Clock) -> Decoder:
        def decode(row: int, cells: Cells) -> list[Record]:
            key, message_id = identity(cells, key_columns[0], (key_columns[1],))
            moment = required_time(cells, clock, (date_column,))
            event = (text(cells, "event") or "").strip().lower()
            detail, mep = text(cells, detail_column) or "", parse_mep(text(cells, "data") or "")
            blank = Record(row, key, message_id)
            if event == "receive":
                return [_received(blank, detail, mep)._replace(received_at=moment)]
            if event == "submit":  # handed in from a mailbox: no SMTP client, no inbound connector
                return [blank._replace(received_at=moment, client_ip="", helo="", connector="")]
            if event == "spam":
                return [_judged(blank, mep)]
            return [blank._replace(treatment=_fate(event, detail))]

        return decode

    return make


def _received(blank: Record, detail: str, mep: Mapping[str, str]) -> Record:
    blob = parse_custom_data(mep.get("CustomData", ""))
    device = blob.first("ProxiedClientIPAddress")
    return_path = mep.get("ReturnPath", "").strip()
    return blank._replace(
        envelope_sender=values.mail_address(return_path) if return_path else None,
        client_ip=values.client_ip(device) or None if device else None,
        helo=blob.first("ProxiedClientHostname") or None,
        tls=_tls(detail, blob),
        connector=_connector(blob, mep.get("ConnectorId", "")),
        entry=None if blob.connector_name else values.entry(mep.get("ConnectorId", ""), proxied=bool(device)),
    )


def _tls(detail: str, blob: CustomData) -> str | None:
    """The blob's tlsversion, else the sentence's `using TLS1.2`; a Receive event that has neither was in clear."""
    version = blob.first("tlsversion")
    if version:
        return values.tls(version)
    using = detail.partition(" using ")[2]
    if using:
        return values.tls(using)
    return "none" if detail or blob else None


def _connector(blob: CustomData, connector_id: str) -> str | None:
    return values.connector(connector_id) or blob.connector_name or values.connector(connector_id)


def _judged(blank: Record, mep: Mapping[str, str]) -> Record:
    """The anti-spam agent's event: CIP and H are the client as the filter saw it."""
    cip = mep.get("CIP", "").strip()
    return blank._replace(
        client_ip=values.client_ip(cip) if cip else None,
        helo=mep.get("H") or None,
        treatment=values.disposition(mep.get("DI", "")),
    )


def _fate(event: str, detail: str) -> str | None:
    if event == "deliver":
        folder = detail.rpartition("DefaultFolderType:")[2].lower()
        return next((fate for word, fate in _FOLDERS.items() if word in folder), "delivered")
    return {"fail": "failed", "defer": "pending", "expand dl": "expanded", "malware": "blocked"}.get(event)


SPECS = (
    Spec(
        TRACE_DETAIL_V2,
        lambda columns: (
            columns >= {"event", "date"} and "messagetraceid" in columns and bool(columns & {"data", "detail"})
        ),
        frozenset({"messagetraceid", "event", "detail", "data", "action"}),
        "MessageTraceId, MessageId, Date, Event, Action, Detail, Data",
        _decoder("date", ("messagetraceid", "messageid"), "detail"),
        ("date",),
    ),
    Spec(
        GRAPH_TRACE_DETAIL,
        lambda columns: columns >= {"event", "datetime", "id", "messageid"} and bool(columns & {"data", "description"}),
        frozenset({"event", "datetime", "messageid", "description", "data"}),
        "id, messageId, dateTime, event, action, description, data",
        _decoder("datetime", ("id", "messageid"), "description"),
        ("datetime",),
        "exchangemessagetracedetail",
    ),
)
