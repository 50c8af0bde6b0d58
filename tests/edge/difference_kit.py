"""One rule, three ways to it: `Rule.decide`, a live server over SMTP, and the audit of the log that the server wrote.

A random tenant, random connections by PROXY protocol (so any client address), TLS with random client certificates,
random envelopes. Every answer is compared; `run` returns the counts and the differences.
"""

from __future__ import annotations

import asyncio
import json
import random
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sidedoor.audit.run import AuditOptions, audit
from sidedoor.edge.current import Current
from sidedoor.edge.door import Policy
from sidedoor.edge.interface import Listener
from sidedoor.edge.log import JsonLog
from sidedoor.edge.maildir import DiscardKeeper
from sidedoor.edge.server import EdgeServer, Endpoint, Options, TlsFiles
from sidedoor.edge.settings import Settings, Source
from sidedoor.mail.address import parse_address, parse_envelope_sender
from sidedoor.mail.network import parse_ip, parse_network
from sidedoor.mailauth.zonefile import read_zones
from sidedoor.policy.facts import NOT_RECORDED, ClientCertificate, Connection, Envelope, MessageFacts, Tls
from sidedoor.tenant.snapshot import MailExchanger
from tests.audit.audit_kit import accepted_domain, connector, write_settings

OWN = ("contoso.example", "sub.contoso.example", "fabrikam.example", "bücher.example")
FOREIGN = ("far.example", "x.far.example", "newsletter.example")
ADDRESSES = (
    "203.0.113.10", "203.0.113.11", "203.0.113.77", "198.51.100.7", "198.51.100.200", "192.0.2.1", "2001:db8:10::25",
)  # fmt: skip
NETWORKS = ("198.51.100.0/24", "198.51.100.0/28", "192.0.2.1", "203.0.113.10", "203.0.113.64/26")
CERTIFICATES = (None, "mail.contoso.example", "gw.far.example", "other.example")
PATTERNS = (None, None, "mail.contoso.example", "*.far.example", "*.contoso.example")
ZONE = "\n".join(
    [
        "$ORIGIN example.",
        "@ 60 IN SOA ns.example. h.example. 1 3600 600 86400 60",
        *(f"{name} 60 IN MX 0 x.mail.protection.outlook.com." for name in ("contoso", "sub.contoso", "fabrikam")),
        "xn--bcher-kva 60 IN MX 0 x.mail.protection.outlook.com.\n",
    ]
)


def random_tenant(dice: random.Random, folder: Path) -> None:
    """Settings with every kind of connector."""
    domains = [
        accepted_domain(name, MatchSubDomains=dice.random() < 0.3, Default=not number,
                        DomainType=dice.choice(["Authoritative", "InternalRelay"]))
        for number, name in enumerate(dice.sample(OWN, dice.randint(1, 3)))
    ]  # fmt: skip
    connectors = [_connector(dice, number) for number in range(dice.randint(0, 4))]
    write_settings(folder, domains, connectors, reject_direct_send=dice.random() < 0.5)
    if dice.random() < 0.7:
        lists = {"Name": "Default", "IsDefault": True, "IPAllowList": [], "EnableSafeList": False,
                 "IPBlockList": dice.sample(NETWORKS, dice.randint(0, 1))}  # fmt: skip
        (folder / "HostedConnectionFilterPolicy.json").write_text(json.dumps(lists))


def _connector(dice: random.Random, number: int) -> dict[str, Any]:
    domains = [f"smtp:{dice.choice(['*', dice.choice(OWN), f'*.{dice.choice(FOREIGN)}'])};1"
               for _ in range(dice.randint(1, 2))]  # fmt: skip
    return connector(
        f"connector-{number}",
        Enabled=dice.random() < 0.8,
        ConnectorType=dice.choice(["Partner", "Partner", "OnPremises"]),
        SenderIPAddresses=dice.sample(NETWORKS, dice.randint(0, 2)),
        SenderDomains=domains,
        TlsSenderCertificateName=dice.choice(PATTERNS),
        RequireTls=dice.random() < 0.3,
        RestrictDomainsToIPAddresses=dice.random() < 0.3,
        RestrictDomainsToCertificate=dice.random() < 0.3,
    )


@dataclass(frozen=True)
class Transaction:
    """A MAIL FROM with its recipients, none of them twice."""

    sender: str
    recipients: tuple[str, ...]


