"""Certificates of connectors: out of files, and from mail servers on loopback that show them."""

from __future__ import annotations

import re
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP
from hypothesis import given
from hypothesis import strategies as st

from sidedoor.mail.fact import Unknown
from sidedoor.tenant.snapshot import ConnectorKind, InboundConnector, TenantSnapshot
from sidedoor.watch.certificates import ReadCertificate, Unread, from_file, from_host, read_certificates
from tests.ports import free_port
from tests.watch.channel_kit import Inbox, certificate, server_context

ENDS = datetime(2027, 2, 1, 12, tzinfo=UTC)


def good() -> bytes:
    """A certificate, the same throughout a run of the tests."""
    with tempfile.TemporaryDirectory() as folder:
        return certificate(Path(folder), "mail.contoso.example").der.read_bytes()


GOOD = good()


def connector(name: str, asks: str | None, **changes: Any) -> InboundConnector:
    """A connector that asks for a certificate."""
    return InboundConnector(
        name, ConnectorKind.ON_PREMISES, changes.pop("enabled", True), tls_certificate_name=asks, **changes
    )


def tenant(*connectors: InboundConnector) -> TenantSnapshot:
    """With these connectors."""
    return TenantSnapshot(inbound_connectors=connectors)


@contextmanager
def mail_server(context: ssl.SSLContext | None) -> Iterator[int]:
    """A mail server that offers STARTTLS, or none."""

    class Offering(Controller):
        def factory(self) -> SMTP:
            return SMTP(self.handler, tls_context=context, hostname="mail.contoso.example")

    controller = Offering(Inbox(), hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


@contextmanager
def talking(*lines: bytes, pause: float = 0.0) -> Iterator[int]:
    """A server that says these lines whatever is said to it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    stream, _ = listening.accept()
                except OSError:
                    return
                with stream:
                    try:
                        for line in lines:
                            stream.sendall(line)
                            time.sleep(pause)
                        stream.settimeout(2)
                        while stream.recv(4_096):
                            pass
                    except OSError:
                        pass

        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1]
        listening.close()


@pytest.mark.parametrize("form", ["certificate", "both", "der"])
def test_a_file_in_every_form(tmp_path: Path, form: str) -> None:
    pair = certificate(tmp_path, "mail.contoso.example", "Autodiscover.Contoso.example", ends=ENDS)
    path = getattr(pair, form)
    read = from_file(path)
    assert read == ReadCertificate(("mail.contoso.example", "autodiscover.contoso.example"), ENDS, str(path))


def test_of_a_chain_the_certificate_that_is_no_authority(tmp_path: Path) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Some Authority")])
    authority = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(ENDS - timedelta(days=9)).not_valid_after(ENDS + timedelta(days=999))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(key, hashes.SHA256())
    )  # fmt: skip
    leaf = certificate(tmp_path, "mail.contoso.example", ends=ENDS)
    chain = tmp_path / "chain.pem"
    chain.write_bytes(authority.public_bytes(Encoding.PEM) + leaf.certificate.read_bytes())
    read = from_file(chain)
    assert isinstance(read, ReadCertificate)
    assert read.not_after == ENDS


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "neither"),
        (b"hello", "neither"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "neither"),
        (b"-----BEGIN CERTIFICATE-----", "neither"),
        (b"0" * (1 << 21), "more than"),
    ],
)
def test_what_is_no_certificate_is_said(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "x.pem"
    path.write_bytes(content)
    read = from_file(path)
    assert isinstance(read, Unread)
    assert why in read.why


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    assert from_file(tmp_path / "none.pem") == Unread(
        str(tmp_path / "none.pem"), "no readable file (No such file or directory)"
    )


@given(st.data())
def test_a_damaged_file_is_a_certificate_or_none(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.getbasetemp()
    whole = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = folder / "damaged.der"
    path.write_bytes(bytes(whole[: data.draw(st.integers(0, len(whole)))]))
    assert isinstance(from_file(path), ReadCertificate | Unread)


def test_a_server_shows_its_certificate_and_that_it_does_not_verify_is_said(tmp_path: Path) -> None:
    pair = certificate(
        tmp_path, "mail.contoso.example", ends=datetime.now(UTC).replace(microsecond=0) + timedelta(days=5)
    )
    with mail_server(server_context(pair)) as port:
        read = from_host("127.0.0.1", port)
    assert isinstance(read, ReadCertificate)
    assert read.names == ("mail.contoso.example",)
    assert timedelta(days=4) < read.not_after - datetime.now(UTC) <= timedelta(days=5)
    assert "does not verify (self-signed" in read.note


def test_a_certificate_that_has_ended_is_read_too(tmp_path: Path) -> None:
    pair = certificate(tmp_path, "mail.contoso.example", ends=datetime(2026, 1, 1, tzinfo=UTC))
    with mail_server(server_context(pair)) as port:
        read = from_host("127.0.0.1", port)
    assert isinstance(read, ReadCertificate)
    assert read.not_after == datetime(2026, 1, 1, tzinfo=UTC)


def test_one_that_verifies_is_said_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = certificate(tmp_path, "127.0.0.1", "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(pair.certificate))  # where OpenSSL looks for its authorities
    with mail_server(server_context(pair)) as port:
        read = from_host("localhost", port)
    assert isinstance(read, ReadCertificate)
    assert read.note == ""


def test_no_starttls_is_said() -> None:
    with mail_server(None) as port:
        assert from_host("127.0.0.1", port) == Unread(f"127.0.0.1:{port}", "no STARTTLS is offered")


def test_nobody_there_is_said() -> None:
    port = free_port()
    assert from_host("127.0.0.1", port) == Unread(f"127.0.0.1:{port}", "Connection refused")


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ((b"220 x\r\n", b"250-x\r\n250 STARTTLS\r\n", b"454 not now\r\n"), "STARTTLS is refused|it answers 454"),
        ((b"554 go away\r\n",), "it answers 554"),
        ((b"220 x\r\n", b"250-x\r\n250 STARTTLS\r\n", b"220 go\r\n", b"no tls at all" * 9), "TLS failed"),
        ((b"\xff\xfe\r\n",), "SMTPServerDisconnected|SMTPException"),
        ((b"220-" + b"x" * 99_999,), "it answers 500"),
    ],
)
def test_a_server_that_fails_is_said(lines: tuple[bytes, ...], why: str) -> None:
    with talking(*lines, pause=0.05) as port:
        read = from_host("127.0.0.1", port, seconds=2.0)
    assert isinstance(read, Unread)
    assert re.search(why, read.why)


@pytest.mark.parametrize("lines", [(), (b"220 x\r\n",), (b"220-x\r\n",) * 50])
def test_a_server_that_hangs_ends_in_time(lines: tuple[bytes, ...]) -> None:
    begun = time.monotonic()
    with talking(*lines, pause=0.1) as port:
        assert isinstance(from_host("127.0.0.1", port, seconds=0.6), Unread)
    assert time.monotonic() - begun < 3


def test_a_certificate_belongs_to_the_connectors_that_ask_for_it(tmp_path: Path) -> None:
    one = certificate(tmp_path, "mail.contoso.example", name="one", ends=ENDS).certificate
    wild = certificate(tmp_path, "*.gw.example", name="wild", ends=ENDS).certificate
    bare = certificate(tmp_path, name="bare", common_name="old.contoso.example", ends=ENDS).certificate
    stray = certificate(tmp_path, "else.example", name="stray", ends=ENDS).certificate
    snapshot = tenant(
        connector("exact", "mail.contoso.example"),
        connector("any host", "*.contoso.example"),
        connector("gateway", "*.gw.example"),
        connector("off", "mail.contoso.example", enabled=False),
        connector("perhaps", "old.contoso.example", enabled=Unknown("lost")),
        connector("missing", "new.contoso.example"),
        connector("by address", None),
    )
    read = read_certificates([one, wild, bare, stray, tmp_path / "none.pem"], [], snapshot)
    assert {(each.connector, Path(each.where).name) for each in read.certificates} == {
        ("exact", "one.pem"), ("any host", "one.pem"), ("gateway", "wild.pem"), ("perhaps", "bare.pem"),
        ("any host", "bare.pem"),
    }  # fmt: skip
    assert all(each.not_after == ENDS for each in read.certificates)
    unread = {(Path(each.where).name, each.connector): each.why for each in read.unread}
    assert set(unread) == {("stray.pem", ""), ("none.pem", ""), ("", "missing")}
    assert "which no enabled connector asks for" in unread["stray.pem", ""]
    assert "new.contoso.example" in unread["", "missing"]


def test_where_connectors_are_not_known_nothing_is_passed_over(tmp_path: Path) -> None:
    path = certificate(tmp_path, "mail.contoso.example").certificate
    read = read_certificates([path], [("127.0.0.1", free_port())], TenantSnapshot())
    assert read.certificates == ()
    assert len(read.unread) == 2
    assert "connectors are not known" in read.unread[1].why


def test_a_note_about_a_server_comes_with_the_reading(tmp_path: Path) -> None:
    pair = certificate(tmp_path, "mail.contoso.example")
    with mail_server(server_context(pair)) as port:
        read = read_certificates([], [("127.0.0.1", port)], tenant(connector("exact", "mail.contoso.example")))
    assert [each.where for each in read.certificates] == [f"127.0.0.1:{port}"]
    assert len(read.notes) == 1
