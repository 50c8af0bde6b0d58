"""What transport rules are told of one message to one recipient."""

from __future__ import annotations

from dataclasses import dataclass

from sidedoor.mail.address import Address, EnvelopeSender
from sidedoor.mail.fact import Fact, Unknown
from sidedoor.mail.network import IPAddress
from sidedoor.policy.facts import NOT_RECORDED
from sidedoor.policy.mailflow.header import HeaderField
from sidedoor.policy.mailflow.kinds import NOT_READ

NOT_FILTERED = Unknown("no spam filter has judged the message")


@dataclass(frozen=True, slots=True)
class Attachment:
    """One attachment: `name` as the message gives it (may be ""), `size` in octets after decoding."""

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class MessageView:
    """Facts of one message to one recipient; each may be unknown.

    `fields` are decoded (`header.header_fields`). They are believed: whoever takes mail from outside first removes what
    strangers wrote as X-MS-Exchange-Organization-*, as Exchange's header firewall does, and stamps his own.
    `authenticated` is what FromScope calls an authenticated connection: a login, a mailbox, an OnPremises connector.
    `client_ip` is the last hop before the service. `size` is the whole message in octets, `scl` -1 to 9.
    `body` is the decoded text. `part_types` are media types of MIME parts in lower case.
    """

    envelope_sender: Fact[EnvelopeSender] = NOT_RECORDED
    recipient: Fact[Address] = NOT_RECORDED
    client_ip: Fact[IPAddress | None] = NOT_RECORDED
    authenticated: Fact[bool] = NOT_RECORDED
    fields: Fact[tuple[HeaderField, ...]] = NOT_RECORDED
    size: Fact[int] = NOT_RECORDED
    scl: Fact[int] = NOT_FILTERED
    body: Fact[str] = NOT_READ
    part_types: Fact[frozenset[str]] = NOT_READ
    attachments: Fact[tuple[Attachment, ...]] = NOT_READ
