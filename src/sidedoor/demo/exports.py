"""The history as Exchange Online exports it: one writer for each format, in the bytes that format comes in."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from xml.sax.saxutils import quoteattr

from sidedoor.demo.message import Message

SERVER = "AM9PR00MB0001"
DEFAULT_CONNECTOR = rf"{SERVER}\Default {SERVER}"
_TRACE_HEADER = (
    "MessageTraceId", "MessageId", "Received", "SenderAddress", "RecipientAddress", "FromIP", "ToIP", "Subject",
    "Status", "Size",
)  # fmt: skip
_EVENTS_HEADER = (
    "Timestamp", "NetworkMessageId", "InternetMessageId", "SenderMailFromAddress", "SenderFromAddress",
    "SenderMailFromDomain", "SenderFromDomain", "SenderIPv4", "SenderIPv6", "RecipientEmailAddress", "Subject",
    "EmailDirection", "DeliveryAction", "DeliveryLocation", "AuthenticationDetails", "Connectors", "ReportId",
)  # fmt: skip
_EXTENDED_HEADER = (
    "date_time_utc", "client_ip", "client_hostname", "server_ip", "server_hostname", "source_context", "connector_id",
    "source", "event_id", "internal_message_id", "message_id", "network_message_id", "recipient_address",
    "recipient_status", "total_bytes", "recipient_count", "related_recipient_address", "reference", "message_subject",
    "sender_address", "return_path", "message_info", "directionality", "tenant_id", "original_client_ip",
    "original_server_ip", "custom_data",
)  # fmt: skip
_ENHANCED_HEADER = (
    "origin_timestamp_utc", "sender_address", "recipient_status", "message_subject", "total_bytes", "message_id",
    "network_message_id", "original_client_ip", "directionality", "connector_id", "delivery_priority",
)  # fmt: skip
_ACTIONS = {"Delivered": ("Delivered", "Inbox/folder"), "FilteredAsSpam": ("Junked", "Junk folder"),
            "Quarantined": ("Blocked", "Quarantine")}  # fmt: skip


def _iso(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.0000000Z"


def _american(moment: datetime) -> str:
    """`11/3/2026 8:25:40 AM`, as PowerShell on an American machine writes a date into a CSV."""
    half = "AM" if moment.hour < 12 else "PM"
    return f"{moment.month}/{moment.day}/{moment.year} {moment.hour % 12 or 12}:{moment:%M:%S} {half}"


def _message_id(message: Message) -> str:
    return f"<{message.key[:13]}@{message.helo.strip('[]') or 'prod.outlook.com'}>"


def write_message_trace(path: Path, messages: Sequence[Message], broken: Sequence[Sequence[str]]) -> None:
    """Get-MessageTraceV2 through Export-Csv of PowerShell 7; SenderAddress is the header From here.

    Pages of 5,000 rows were joined, so each page's last row stands again at the top of the next. `broken` are rows that
    nobody can read, put in among the others.
    """
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
        writer.writerow(_TRACE_HEADER)
        for number, message in enumerate(messages):
            cells = (
                message.key, _message_id(message), _american(message.received_at), message.header_from,
                message.recipient, message.client_ip, "", message.subject, message.status,
                str(2000 + number % 9000),
            )  # fmt: skip
            writer.writerow(cells)
            if number % 5000 == 4999:
                writer.writerow(cells)
            if number and number % 97 == 0 and number // 97 <= len(broken):
                writer.writerow(broken[number // 97 - 1])


def write_email_events(path: Path, messages: Iterable[Message]) -> None:
    """EmailEvents as the Defender portal exports it: UTF-8 with BOM, ISO times."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(_EVENTS_HEADER)
        writer.writerows(_event(message) for message in messages)


def _event(message: Message) -> Sequence[str]:
    envelope = "" if message.envelope_sender == "<>" else message.envelope_sender
    results = {"SPF": message.spf, "DKIM": message.dkim, "DMARC": message.dmarc, "CompAuth": message.compauth}
    six = ":" in message.client_ip
    return (
        f"{message.received_at:%Y-%m-%dT%H:%M:%SZ}", message.key, _message_id(message), envelope, message.header_from,
        envelope.rpartition("@")[2], message.header_from.rpartition("@")[2], "" if six else message.client_ip,
        message.client_ip if six else "", message.recipient, message.subject, message.direction,
        *_ACTIONS[message.status], json.dumps({name: result for name, result in results.items() if result}),
        message.connector, f"{message.key}-1",
    )  # fmt: skip


