"""A month of a tenant, an evening run each day: the alerts it must raise, and none beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.audit.audit_kit import connector
from tests.watching.world import BRANCH, FIRST, World

RELAY = "relay.northwind.example"
ENDS = 34  # the day on which the relay's certificate ends


def certificate(path: Path, ends: datetime) -> None:
    """The relay's, as a PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, RELAY)])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(ends - timedelta(days=90))
        .not_valid_after(ends)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(RELAY)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))


def moment(day: int) -> datetime:
    return datetime.combine(FIRST + timedelta(days=day), datetime.min.time(), UTC)


# Day -> (occasion, kind) that its evening must tell of; on every other day nothing.
TOLD: Mapping[int, set[tuple[str, str]]] = {
    15: {("raised", "certificate-expiring")},  # it was renewed for 19 days only
    17: {("raised", "new-sender")},  # the branch office
    19: {("raised", "spoof-burst")},
    22: {("recovered", "spoof-burst")},
    23: {("raised", "connector-added")},  # the plan's; somebody else's would look the same
    25: {("raised", "direct-send-reopened")},
    26: {("recovered", "direct-send-reopened")},
    27: {("worsened", "certificate-expiring")},  # a week before
    29: {("recovered", "certificate-expiring")},  # renewed
}
CLOSED = 23


def test_a_month(tmp_path: Path) -> None:
    world = World(tmp_path / "northwind")
    toml = world.folder / "sidedoor.toml"
    toml.write_text(toml.read_text().replace("# shown_by = []", 'shown_by = ["relay.pem"]'))
    world.connectors = [connector("Relay", TlsSenderCertificateName=RELAY, RequireTls=True)]
    certificate(world.folder / "relay.pem", moment(200))
    world.settle()
    world.begun()
    assert world.watch(13).error == ""
    told: dict[int, set[tuple[str, str]]] = {}
    for day in range(14, 34):
        world.export(f"{day}.csv", mail_of(world, day))
        EVENTS.get(day, _nothing)(world)
        before = len(world.told())
        result = world.watch(day)
        assert result.error == ""
        told[day] = set(world.told()[before:])
    assert {day: what for day, what in told.items() if what} == TOLD
    assert len(world.told()) == sum(map(len, TOLD.values()))


def mail_of(world: World, day: int) -> list[dict[str, str]]:
    """What the exports of a day show: once the door is closed, devices come through their connector, spoofs not."""
    rows = world.usual(day)
    if day >= 17:
        rows += world.mail(day, BRANCH, "branch@northwind.example", 3)
    if day == 19:
        rows += world.spoofs(day, 80)
    return rows if day <= CLOSED else [row | {"Connectors": "Devices"} for row in rows]


def _close(world: World) -> None:
    """The plan's connector, then the switch."""
    domains = ["smtp:northwind.example;1"]
    world.connectors.append(connector("Devices", SenderIPAddresses=["203.0.113.0/24"], SenderDomains=domains))
    _switch(world, on=True)


def _switch(world: World, *, on: bool) -> None:
    world.reject = on
    world.settle()


def _nothing(_world: World) -> None:
    """An ordinary day."""


EVENTS: Mapping[int, Callable[[World], None]] = {
    15: lambda world: certificate(world.folder / "relay.pem", moment(ENDS)),
    CLOSED: _close,
    25: lambda world: _switch(world, on=False),
    26: lambda world: _switch(world, on=True),
    29: lambda world: certificate(world.folder / "relay.pem", moment(300)),
}
