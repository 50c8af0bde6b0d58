"""Alerts, and real servers on loopback that take them: HTTP, SMTP, syslog over UDP, TCP and TLS."""

from __future__ import annotations

import json
import re
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import Message
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sidedoor.store.model import Alert, Finding, Severity

AT = datetime(2026, 11, 20, 9, 30, 15, 250_000, tzinfo=UTC)
FINDING = Finding(
    kind="sender-new",
    subject="sender-7",
    severity=Severity.SERIOUS,
    title="A new direct sender: MFP-HQ9",
    text="MFP-HQ9 has sent 12 messages as scan@contoso.example since yesterday.",
    advice="Decide whether it is yours; then run `sidedoor plan`.",
    source="history",
    evidence=(("address", "203.0.113.9"), ("HELO", "MFP-HQ9"), ("envelope sender", "scan@contoso.example")),
    since=AT - timedelta(days=1),
)
ALERT = Alert("alert-1", FINDING, AT, AT)


def alert(**changes: Any) -> Alert:
    """The alert, its finding changed."""
    return replace(ALERT, finding=replace(FINDING, **changes))


@dataclass
class WebHook:
    """Takes JSON posts. answers: (status, headers, seconds to wait before it), one for each post; then 200."""

    answers: list[tuple[int, dict[str, str], float]] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    port: int = 0

    def answer(self) -> tuple[int, dict[str, str], float]:
        """The next one."""
        return self.answers.pop(0) if self.answers else (200, {}, 0.0)


@contextmanager
def webhook(*answers: tuple[int, dict[str, str], float], tls: ssl.SSLContext | None = None) -> Iterator[WebHook]:
    """An HTTP server on loopback, over TLS with a context."""
    taken = WebHook(list(answers))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taken.bodies.append(json.loads(body))
            taken.paths.append(self.path)
            status, headers, wait = taken.answer()
            time.sleep(wait)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Silence."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    taken.port = server.server_address[1]
    with running(server):
        yield taken


@contextmanager
def running(server: socketserver.BaseServer) -> Iterator[None]:
    """A server in a thread, stopped at the end."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


class Inbox:
    """A mail server's handler that keeps what it takes."""

    def __init__(self) -> None:
        self.mails: list[Message] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.mails.append(message_from_bytes(envelope.content, policy=default))
        return "250 taken"


# RFC 5424 section 6, to the letter: what does not match is no syslog message.
_SYSLOG = re.compile(
    rb"<(?P<pri>[1-9]\d{0,2}|0)>1 (?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) (?P<host>[!-~]{1,255}) "
    rb"(?P<app>[!-~]{1,48}) (?P<process>[!-~]{1,128}) (?P<kind>[!-~]{1,32}) "
    rb"(?P<data>-|(?:\[[^\x00-\x20=\]\"\x7f-\xff]{1,32}"
    rb"(?: [^\x00-\x20=\]\"\x7f-\xff]{1,32}=\"(?:[^\"\\\]]|\\[\"\\\]])*\")*\])+)"
    rb"(?: (?P<text>.*))?",
    re.DOTALL,
)  # fmt: skip
_PARAMETER = re.compile(r' ([^ =\]"]+)="((?:[^"\\\]]|\\["\\\]])*)"')


@dataclass(frozen=True)
class Syslog:
    """A message, read."""

    priority: int
    host: str
    app: str
    kind: str
    sd_id: str
    parameters: tuple[tuple[str, str], ...]
    text: str
    marked: bool


def parse_syslog(data: bytes) -> Syslog:
    """Read one message strictly; AssertionError where RFC 5424 does not allow it."""
    found = _SYSLOG.fullmatch(data)
    assert found is not None, data
    told = found["data"].decode("utf-8")
    pairs = tuple((name, re.sub(r'\\(["\\\]])', r"\1", value)) for name, value in _PARAMETER.findall(told))
    text = found["text"] or b""
    marked = text.startswith(b"\xef\xbb\xbf")
    assert text.isascii() or marked or text.startswith(b"CEF:")
    return Syslog(
        int(found["pri"]), found["host"].decode(), found["app"].decode(), found["kind"].decode(),
        told[1:].partition(" ")[0], pairs, text.removeprefix(b"\xef\xbb\xbf").decode("utf-8"), marked,
    )  # fmt: skip


def unframed(data: bytes) -> list[bytes]:
    """Messages of a stream by octet counting (RFC 6587 section 3.4.1)."""
    found = []
    while data:
        length, _, rest = data.partition(b" ")
        assert re.fullmatch(rb"[1-9]\d*", length), data
        assert len(rest) >= int(length), "cut off"
        found.append(rest[: int(length)])
        data = rest[int(length) :]
    return found


@dataclass
class Stream:
    """What a server was sent, a connection each."""

    port: int
    got: list[bytes] = field(default_factory=list)

    def wait(self, count: int = 1) -> list[bytes]:
        """Once there are so many."""
        until = time.monotonic() + 5
        while len(self.got) < count and time.monotonic() < until:
            time.sleep(0.01)
        assert len(self.got) >= count
        return self.got


@contextmanager
def stream_server(tls: ssl.SSLContext | None = None, *, silent: bool = False, reset: bool = False) -> Iterator[Stream]:
    """A TCP server that reads to the end; `silent`: it never closes, `reset`: it cuts without reading."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            if reset:
                self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                self.request.close()
                return
            try:
                stream = tls.wrap_socket(self.request, server_side=True) if tls else self.request
            except OSError:
                return
            data = b""
            try:
                while piece := stream.recv(65_536):
                    data += piece
            except OSError:
                pass
            taken.got.append(data)
            if silent:
                time.sleep(8)
            stream.close()

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True
        block_on_close = False

    server = Server(("127.0.0.1", 0), Handler)
    taken = Stream(server.server_address[1])
    with running(server):
        yield taken


@contextmanager
def datagram_socket(path: Path | None = None) -> Iterator[socket.socket]:
    """A bound socket: UDP on loopback, or one in the file system."""
    with socket.socket(socket.AF_UNIX if path else socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(str(path) if path else ("127.0.0.1", 0))
        bound.settimeout(5)
        yield bound


@dataclass(frozen=True)
class Pair:
    """A certificate with its key, on disk."""

    certificate: Path
    both: Path
    der: Path


def certificate(
    folder: Path, *names: str, name: str = "server", common_name: str = "", ends: datetime | None = None
) -> Pair:
    """A self-signed certificate for host names and addresses."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name or names[0])])
    now = datetime.now(UTC)
    alternatives = [
        x509.IPAddress(ip_address(each)) if each.replace(".", "").isdigit() else x509.DNSName(each) for each in names
    ]
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(now, ends or now) - timedelta(days=1))
        .not_valid_after(ends or now + timedelta(days=90))
    )
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    made = builder.sign(key, hashes.SHA256())
    pair = Pair(folder / f"{name}.pem", folder / f"{name}-both.pem", folder / f"{name}.der")
    pem = made.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pair.certificate.write_bytes(pem)
    pair.both.write_bytes(private + pem)
    pair.der.write_bytes(made.public_bytes(serialization.Encoding.DER))
    return pair


def server_context(pair: Pair, ca: Path | None = None) -> ssl.SSLContext:
    """For a server; with `ca` it wants a client's certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.both)
    if ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(ca)
    return context