@dataclass(frozen=True)
class Visit:
    """A connection: its client, and what it sends."""

    client_ip: str
    helo: str
    tls: bool
    certificate: str | None
    transactions: tuple[Transaction, ...]


def random_visit(dice: random.Random, tls_share: float) -> Visit:
    """A client with one to four messages."""
    tls = dice.random() < tls_share
    transactions = []
    for _ in range(dice.randint(1, 4)):
        who = dice.choice([*OWN, *OWN, *FOREIGN])
        sender = "" if dice.random() < 0.1 else f"app{dice.randint(0, 9)}@{who}"
        to = {f"user{dice.randint(0, 99)}@{dice.choice([*OWN, *OWN, *FOREIGN])}" for _ in range(dice.randint(1, 3))}
        transactions.append(Transaction(sender, tuple(sorted(to))))
    certificate = dice.choice(CERTIFICATES) if tls else None
    helo = dice.choice(["[192.0.2.7]", "printer.contoso.example"])
    return Visit(dice.choice(ADDRESSES), helo, tls, certificate, tuple(transactions))


@dataclass
class Count:
    """How much was compared, and where the ways parted."""

    connections: int = 0
    envelopes: int = 0
    refused: int = 0
    under_tls: int = 0
    differences: list[str] = field(default_factory=list)

    def differ(self, *what: object) -> None:
        self.differences.append(" | ".join(map(str, what)))


# -- certificates ------------------------------------------------------------------------------------------------------


class Authority:
    """A CA with a certificate for the server and one for each client's name, as PEM files in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test CA")])
        (folder / "ca.pem").write_bytes(self._sign("Test CA", self._key, ca=True))
        for name in ("edge.example", *filter(None, CERTIFICATES)):
            key = ec.generate_private_key(ec.SECP256R1())
            (folder / f"{name}.pem").write_bytes(self._sign(name, key, ca=False))
            private = key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            (folder / f"{name}.key").write_bytes(private)

    def _sign(self, name: str, key: ec.EllipticCurvePrivateKey, *, ca: bool) -> bytes:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=2))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if not ca:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def client(self, certificate: str | None) -> ssl.SSLContext:
        """For a client that shows `certificate`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if certificate is not None:
            context.load_cert_chain(self.folder / f"{certificate}.pem", self.folder / f"{certificate}.key")
        return context


# -- the live way ------------------------------------------------------------------------------------------------------


