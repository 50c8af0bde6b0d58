"""The open question about list-type traces: which address is in their sender column?"""

from __future__ import annotations

from enum import Enum


class ListedSender(Enum):
    """Which address a list-type trace shows in its sender column; sources disagree (docs/decisions/0004)."""

    ENVELOPE = "envelope"  # 5321.MailFrom
    HEADER = "header"  # 5322.From
    UNKNOWN = "unknown"  # nobody has shown it: own-domain mail then stays a candidate
