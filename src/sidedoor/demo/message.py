"""One message of the invented history, with everything any export may tell of it, and the truth about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Message:
    """One message to one recipient. Text fields are as the service would record them; "" is known absent.

    sender: key of the real-world sender in truth.json. submission, would_reject: what the audit should find.
    """

    key: str
    received_at: datetime
    envelope_sender: str  # "<>" for the null reverse-path
    header_from: str
    recipient: str
    client_ip: str
    helo: str
    tls: str
    connector: str
    direction: str  # Inbound, Intra-org, Outbound (EmailEvents' words)
    spf: str
    dkim: str
    dmarc: str
    compauth: str
    status: str  # Delivered, FilteredAsSpam, Quarantined
    subject: str
    sender: str
    submission: str
    would_reject: bool
