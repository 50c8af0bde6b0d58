"""Historical searches of type MessageTrace (one row per message) and MessageTraceDetail (one row per event).

Sources: Microsoft's "Message trace in the modern Exchange admin center" for the columns and for custom_data; the
on-premises tracking log's documentation for return_path (5321.MailFrom) and sender_address (5322.From).
"""

from __future__ import annotations

from sidedoor.evidence import values
from sidedoor.evidence.clock import Clock
from sidedoor.evidence.customdata import CustomData, parse_custom_data
from sidedoor.evidence.formats.base import Decoder, Spec, identity, required_time
from sidedoor.evidence.interface import Format
from sidedoor.evidence.record import Record
from sidedoor.evidence.sources import Cells, text

_EXTENDED_SEARCH = "an extended historical search (Start-HistoricalSearch -ReportType MessageTraceDetail)"
_HUNTING = "Defender advanced hunting (EmailEvents)"
_RESULTS = dict.fromkeys(("spf", "dkim", "dmarc", "compauth"), _HUNTING) | {
    "compauth_reason": "the message's own headers (Authentication-Results)"
}
_CAP = (100_000,)  # lines of one CSV (Start-HistoricalSearch)
ENHANCED = Format(
    "historical-enhanced",
    "historical search, MessageTrace",
    _CAP,
    dict.fromkeys(("envelope_sender", "header_from", "helo", "tls", "tenant_id"), _EXTENDED_SEARCH) | _RESULTS,
)
EXTENDED = Format("historical-extended", "historical search, MessageTraceDetail", _CAP, _RESULTS)

_ENHANCED_DATES = ("origintimestamputc", "origintimestamp", "datetimeutc", "datetime", "received")
_EXTENDED_DATES = ("datetimeutc", "datetime", "origintimestamputc")
_ENTRY_TREATMENTS = {"deliver": "delivered", "fail": "failed", "expand": "expanded", "defer": "pending"}
# Parts that the front door writes: where one is there, a missing tlsversion means a connection in clear.
_FRONT_DOOR = ("ProxyHop1", "ProxiedClientIPAddress", "ProxiedClientHostname", "InboundConnectorData")


def _enhanced(clock: Clock) -> Decoder:
    def decode(row: int, cells: Cells) -> list[Record]:
        sender, status = text(cells, "senderaddress"), text(cells, "recipientstatus")
        key, message_id = identity(cells, "networkmessageid", ("messageid",), sender, status)
        moment = required_time(cells, clock, _ENHANCED_DATES)
        envelope_sender, listed_sender = values.sender_pair(sender)
        course = values.direction(text(cells, "directionality") or "")
        address, connector = _enhanced_origin(text(cells, "originalclientip"), text(cells, "connectorid"), course)
        base = Record(
            row,
            key,
            message_id,
            moment,
            envelope_sender=envelope_sender,
            listed_sender=listed_sender,
            client_ip=address,
            connector=connector,
            direction=course,
        )
        return [base._replace(recipient=to, treatment=fate) for to, fate in parse_recipient_status(status or "")]

    return decode


def _enhanced_origin(address: str | None, connector: str | None, course: str | None) -> tuple[str | None, str | None]:
    """(client_ip, connector): both known absent where the organisation's own mail came from no SMTP client."""
    if address is not None and not address.strip() and course in {"originating", "intra-org", "outbound"}:
        return "", values.connector(connector or "") or ""
    return (values.client_ip(address) if address and address.strip() else None), values.connector(connector or "")


def parse_recipient_status(cell: str) -> list[tuple[str | None, str | None]]:
    """`a@b##Receive, Deliver;c@d##Receive, Fail` as (recipient, treatment); one unknown recipient for an empty cell.

    The last status that says anything of the message's fate counts. Raises RowError for a bad address.
    """
    found: list[tuple[str | None, str | None]] = []
    for item in cell.split(";"):
        address, _, statuses = item.partition("##")
        if item.strip():
            fates = [fate for fate in map(values.treatment, statuses.split(",")) if fate]
            found.append((values.recipient(address), fates[-1] if fates else None))
    return found or [(None, None)]


