"""What one raw message tells, each fact with how sure it is and where it stands.

`Told.value` is None for a fact known to be absent, and `Unknown` where the message does not say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Generic, NamedTuple, TypeVar

from sidedoor.evidence.message.lines import is_entry, reading_of
from sidedoor.mail.address import EnvelopeSender
from sidedoor.mail.domain import Domain
from sidedoor.mail.fact import Fact, Unknown
from sidedoor.mail.network import IPAddress
from sidedoor.mail.received import Received
from sidedoor.mailauth.authres import AuthResults

T_co = TypeVar("T_co", covariant=True)


class Sureness(Enum):
    """How far a fact from a header can be believed."""

    CERTAIN = "certain"  # in a trace field above the boundary: nobody but Exchange Online could put it there
    LIKELY = "likely"  # in a field that Exchange Online owns and is said to remove from what comes in
    CLAIMED = "claimed"  # whoever sent the message may have written it


class HeaderField(NamedTuple):
    """One field: `name` as written, `value` unfolded and trimmed, `line` its first line, counted from 1."""

    name: str
    value: str
    line: int


class Told(NamedTuple, Generic[T_co]):
    """A fact, how sure it is, the field that tells it ("" where none does) and that field's line."""

    value: Fact[T_co]
    sureness: Sureness
    source: str = ""
    line: int = 0

    @property
    def believed(self) -> bool:
        """Whether it came from the service, by more than the sender's word."""
        return self.sureness is not Sureness.CLAIMED


class HopTrust(Enum):
    """Who vouches for a Received line."""

    SERVICE = "service"  # Exchange Online wrote it after it had taken the message
    ENTRY = "entry"  # Exchange Online wrote it when it took the message: the boundary
    SENDER = "sender"  # below the boundary: may be forged


class Hop(NamedTuple):
    """One Received line, the newest first."""

    line: int
    text: str
    trust: HopTrust

    @property
    def parsed(self) -> Received:
        """The line's parts; empty where it could not be read. Read when asked for: most lines are never looked at."""
        return reading_of(self.text)[0]

    @property
    def problem(self) -> str:
        """Why the line could not be read, "" where it could."""
        return reading_of(self.text)[1]


class Mailbox(NamedTuple):
    """One address of a header field: display name, `local@domain` as written, and its domain where it has one."""

    display: str
    address: str
    domain: Domain | None


@dataclass(frozen=True, slots=True)
class Signature:
    """What a DKIM-Signature field says of itself: `d=` and `s=`; whether it holds is another question."""

    domain: str
    selector: str
    line: int


@dataclass(frozen=True, slots=True)
class MessageEvidence:
    """One message's header, read.

    boundary: the index in `hops` of the line that Exchange Online wrote when it took the message for the recipient's
    tenant; below it everything may be forged. entry: one of `record.ENTRIES` or None where the fields do not tell.
    oddities: what sources disagree about, in sentences. hops_left_out: Received lines beyond those in `hops`.
    """

    fields: tuple[HeaderField, ...]
    hops: tuple[Hop, ...]
    hops_left_out: int
    boundary: Fact[int]

    client_ip: Told[IPAddress | None]
    helo: Told[str | None]
    ptr: Told[str | None]
    tls: Told[str | None]  # None: the connection was in clear
    envelope_sender: Told[EnvelopeSender]
    envelope_domain: Told[Domain | None]  # None: the null reverse-path
    received_at: Told[datetime]

    header_from: Told[tuple[Mailbox, ...]]
    message_id: Told[str]
    date: Told[datetime]
    mailer: Told[str]
    list_id: Told[str]
    signatures: tuple[Signature, ...]

    authentication: Told[AuthResults]
    auth_as: Told[str]
    auth_source: Told[str]
    directionality: Told[str]
    from_entity: Told[str]
    anonymous_direct_send: Told[bool]
    internal_org_sender: Told[bool]
    mx_points_to_us: Told[bool]
    rules_loop: Told[str]
    network_message_id: Told[str]
    tenant_id: Told[str]
    scl: Told[int]
    report: Told[Mapping[str, str]]  # X-Forefront-Antispam-Report: CIP, H, PTR, DIR, SFV, CAT ...
    destination: Told[str]  # dest: of X-Microsoft-Antispam-Mailbox-Delivery: I inbox, J junk

    entry: Told[str | None]
    oddities: tuple[str, ...]

    def first(self, name: str) -> HeaderField | None:
        """The first field of that name, in any case of letters."""
        folded = name.lower()
        return next((each for each in self.fields if each.name.lower() == folded), None)

    @property
    def earlier_passes(self) -> tuple[int, ...]:
        """Indexes of hops below the boundary that look like Exchange Online's entry: an earlier pass, or forged."""
        below = self.boundary + 1 if isinstance(self.boundary, int) else 0
        return tuple(place for place in range(below, len(self.hops)) if is_entry(self.hops[place].parsed))

    @property
    def delivered_to(self) -> Told[tuple[str, ...]]:
        """Delivered-To, X-Original-To and `for <x>`: hints of the envelope recipient, none of them the service's."""
        fields = [field for field in self.fields if field.name.lower() in {"delivered-to", "x-original-to"}][:10]
        hops = [hop for hop in self.hops if hop.parsed.recipient][:10]
        found = [field.value for field in fields] + [hop.parsed.recipient or "" for hop in hops]
        if not found:
            return Told(Unknown("no field names the envelope recipient"), Sureness.CLAIMED)
        source, line = (fields[0].name, fields[0].line) if fields else ("Received", hops[0].line)
        return Told(tuple(dict.fromkeys(found)), Sureness.CLAIMED, source, line)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know before believing the header, in sentences."""
        if not self.earlier_passes:
            return self.oddities
        lines = ", ".join(str(self.hops[place].line) for place in self.earlier_passes[:5])
        return (*self.oddities, f"lines below the entry claim that Exchange Online had the message before: {lines}")

    @property
    def header_recipients(self) -> Told[tuple[Mailbox, ...]]:
        """To and Cc: what the author wrote, not the envelope. Read when asked for, because lists can be long."""
        from sidedoor.evidence.message.addresses import mailboxes_of

        return mailboxes_of(self.fields, "to", "cc")

    @property
    def entry_hop(self) -> Hop | None:
        """The line at the boundary."""
        return self.hops[self.boundary] if isinstance(self.boundary, int) else None
