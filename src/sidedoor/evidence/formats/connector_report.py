"""Historical search of type ConnectorReport: who came in by which connector, and under which TLS.

Its header is not documented, so columns are found by aliases; a header without the essential ones is an error that
names it (docs/formats.md). Which sender its sender column shows is not documented either.
"""

from __future__ import annotations

from collections.abc import Mapping

from sidedoor.evidence import values
from sidedoor.evidence.clock import Clock
from sidedoor.evidence.formats.base import Decoder, Spec, identity, required_time
from sidedoor.evidence.formats.historical import ENHANCED
from sidedoor.evidence.interface import Format
from sidedoor.evidence.record import Record
from sidedoor.evidence.sources import Cells, text

CANNOT_TELL: Mapping[str, str] = {
    **{name: where for name, where in ENHANCED.cannot_tell.items() if name != "tls"},
    "treatment": "the message trace list itself (Get-MessageTraceV2)",
}
CONNECTOR_REPORT = Format("connector-report", "historical search, ConnectorReport", (100_000,), CANNOT_TELL)

_DATES = ("origintimestamputc", "origintimestamp", "datetimeutc", "datetime", "received", "timestamp", "date")
_SENDER = ("senderaddress", "sender")
_RECIPIENT = ("recipientaddress", "recipientaddresses", "recipients", "recipient")
_ADDRESS = ("originalclientip", "clientip", "sourceip", "senderip", "fromip", "ipaddress")
_CONNECTOR = ("connectorname", "connectorid", "connector")
_TYPE = ("connectortype",)
_TLS = ("tlsused", "tlsversion", "tls")
_DIRECTION = ("directionality", "direction")


def _decoder(clock: Clock) -> Decoder:
    def decode(row: int, cells: Cells) -> list[Record]:
        sender, recipients = text(cells, *_SENDER), text(cells, *_RECIPIENT) or ""
        key, message_id = identity(cells, "networkmessageid", ("messageid",), sender, recipients)
        envelope_sender, listed_sender = values.sender_pair(sender)
        address = (text(cells, *_ADDRESS) or "").strip()
        base = Record(
            row,
            key,
            message_id,
            required_time(cells, clock, _DATES),
            envelope_sender=envelope_sender,
            listed_sender=listed_sender,
            client_ip=values.client_ip(address) if address else None,
            tls=values.tls(text(cells, *_TLS) or ""),
            connector=_connector(cells),
            direction=values.direction(text(cells, *_DIRECTION) or ""),
        )
        addresses = [values.recipient(item) for item in recipients.split(";") if item.strip()]
        return [base._replace(recipient=to) for to in addresses] or [base]

    return decode


def _connector(cells: Cells) -> str | None:
    """A name, "" where the type column says NoConnector, else unknown."""
    name = values.connector(text(cells, *_CONNECTOR) or "")
    kind = "".join((text(cells, *_TYPE) or "").split()).lower()
    return name or ("" if kind == "noconnector" else name)


def _matches(columns: frozenset[str]) -> bool:
    return (
        bool(columns & set(_DATES))
        and bool(columns & set(_SENDER))
        and bool(columns & set(_RECIPIENT))
        and bool(columns & {"connectorname", "connectortype", "tlsused"})
        and not columns & {"recipientstatus", "eventid"}
    )


SPECS = (
    Spec(
        CONNECTOR_REPORT,
        _matches,
        frozenset(
            {"networkmessageid", "originalclientip", "connectorname", "connectortype", "tlsused", "senderaddress"}
        ),
        "origin_timestamp_utc, message_id, network_message_id, sender_address, recipient_address, original_client_ip, "
        "connector_name, connector_type, tls_used",
        _decoder,
        _DATES,
    ),
)
