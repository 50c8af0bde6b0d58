"""What a message's own way in (`facts.Entry`) means for the facts that the rule looks at.

Reported by those who read such header fields, not documented by Microsoft: every decision that rests on one says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from sidedoor.mail.domain import Domain
from sidedoor.mail.fact import Fact, Unknown
from sidedoor.mail.network import IPAddress
from sidedoor.policy.decision import Certainty
from sidedoor.policy.examples import NO_CONNECTORS, Examples
from sidedoor.policy.facts import NOT_RECORDED, Connection, Direction, Entry, MessageFacts
from sidedoor.policy.tables import AcceptedTable, ConnectorTable
from sidedoor.policy.world import Recorded
from sidedoor.tenant.snapshot import ConnectorKind, InboundConnector

_RELAY = Unknown("the client spoke to a server of the organisation, not to Exchange Online")
_NAMELESS = "somebody"

REASONS: Mapping[Entry, tuple[str, Certainty]] = {
    Entry.DIRECT_SEND: ("labelled-direct-send", Certainty.REPORTED),
    Entry.CONNECTOR: ("headers-show-connector", Certainty.REPORTED),
    Entry.AUTHENTICATED: ("headers-show-login", Certainty.REPORTED),
    Entry.ANONYMOUS: ("headers-show-anonymous", Certainty.REPORTED),
    Entry.REFUSED: ("refused-before-reject-direct-send", Certainty.DOCUMENTED),
    Entry.RELAYED: ("relayed-on-premises", Certainty.DOCUMENTED),
}
"""The reason that a decision gives for each, and how sure it is."""


def entry_of(message: MessageFacts) -> Entry | None:
    """The entry of mail that the service took; None where nothing shows it."""
    return None if isinstance(message.entry, Unknown) or not message.accepted else message.entry


def told(entry: Entry | None, connection: Connection, message: MessageFacts) -> tuple[Connection, MessageFacts]:
    """The facts with what `entry` tells of them."""
    match entry:
        case None:
            return connection, message
        case Entry.RELAYED:
            return replace(connection, client_ip=_RELAY, tls=_RELAY), message
        case Entry.AUTHENTICATED:
            return replace(connection, authenticated_as=_NAMELESS), message
    connection = replace(connection, authenticated_as=None)
    if not isinstance(message.connector, Unknown):
        return connection, message
    if entry is Entry.CONNECTOR:
        # Such mail is called incoming too, which elsewhere means "no OnPremises connector".
        return connection, replace(message, direction=NOT_RECORDED)
    if isinstance(message.direction, Unknown):
        message = replace(message, direction=Direction.INCOMING)
    return connection, replace(message, connector=None) if entry is Entry.DIRECT_SEND else message


def attributed(examples: Examples, client_ip: Fact[IPAddress | None]) -> Iterator[tuple[ConnectorTable, Recorded]]:
    """Some connector attributed it: the one that lists the address, else an OnPremises one, else one that is gone."""
    for table in examples.tables:
        listed = [] if isinstance(client_ip, Unknown) else sorted(table.by_address(client_ip))
        rows = [table.connectors[index].row for index in listed]
        rows = rows or [each.row for each in table.connectors if each.row.kind is ConnectorKind.ON_PREMISES]
        yield table, _recorded(rows)
    if not examples.tables:
        yield NO_CONNECTORS, Recorded(ConnectorKind.ON_PREMISES, None, standing=True, reason="connectors-unknown")


def _recorded(rows: list[InboundConnector]) -> Recorded:
    if not rows:
        return Recorded(ConnectorKind.ON_PREMISES, None, standing=False, reason="recorded-connector-gone")
    kinds = {row.kind for row in rows}
    kind = ConnectorKind.ON_PREMISES if ConnectorKind.ON_PREMISES in kinds else rows[0].kind
    names = sorted({row.name for row in rows if row.kind is kind})
    return Recorded(kind, names[0] if len(names) == 1 else None, standing=True, reason="recorded-connector-fits")


def fits(entry: Entry | None, accepted: AcceptedTable, sender: Domain | None) -> bool:
    """Whether a way the unknown facts could be agrees with the label: Direct Send has an own envelope sender."""
    return entry is not Entry.DIRECT_SEND or (sender is not None and accepted.find(sender) is not None)
