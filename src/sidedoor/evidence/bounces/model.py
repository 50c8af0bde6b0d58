"""What a non-delivery report tells, and what reading a folder of them gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sidedoor.evidence.record import RejectedRow
from sidedoor.mail.fact import Fact, Unknown

_NO_TIME = Unknown("the report names no time")


class Kind(StrEnum):
    """What a message turned out to be."""

    OURS = "ours"  # a report with a code that matters
    OTHER = "other"  # a report about something else
    NO_REPORT = "no-report"  # no non-delivery report at all
    REJECTED = "rejected"  # it could not be read


@dataclass(frozen=True, slots=True)
class Bounce:
    """One recipient of one report. Texts as they came, bounded, "" where the report does not say.

    key: the same report about the same recipient has the same, wherever it was read. code: 5.7.68 (RejectDirectSend) or
    5.7.51 (a Partner connector's restriction). envelope_sender: `<>` for the null one; sender_from: what tells it.
    reporting_mta: who tried to hand the mail in; remote_mta: who refused it. address: the client's, as text.
    claimed: nothing but the report's own word stands behind it; otherwise vouched says who vouches for whom.
    """

    key: str
    code: str
    diagnostic: str
    envelope_sender: str
    sender_from: str
    recipient: str
    reporting_mta: str
    remote_mta: str
    address: str
    at: Fact[datetime]
    message_id: str
    claimed: bool
    vouched: str = ""

    def as_body(self) -> dict[str, Any]:
        """JSON values, for the store; `of_body` reads them."""
        told = asdict(self)
        told["at"] = None if isinstance(self.at, Unknown) else self.at.isoformat()
        return told

    @staticmethod
    def of_body(body: Mapping[str, Any]) -> Bounce:
        """From the store."""
        at = body["at"]
        return Bounce(**{**body, "at": _NO_TIME if at is None else datetime.fromisoformat(at)})


@dataclass(frozen=True, slots=True)
class BounceReading:
    """What was read. messages = sum of `kinds`; other_codes: code -> recipients that are no business of ours.

    rejected: file and why. files: name -> stamp of every file read, so that an unchanged one need not be read again.
    unchanged: files passed over for that reason.
    """

    bounces: tuple[Bounce, ...] = ()
    kinds: Mapping[Kind, int] = field(default_factory=dict)
    other_codes: Mapping[str, int] = field(default_factory=dict)
    rejected: tuple[tuple[str, RejectedRow], ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    unchanged: int = 0

    @property
    def messages(self) -> int:
        """Messages in, of whatever kind."""
        return sum(self.kinds.values())
