"""The rows of each export: what Exchange Online's formats tell of a message. `sinks` writes them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from xml.sax.saxutils import quoteattr

from sidedoor.demo.message import Message

SERVER = "AM9PR00MB0001"
DEFAULT_CONNECTOR = rf"{SERVER}\Default {SERVER}"
TRACE_HEADER = (
    "MessageTraceId", "MessageId", "Received", "SenderAddress", "RecipientAddress", "FromIP", "ToIP", "Subject",
    "Status", "Size",
)  # fmt: skip
EVENTS_HEADER = (
    "Timestamp", "NetworkMessageId", "InternetMessageId", "SenderMailFromAddress", "SenderFromAddress",
    "SenderMailFromDomain", "SenderFromDomain", "SenderIPv4", "SenderIPv6", "RecipientEmailAddress", "Subject",
    "EmailDirection", "DeliveryAction", "DeliveryLocation", "AuthenticationDetails", "Connectors", "ReportId",
)  # fmt: skip
EXTENDED_HEADER = (
    "date_time_utc", "client_ip", "client_hostname", "server_ip", "server_hostname", "source_context", "connector_id",
    "source", "event_id", "internal_message_id", "message_id", "network_message_id", "recipient_address",
    "recipient_status", "total_bytes", "recipient_count", "related_recipient_address", "reference", "message_subject",
    "sender_address", "return_path", "message_info", "directionality", "tenant_id", "original_client_ip",
    "original_server_ip", "custom_data",
)  # fmt: skip
ENHANCED_HEADER = (
    "origin_timestamp_utc", "sender_address", "recipient_status", "message_subject", "total_bytes", "message_id",
    "network_message_id", "original_client_ip", "directionality", "connector_id", "delivery_priority",
)  # fmt: skip
CONNECTOR_HEADER = (
    "origin_timestamp_utc", "message_id", "network_message_id", "sender_address", "recipient_address",
    "message_subject", "original_client_ip", "connector_name", "connector_type", "tls_used", "directionality",
)  # fmt: skip
_ACTIONS = {"Delivered": ("Delivered", "Inbox/folder"), "FilteredAsSpam": ("Junked", "Junk folder"),
            "Quarantined": ("Blocked", "Quarantine")}  # fmt: skip


def iso(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.0000000Z"


def _american(moment: datetime) -> str:
    """`11/3/2026 8:25:40 AM`, as PowerShell on an American machine writes a date into a CSV."""
    half = "AM" if moment.hour < 12 else "PM"
    return f"{moment.month}/{moment.day}/{moment.year} {moment.hour % 12 or 12}:{moment:%M:%S} {half}"


def message_id(message: Message) -> str:
    return f"<{message.key[:13]}@{message.helo.strip('[]') or 'prod.outlook.com'}>"


def trace_row(message: Message) -> Sequence[str]:
    """Get-MessageTraceV2; SenderAddress is the header From here."""
    return (
        message.key, message_id(message), _american(message.received_at), message.header_from, message.recipient,
        message.client_ip, "", message.subject, message.status, size(message),
    )  # fmt: skip


def size(message: Message) -> str:
    """Bytes, the same in every export."""
    return str(2000 + int(message.key[:4], 16))


def event_row(message: Message) -> Sequence[str]:
    """EmailEvents as the Defender portal exports it, with ISO times."""
    envelope = "" if message.envelope_sender == "<>" else message.envelope_sender
    results = {"SPF": message.spf, "DKIM": message.dkim, "DMARC": message.dmarc, "CompAuth": message.compauth}
    six = ":" in message.client_ip
    return (
        f"{message.received_at:%Y-%m-%dT%H:%M:%SZ}", message.key, message_id(message), envelope, message.header_from,
        envelope.rpartition("@")[2], message.header_from.rpartition("@")[2], "" if six else message.client_ip,
        message.client_ip if six else "", message.recipient, message.subject, message.direction,
        *_ACTIONS[message.status], json.dumps({name: result for name, result in results.items() if result}),
        message.connector, f"{message.key}-1",
    )  # fmt: skip


def extended_row(message: Message, event: str, tenant_id: str) -> Sequence[str]:
    """The extended historical search, a row for each `event`: return_path is the envelope sender."""
    received = event == "RECEIVE"
    tls = f"S:tlsversion=SP_PROT_{message.tls.replace('.', '_')}_SERVER;" if message.tls.startswith("TLS") else ""
    custom = (
        f"S:ProxyHop1=AM0EUR00FT001.mail.protection.outlook.com(10.0.0.66);S:ProxiedClientIPAddress={message.client_ip};"
        f"S:ProxiedClientHostname={message.helo};{tls}S:DeliveryPriority=Normal"
    )
    cells = {
        "date_time_utc": iso(message.received_at), "client_ip": message.client_ip if received else "",
        "client_hostname": message.helo if received else "", "server_hostname": f"{SERVER}.eurprd00.prod.outlook.com",
        "connector_id": (message.connector or DEFAULT_CONNECTOR) if received else "",
        "source": "SMTP" if received else "STOREDRIVER", "event_id": event, "message_id": message_id(message),
        "network_message_id": message.key, "recipient_address": message.recipient, "total_bytes": size(message),
        "recipient_count": "1", "message_subject": message.subject, "sender_address": message.header_from,
        "return_path": message.envelope_sender, "directionality": "Incoming", "tenant_id": tenant_id,
        "original_client_ip": message.client_ip, "custom_data": custom if received else "S:DeliveryPriority=Normal",
    }  # fmt: skip
    return [cells.get(name, "") for name in EXTENDED_HEADER]


def enhanced_row(message: Message) -> Sequence[str]:
    """The enhanced historical search; its sender_address is the envelope sender here."""
    inbound = message.direction == "Inbound"
    return (
        iso(message.received_at), message.envelope_sender, f"{message.recipient}##Receive, Deliver", message.subject,
        size(message), message_id(message), message.key, message.client_ip, "1" if inbound else "2",
        (message.connector or DEFAULT_CONNECTOR) if inbound else "", "Normal",
    )  # fmt: skip


def connector_row(message: Message) -> Sequence[str]:
    """The ConnectorReport of what came by no connector. Its header is not documented; this is the form we infer."""
    return (
        iso(message.received_at), message_id(message), message.key, message.envelope_sender, message.recipient,
        message.subject, message.client_ip, "", "NoConnector", message.tls.replace("none", "No TLS"), "Received",
    )  # fmt: skip


def graph_row(message: Message) -> dict[str, object]:
    """Graph's messageTraces; senderAddress is the header From, as in the cmdlet."""
    return {
        "id": message.key, "senderAddress": message.header_from, "recipientAddress": message.recipient,
        "messageId": message_id(message), "receivedDateTime": iso(message.received_at), "subject": message.subject,
        "size": int(size(message)), "fromIP": message.client_ip, "toIP": "",
        "status": message.status[0].lower() + message.status[1:],
    }  # fmt: skip


def detail_row(message: Message) -> dict[str, str]:
    """Get-MessageTraceDetailV2, the Receive event of a message."""
    using = f" using {message.tls} with AES256" if message.tls.startswith("TLS") else ""
    custom = f"S:ProxiedClientIPAddress={message.client_ip};S:ProxiedClientHostname={message.helo}"
    values = {"ConnectorId": message.connector or DEFAULT_CONNECTOR, "ClientIP": "10.0.0.66",
              "ReturnPath": message.envelope_sender}  # fmt: skip
    parts = [f"<MEP Name={quoteattr(name)} String={quoteattr(value)} />" for name, value in values.items()]
    return {
        "MessageTraceId": message.key,
        "MessageId": message_id(message),
        "Date": iso(message.received_at),
        "Event": "Receive",
        "Action": "",
        "Detail": f"Message received by: {SERVER}.eurprd00.prod.outlook.com{using}",
        "Data": f'<root>{"".join(parts)}<MEP Name="CustomData" Blob={quoteattr(custom)} /></root>',
    }
