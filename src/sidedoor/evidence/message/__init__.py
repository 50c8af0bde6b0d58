"""What raw messages tell: their path, who vouches for which line, and the facts of the connection they came by."""

from __future__ import annotations

from sidedoor.evidence.message.fields import MessageError
from sidedoor.evidence.message.model import Hop, HopTrust, Mailbox, MessageEvidence, Sureness, Told
from sidedoor.evidence.message.parse import parse_message
from sidedoor.evidence.message.read import is_message_file, read_message_bytes, read_messages

__all__ = [
    "Hop",
    "HopTrust",
    "Mailbox",
    "MessageError",
    "MessageEvidence",
    "Sureness",
    "Told",
    "is_message_file",
    "parse_message",
    "read_message_bytes",
    "read_messages",
]