def write_extended(path: Path, messages: Iterable[Message], tenant_id: str) -> None:
    """The extended historical search: UTF-16LE without BOM, one row for each event, here RECEIVE and DELIVER."""
    with path.open("w", encoding="utf-16-le", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(_EXTENDED_HEADER)
        for message in messages:
            writer.writerow(_extended(message, "RECEIVE", tenant_id))
            writer.writerow(_extended(message, "DELIVER", tenant_id))


def _extended(message: Message, event: str, tenant_id: str) -> Sequence[str]:
    received = event == "RECEIVE"
    tls = f"S:tlsversion=SP_PROT_{message.tls.replace('.', '_')}_SERVER;" if message.tls.startswith("TLS") else ""
    custom = (
        f"S:ProxyHop1=AM0EUR00FT001.mail.protection.outlook.com(10.0.0.66);S:ProxiedClientIPAddress={message.client_ip};"
        f"S:ProxiedClientHostname={message.helo};{tls}S:DeliveryPriority=Normal"
    )
    cells = {
        "date_time_utc": _iso(message.received_at), "client_ip": message.client_ip if received else "",
        "client_hostname": message.helo if received else "", "server_hostname": f"{SERVER}.eurprd00.prod.outlook.com",
        "connector_id": (message.connector or DEFAULT_CONNECTOR) if received else "",
        "source": "SMTP" if received else "STOREDRIVER", "event_id": event, "message_id": _message_id(message),
        "network_message_id": message.key, "recipient_address": message.recipient, "total_bytes": "4096",
        "recipient_count": "1", "message_subject": message.subject, "sender_address": message.header_from,
        "return_path": message.envelope_sender, "directionality": "Incoming", "tenant_id": tenant_id,
        "original_client_ip": message.client_ip, "custom_data": custom if received else "S:DeliveryPriority=Normal",
    }  # fmt: skip
    return [cells.get(name, "") for name in _EXTENDED_HEADER]


def write_enhanced(path: Path, messages: Iterable[Message]) -> None:
    """The enhanced historical search: UTF-16LE with BOM; its sender_address is the envelope sender here."""
    with path.open("w", encoding="utf-16", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(_ENHANCED_HEADER)
        for message in messages:
            inbound = message.direction == "Inbound"
            writer.writerow((
                _iso(message.received_at), message.envelope_sender, f"{message.recipient}##Receive, Deliver",
                message.subject, "4096", _message_id(message), message.key, message.client_ip, "1" if inbound else "2",
                (message.connector or DEFAULT_CONNECTOR) if inbound else "", "Normal",
            ))  # fmt: skip


def write_graph_pages(folder: Path, messages: Sequence[Message], size: int = 500) -> None:
    """Graph's messageTraces, page by page."""
    for page, start in enumerate(range(0, len(messages), size), start=1):
        rows = [
            {
                "id": message.key, "senderAddress": message.header_from, "recipientAddress": message.recipient,
                "messageId": _message_id(message), "receivedDateTime": _iso(message.received_at),
                "subject": message.subject, "size": 4096, "fromIP": message.client_ip, "toIP": "",
                "status": message.status[0].lower() + message.status[1:],
            }
            for message in messages[start : start + size]
        ]  # fmt: skip
        content: dict[str, object] = {"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#messageTraces"}
        if start + size < len(messages):
            content["@odata.nextLink"] = "https://graph.microsoft.com/v1.0/next"
        (folder / f"graph_page{page}.json").write_text(json.dumps({**content, "value": rows}, indent=1), "utf-8")


def write_details(path: Path, messages: Iterable[Message]) -> None:
    """Get-MessageTraceDetailV2, the Receive event of each message."""
    path.write_text(json.dumps([_detail(message) for message in messages], indent=1), encoding="utf-8")


def _detail(message: Message) -> dict[str, str]:
    using = f" using {message.tls} with AES256" if message.tls.startswith("TLS") else ""
    custom = f"S:ProxiedClientIPAddress={message.client_ip};S:ProxiedClientHostname={message.helo}"
    values = {"ConnectorId": message.connector or DEFAULT_CONNECTOR, "ClientIP": "10.0.0.66",
              "ReturnPath": message.envelope_sender}  # fmt: skip
    parts = [f"<MEP Name={quoteattr(name)} String={quoteattr(value)} />" for name, value in values.items()]
    return {
        "MessageTraceId": message.key,
        "MessageId": _message_id(message),
        "Date": _iso(message.received_at),
        "Event": "Receive",
        "Action": "",
        "Detail": f"Message received by: {SERVER}.eurprd00.prod.outlook.com{using}",
        "Data": f'<root>{"".join(parts)}<MEP Name="CustomData" Blob={quoteattr(custom)} /></root>',
    }
