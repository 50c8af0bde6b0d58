"""Non-delivery reports about mail that the tenant's door refused: evidence, never proof, because anybody can write one.

Refused mail is in no trace of Exchange Online; what comes back to its sender is the only word about it.
"""

from __future__ import annotations

from sidedoor.evidence.bounces.model import Bounce, BounceReading, Kind
from sidedoor.evidence.bounces.read import read_folder, read_mail
from sidedoor.evidence.bounces.report import is_ours

__all__ = ["Bounce", "BounceReading", "Kind", "is_ours", "read_folder", "read_mail"]