class Client:
    """Speaks SMTP as one client after another."""

    def __init__(self, port: int, authority: Authority) -> None:
        self._port = port
        self._contexts = {name: authority.client(name) for name in CERTIFICATES}

    async def visit(self, visit: Visit) -> list[list[int]]:
        """The reply codes to each RCPT TO, by transaction."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            family = "TCP6" if ":" in visit.client_ip else "TCP4"
            there = "::1" if family == "TCP6" else "127.0.0.1"
            writer.write(f"PROXY {family} {visit.client_ip} {there} 4711 25\r\n".encode())
            await _reply(reader)
            await _ask(reader, writer, f"EHLO {visit.helo}")
            if visit.tls:
                await _ask(reader, writer, "STARTTLS")
                await writer.start_tls(self._contexts[visit.certificate], server_hostname="edge.example")
                await _ask(reader, writer, f"EHLO {visit.helo}")
            return [await _send(reader, writer, each) for each in visit.transactions]
        finally:
            writer.close()


async def _send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sent: Transaction) -> list[int]:
    """One message, its commands pipelined up to DATA."""
    option = "" if (sent.sender + "".join(sent.recipients)).isascii() else " SMTPUTF8"
    commands = [f"MAIL FROM:<{sent.sender}>{option}", *(f"RCPT TO:<{each}>" for each in sent.recipients)]
    writer.write("".join(f"{line}\r\n" for line in commands).encode())
    codes = [await _reply(reader) for _ in commands]
    if any(code == 250 for code in codes[1:]):
        await _ask(reader, writer, "DATA")
        await _ask(reader, writer, "From: a@b.example\r\n\r\nx\r\n.")
    else:
        await _ask(reader, writer, "RSET")
    return codes[1:]


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: str) -> int:
    writer.write(f"{line}\r\n".encode())
    return await _reply(reader)


async def _reply(reader: asyncio.StreamReader) -> int:
    while True:
        line = await reader.readuntil(b"\r\n")
        if line[3:4] != b"-":
            return int(line[:3])


async def _serve(tenant: Path, log: Path, authority: Authority, visits: Sequence[Visit]) -> list[list[list[int]]]:
    folder = authority.folder
    files = TlsFiles(folder / "edge.example.pem", folder / "edge.example.key", folder / "ca.pem")
    options = Options([Endpoint("127.0.0.1", 0, Listener.SMTP)], [parse_network("127.0.0.1")], files)
    current = Current(Source(tenant, mx=MailExchanger.EXCHANGE_ONLINE), lambda _: None)
    loop = asyncio.get_running_loop()
    policy = Policy("edge.example", current.get, JsonLog(log, loop.call_soon, lambda _: None))
    server = EdgeServer(options, policy, DiscardKeeper(), current, lambda _: None)
    await server.start()
    running = asyncio.create_task(server.run())
    client, gate = Client(server.addresses[0][1], authority), asyncio.Semaphore(20)

    async def one(visit: Visit) -> list[list[int]]:
        async with gate:
            return await client.visit(visit)

    try:
        return await asyncio.gather(*(one(visit) for visit in visits))
    finally:
        server.stop()
        await running


# -- the comparison ----------------------------------------------------------------------------------------------------


def run(folder: Path, seed: int, connections: int, authority: Authority, tls_share: float = 0.25) -> Count:
    """One tenant, so many connections; all three ways compared."""
    dice, count = random.Random(seed), Count()
    tenant, log = folder / "tenant", folder / "decisions.jsonl"
    random_tenant(dice, tenant)
    visits = [random_visit(dice, tls_share) for _ in range(connections)]
    codes = asyncio.run(_serve(tenant, log, authority, visits))
    settings = Source(tenant, mx=MailExchanger.EXCHANGE_ONLINE).read(datetime.now(UTC))
    count.connections, count.under_tls = connections, sum(visit.tls for visit in visits)
    for visit, answers in zip(visits, codes, strict=True):
        _compare_live(count, settings, visit, answers)
    _compare_audit(count, folder, tenant, log)
    return count


def _compare_live(count: Count, settings: Settings, visit: Visit, answers: list[list[int]]) -> None:
    for sent, codes in zip(visit.transactions, answers, strict=True):
        for recipient, code in zip(sent.recipients, codes, strict=True):
            decision = _scalar(settings, visit, sent.sender, recipient)
            count.envelopes += 1
            count.refused += code >= 500
            if decision != code:
                count.differ("live", visit, sent.sender, recipient, code, decision)


def _scalar(settings: Settings, visit: Visit, sender: str, recipient: str) -> int:
    names = ClientCertificate(visit.certificate, (visit.certificate,)) if visit.certificate else None
    tls = Tls("TLS1.3", names) if visit.tls else None
    to = parse_address(recipient)
    decision = settings.rule.decide(
        Connection(parse_ip(visit.client_ip), visit.helo, tls, None),
        Envelope(parse_envelope_sender(f"<{sender}>"), to),
        MessageFacts(connector=NOT_RECORDED, recipient_exists=NOT_RECORDED),
    )
    return decision.reply.code


def _compare_audit(count: Count, folder: Path, tenant: Path, log: Path) -> None:
    (folder / "zone").write_text(ZONE)
    report = folder / "report"
    report.mkdir()
    options = AuditOptions(read_zones([folder / "zone"]), datetime.now(UTC), tenant=(tenant,))
    audit([log], report, options, lambda *_: None)
    table = duckdb.execute(
        "SELECT network_message_id, recipient, submission, would_reject FROM read_parquet(?)",
        [str(report / "messages.parquet")],
    ).fetchall()
    forecast = {(row[0], row[1]): row[2:] for row in table}
    lines = list(_lines(log))
    if len(lines) != len(table):
        count.differ("rows", len(lines), len(table))
    for line in lines:
        key = (line["transaction"], str(parse_address(line["recipient"])).lower())
        did = (line["submission"], line["would_reject"])
        if forecast.get(key) != did:
            count.differ("audit", key, forecast.get(key), did, line["client_ip"], line["envelope_sender"], line["step"])


def _lines(log: Path) -> Iterator[dict[str, Any]]:
    with log.open(encoding="ascii") as stream:
        yield from map(json.loads, stream)