def _extended(clock: Clock) -> Decoder:
    def decode(row: int, cells: Cells) -> list[Record]:
        recipients = text(cells, "recipientaddress") or ""
        key, message_id = identity(cells, "networkmessageid", ("messageid",), text(cells, "senderaddress"), recipients)
        moment = required_time(cells, clock, _EXTENDED_DATES)
        source, event = ((text(cells, name) or "").strip().upper() for name in ("source", "eventid"))
        blob = parse_custom_data(text(cells, "customdata") or "")
        base = _every_event(Record(row, key, message_id), cells)
        if (source, event) == ("SMTP", "RECEIVE"):
            base = _smtp_receive(base, cells, blob)._replace(received_at=moment)
        elif (source, event) == ("STOREDRIVER", "SUBMIT"):
            base = _submitted(base)._replace(received_at=moment)
        else:
            base = _later_event(base, event, blob)
        addresses = [values.recipient(item) for item in recipients.split(";") if item.strip()]
        return [base._replace(recipient=to) for to in addresses] or [base]

    return decode


def _every_event(blank: Record, cells: Cells) -> Record:
    """Columns that say the same on all rows of a message."""
    return_path, header_from = (text(cells, "returnpath") or "").strip(), (text(cells, "senderaddress") or "").strip()
    address = (text(cells, "originalclientip") or "").strip()
    return blank._replace(
        envelope_sender=values.mail_address(return_path) if return_path else None,
        header_from=values.mail_address(header_from) if header_from else None,
        client_ip=values.client_ip(address) if address else None,
        direction=values.direction(text(cells, "directionality") or ""),
        tenant_id=values.word(text(cells, "tenantid")),
    )


def _smtp_receive(base: Record, cells: Cells, blob: CustomData) -> Record:
    """The row on which the service took the message from the network."""
    device = blob.first("ProxiedClientIPAddress")
    address = base.client_ip or (values.client_ip(device) or None if device else None)
    helo = blob.first("ProxiedClientHostname")
    if not helo and address and _ip_or_empty(cells) == address:  # else client_hostname is Microsoft's front end
        helo = text(cells, "clienthostname")
    connector = values.connector(text(cells, "connectorid") or "")
    return base._replace(
        client_ip=address,
        helo=helo or None,
        tls=_tls(blob),
        connector=connector or blob.connector_name or connector,
    )


def _ip_or_empty(cells: Cells) -> str:
    return values.client_ip(text(cells, "clientip") or "")


def _tls(blob: CustomData) -> str | None:
    version = blob.first("tlsversion")
    if version:
        return values.tls(version)
    return "none" if any(blob.first(name) is not None for name in _FRONT_DOOR) else None


def _submitted(base: Record) -> Record:
    """Handed in from a mailbox: no SMTP client and no inbound connector, unless the row names a client after all."""
    return base if base.client_ip else base._replace(client_ip="", helo="", connector="")


def _later_event(base: Record, event: str, blob: CustomData) -> Record:
    """Agents and delivery: what was done with the message, and the client as the spam filter saw it."""
    cip = (blob.pair("SFA", "CIP") or "").strip()
    return base._replace(
        client_ip=base.client_ip or (values.client_ip(cip) if cip else None),
        helo=blob.pair("SFA", "H") or None,
        treatment=values.disposition(blob.pair("SFA", "DI") or "") or _ENTRY_TREATMENTS.get(event.lower()),
    )


_HISTORICAL = frozenset({"networkmessageid", "recipientstatus", "originalclientip", "directionality", "connectorid"})
SPECS = (
    Spec(
        EXTENDED,
        lambda columns: (
            columns >= {"eventid", "source", "networkmessageid", "recipientaddress", "returnpath"}
            and bool(columns & set(_EXTENDED_DATES))
        ),
        _HISTORICAL | {"eventid", "returnpath", "customdata", "sourcecontext", "internalmessageid"},
        "date_time_utc, source, event_id, network_message_id, recipient_address, return_path, custom_data",
        _extended,
        _EXTENDED_DATES,
    ),
    Spec(
        ENHANCED,
        lambda columns: (
            columns >= {"recipientstatus", "senderaddress"}
            and "eventid" not in columns
            and bool(columns & {"networkmessageid", "messageid"})
            and bool(columns & set(_ENHANCED_DATES))
        ),
        _HISTORICAL | {"origintimestamputc", "origintimestamp", "deliverypriority"},
        "origin_timestamp_utc, sender_address, recipient_status, message_id, network_message_id, original_client_ip",
        _enhanced,
        _ENHANCED_DATES,
    ),
)
