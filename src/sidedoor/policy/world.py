"""One completion of what is known: everything the rule looks at, settled."""

from __future__ import annotations

from typing import NamedTuple

from sidedoor.mail.domain import Domain
from sidedoor.mail.network import IPAddress
from sidedoor.policy.facts import ClientCertificate, Direction, Entry
from sidedoor.policy.tables import AcceptedTable, ConnectorTable
from sidedoor.tenant.snapshot import ConnectorKind


class Recorded(NamedTuple):
    """What the service's own record says of attribution: `kind` None says "no connector that attributes".

    `standing` is whether today's tenant still has the connector, enabled: then today's rule is taken to agree.
    """

    kind: ConnectorKind | None
    connector: str | None
    standing: bool
    reason: str


class World(NamedTuple):
    """A connection, an envelope and the tenant's settings without any unknown.

    sender: the envelope sender's domain, None for the null reverse-path. recipient_exists: None where nobody looked.
    history: the service's own record shows that it took the message; record, direction and entry come from there.
    """

    client_ip: IPAddress | None
    tls: bool
    certificate: ClientCertificate | None
    authenticated: bool
    sender: Domain | None
    recipient: Domain
    recipient_exists: bool | None
    accepted: AcceptedTable
    connectors: ConnectorTable
    history: bool = False
    record: Recorded | None = None
    direction: Direction | None = None
    entry: Entry | None = None
