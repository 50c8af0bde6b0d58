"""Attacks on a live edge: it refuses, it forgets, and it serves honest clients all the while."""

from __future__ import annotations

import base64
import os
import re
import resource
import smtplib
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sidedoor.edge.crowd import Room
from sidedoor.edge.interface import Listener, Outcome
from sidedoor.edge.relay import RelayClients
from sidedoor.edge.server import Endpoint, Options, TlsFiles
from sidedoor.edge.users import line_for, read_users
from sidedoor.mail.network import parse_network
from tests.audit.audit_kit import accepted_domain, connector, write_settings
from tests.edge.difference_kit import Authority
from tests.edge.live_kit import Live, Raw

OWN, STRANGER = b"desk@contoso.example", b"x@elsewhere.example"


@pytest.fixture(scope="module")
def tenant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_settings(tmp_path_factory.mktemp("tenant") / "t", [accepted_domain("contoso.example", Default=True)])


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[TlsFiles, Authority]:
    authority = Authority(tmp_path_factory.mktemp("pki") / "ca")
    folder = authority.folder
    return TlsFiles(folder / "edge.example.pem", folder / "edge.example.key", folder / "ca.pem"), authority


@pytest.fixture
def live(tenant: Path) -> Iterator[Live]:
    with Live(tenant) as made:
        yield made


def honest(port: int, host: str = "127.0.0.1") -> float:
    """An honest message; the seconds it took."""
    started = time.monotonic()
    with smtplib.SMTP(host, port, "honest.example", timeout=10) as client:
        client.sendmail("news@far.example", [OWN.decode()], "Subject: x\r\n\r\nx\r\n")
    return time.monotonic() - started


def envelope(client: Raw, to: bytes = OWN, sender: bytes = b"a@far.example") -> bytes:
    """EHLO, MAIL and RCPT; the answer to the last."""
    assert client.ask(b"EHLO a")[:3] == b"250"
    assert client.ask(b"MAIL FROM:<" + sender + b">")[:3] == b"250"
    return client.ask(b"RCPT TO:<" + to + b">")


def test_commands_before_tls_are_not_read_under_it(tenant: Path, files: tuple[TlsFiles, Authority]) -> None:
    with Live(tenant, tls=files[0]) as live:
        client = Raw(live.port)
        client.reply()
        client.ask(b"EHLO a")
        client.socket.sendall(b"STARTTLS\r\nMAIL FROM:<evil@contoso.example>\r\nRCPT TO:<" + OWN + b">\r\n")
        assert client.reply().startswith(b"220")
        with files[1].client(None).wrap_socket(client.socket, server_hostname="edge.example") as secure:
            secure.sendall(b"NOOP\r\n")
            first = secure.recv(4096)
            assert first.startswith(b"250 2.0.0"), first
            secure.sendall(b"RCPT TO:<" + OWN + b">\r\n")
            assert secure.recv(4096).startswith(b"503")
        assert live.memory.records == []


@pytest.mark.parametrize(
    ("certificate", "names", "submission"),
    [
        ("mail.contoso.example", "mail.contoso.example", "partner-connector"),
        ("gw.far.example", "*.far.example", "partner-connector"),
        ("other.example", "*.far.example", "direct-send"),
        (None, "mail.contoso.example", "direct-send"),
    ],
)
def test_certificates_attribute_by_their_names(
    tmp_path: Path, files: tuple[TlsFiles, Authority], certificate: str | None, names: str, submission: str
) -> None:
    own = connector("Gateway", TlsSenderCertificateName=names)
    tenant = write_settings(tmp_path / "t", [accepted_domain("contoso.example")], [own])
    with Live(tenant, tls=files[0]) as live, smtplib.SMTP("127.0.0.1", live.port, "a.example", timeout=10) as client:
        client.starttls(context=files[1].client(certificate))
        client.sendmail("scan@contoso.example", [OWN.decode()], "Subject: x\r\n\r\nx\r\n")
        assert live.memory.kept[0].recipients[0].decision.submission.value == submission


def test_a_certificate_of_nobody_attributes_nothing(tmp_path: Path, files: tuple[TlsFiles, Authority]) -> None:
    stranger = Authority(tmp_path / "ca2")
    own = connector("Gateway", TlsSenderCertificateName="mail.contoso.example")
    tenant = write_settings(tmp_path / "t", [accepted_domain("contoso.example")], [own])
    with Live(tenant, tls=files[0]) as live, smtplib.SMTP("127.0.0.1", live.port, "a.example", timeout=10) as client:
        client.starttls(context=stranger.client("mail.contoso.example"))
        client.sendmail("scan@contoso.example", [OWN.decode()], "Subject: x\r\n\r\nx\r\n")
        kept = live.memory.kept[0]
    assert kept.recipients[0].decision.submission.value == "direct-send"
    assert kept.session.tls is not None
    assert kept.session.tls.certificate is not None
    assert not kept.session.tls.certificate.verified
    assert kept.session.tls.certificate.problem


def test_a_stranger_may_not_say_who_he_is(live: Live) -> None:
    client = Raw(live.port, first=b"PROXY TCP4 192.0.2.1 127.0.0.1 1 25\r\n")
    assert client.reply().startswith(b"220")
    assert client.reply().startswith(b"5")
    client.close()


@pytest.mark.parametrize(
    "head",
    [
        b"PROXY TCP4 999.0.2.1 127.0.0.1 1 25\r\n", b"PROXY TCP4 192.0.2.1\r\n", b"EHLO a\r\n", b"PROXY " + b"x" * 200,
        b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\xff\xff" + b"x" * 100, b"\r\n\r\n\x00\r\nQUIT\n\x31\x11\x00\x0c" + b"x" * 12,
    ],
)  # fmt: skip
def test_a_proxy_that_speaks_nonsense_is_cut(tenant: Path, head: bytes) -> None:
    with Live(tenant, proxies=["127.0.0.1"]) as live:
        client = Raw(live.port, first=head)
        client.socket.settimeout(5)
        assert client.line() == b""
        honest_client = Raw(live.port, first=b"PROXY TCP4 203.0.113.9 127.0.0.1 1 25\r\n")
        assert honest_client.reply().startswith(b"220")
        honest_client.close()


@pytest.mark.parametrize(
    ("head", "ip"),
    [
        (b"PROXY TCP4 203.0.113.9 127.0.0.1 4711 25\r\n", "203.0.113.9"),
        (b"PROXY TCP6 2001:db8::9 ::1 4711 25\r\n", "2001:db8::9"),
        (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
        (b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + bytes([203, 0, 113, 9, *b"\x7f\0\0\1abcd"]), "203.0.113.9"),
        (b"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00", "127.0.0.1"),
    ],
)  # fmt: skip
def test_a_named_proxy_tells_the_client(tenant: Path, head: bytes, ip: str) -> None:
    with Live(tenant, proxies=["127.0.0.0/8"]) as live:
        client = Raw(live.port)
        for octet in head:  # however it is cut
            client.socket.sendall(bytes([octet]))
        assert client.reply().startswith(b"220")
        assert envelope(client, STRANGER).startswith(b"550 5.7.64")
        client.close()
        assert str(live.memory.records[0].session.client_ip) == ip


OPEN = [
    connector("world", ConnectorType="OnPremises", SenderIPAddresses=["0.0.0.0/0"]),
    connector("half", ConnectorType="OnPremises", SenderIPAddresses=["0.0.0.0/1", "128.0.0.0/1"]),
    connector("loopback", ConnectorType="OnPremises", SenderIPAddresses=["127.0.0.0/8"]),
    connector("any name", ConnectorType="OnPremises", TlsSenderCertificateName="*"),
    connector("no condition", ConnectorType="OnPremises"),
    connector("partner", ConnectorType="Partner", SenderIPAddresses=["127.0.0.1"]),
    connector("domain alone", ConnectorType="OnPremises", SenderDomains=["smtp:*;1"]),
]


@pytest.mark.parametrize("setting", OPEN, ids=lambda each: each["Name"])
@pytest.mark.parametrize("policy", [{}, {"audit_only": True}], ids=["", "audit-only"])
def test_no_mistake_makes_an_open_relay(tmp_path: Path, setting: dict[str, Any], policy: dict[str, Any]) -> None:
    tenant = write_settings(tmp_path / "t", [accepted_domain("contoso.example")], [setting])
    with Live(tenant, **policy) as live:
        for sender in (b"a@far.example", b""):
            client = Raw(live.port)
            client.reply()
            assert envelope(client, STRANGER, sender).startswith(b"550 5.7.64")
            client.close()


def test_devices_relay_and_nobody_else(tenant: Path) -> None:
    relay = RelayClients((parse_network("10.1.0.0/16"),))
    answers = {}
    with Live(tenant, proxies=["127.0.0.1"], relay=relay) as live:
        for ip in (b"10.1.2.3", b"10.2.2.3"):
            for sender in (b"scan@contoso.example", b"a@far.example", b""):
                client = Raw(live.port, first=b"PROXY TCP4 " + ip + b" 127.0.0.1 1 25\r\n")
                client.reply()
                answers[ip, sender] = envelope(client, STRANGER, sender)[:3]
                client.close()
    own = (b"10.1.2.3", b"scan@contoso.example")
    assert answers == {key: b"250" if key == own else b"550" for key in answers}


def test_settings_come_into_force_late_and_drop_nobody(tmp_path: Path) -> None:
    tenant = write_settings(tmp_path / "t", [accepted_domain("contoso.example")])
    with Live(tenant, delay=4.0) as live:
        client = Raw(live.port)
        client.reply()
        assert envelope(client, sender=b"scan@contoso.example").startswith(b"250")
        changed = time.monotonic()
        write_settings(tenant, [accepted_domain("contoso.example")], reject_direct_send=True)
        answer = b"250"
        while answer.startswith(b"250") and time.monotonic() - changed < 15:
            time.sleep(0.2)
            client.ask(b"RSET")
            client.ask(b"MAIL FROM:<scan@contoso.example>")
            answer = client.ask(b"RCPT TO:<" + OWN + b">")
        assert answer.startswith(b"550 5.7.68")
        assert time.monotonic() - changed >= 4.0
        client.close()


@pytest.mark.parametrize("name", [b"x%elsewhere.example@contoso.example", b'"x@elsewhere.example"@contoso.example'])
def test_addresses_with_another_inside_are_ours_or_nobodys(live: Live, name: bytes) -> None:
    client = Raw(live.port)
    client.reply()
    envelope(client, name)
    for record in live.memory.records:
        assert str(record.recipient.address.domain) == "contoso.example"
    client.close()


def test_logins_are_guessed_three_times(tenant: Path, files: tuple[TlsFiles, Authority], tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.write_text(line_for("scan@contoso.example", "right") + "\n")
    options = Options([Endpoint("127.0.0.1", 0, Listener.SUBMISSION)], tls=files[0], users=read_users(users))
    with Live(tenant, options=options) as live:
        with smtplib.SMTP("127.0.0.1", live.port, "a.example", timeout=20) as client:
            client.ehlo()
            assert not client.has_extn("auth")
            assert client.docmd("AUTH PLAIN AGEAYg==")[0] == 538
            client.starttls(context=files[1].client(None))
            client.ehlo()
            assert client.has_extn("auth")
            guess = base64.b64encode(b"\0scan@contoso.example\0wrong").decode()
            answers = [client.docmd(f"AUTH PLAIN {guess}")[0] for _ in range(2)]
            assert answers == [535, 535]
            assert client.docmd(f"AUTH PLAIN {guess}")[0] == 535
            assert client.docmd("NOOP")[0] == 421
        with smtplib.SMTP("127.0.0.1", live.port, "a.example", timeout=20) as client:
            client.starttls(context=files[1].client(None))
            client.login("scan@contoso.example", "right")
            client.sendmail("scan@contoso.example", [STRANGER.decode()], "Subject: x\r\n\r\nx\r\n")
        assert live.memory.kept[0].recipients[0].decision.submission.value == "authenticated"
        assert not any("right" in text or "wrong" in text for text in live.complaints)


@pytest.mark.parametrize(
    ("content", "answer"),
    [
        (b"".join(b"Received: from a by b; now\r\n" for _ in range(101)) + b"\r\nx\r\n", b"554 5.4.6"),
        (b"X: " + b"y" * 900 + b"\r\n", b"250 2.6.0"),
        (b"".join(b"X-%d: %s\r\n" % (n, b"y" * 900) for n in range(300)) + b"\r\nx\r\n", b"552 5.3.4"),
        (b"Subject: x\r\n\r\n" + b"z" * 100_000 + b"\r\n", b"250 2.6.0"),
    ],
)
def test_headers_without_end(live: Live, content: bytes, answer: bytes) -> None:
    client = Raw(live.port)
    client.reply()
    assert envelope(client).startswith(b"250")
    assert client.ask(b"DATA").startswith(b"354")
    client.socket.sendall(content + b".\r\n")
    assert client.reply().startswith(answer)
    client.close()


def test_two_thousand_that_say_nothing(tenant: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(hard, 8_192)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    crowd = min(2_000, (wanted - 500) // 2)
    idle: list[socket.socket] = []
    # From many addresses, or the share of one address would end it sooner.
    with Live(tenant, proxies=["127.0.0.1"], room=Room(crowd, crowd)) as live:
        before = _rss()
        try:
            for number in range(crowd):
                idle.append(socket.create_connection(("127.0.0.1", live.port), 10))
                idle[-1].sendall(b"PROXY TCP4 203.0.%d.%d 127.0.0.1 1 25\r\n" % (number // 250, number % 250 + 1))
            client = Raw(live.port, first=b"PROXY TCP4 192.0.2.1 127.0.0.1 1 25\r\n")
            started = time.monotonic()
            assert client.reply().startswith(b"220")
            assert envelope(client).startswith(b"250")
            assert time.monotonic() - started < 5
            client.close()
            assert _rss() - before < 200 << 20
        finally:
            for each in idle:
                each.close()


def _rss() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_one_address_does_not_take_the_house(tenant: Path) -> None:
    with Live(tenant, room=Room(20, 5)) as live:
        idle = [Raw(live.port) for _ in range(5)]
        assert all(each.reply().startswith(b"220") for each in idle)
        more = Raw(live.port)
        answers = {more.reply()[:3], *(each.line()[:3] for each in idle[:1])}
        assert b"421" in answers
        for each in (*idle, more):
            each.close()


def test_the_silent_are_sent_away(tenant: Path) -> None:
    with Live(tenant, room=Room(patience=1.0, patience_at_first=1.0)) as live:
        silent, slow = Raw(live.port), Raw(live.port)
        silent.reply()
        slow.reply()
        envelope(slow)
        slow.ask(b"DATA")
        slow.socket.sendall(b"x")
        assert silent.reply().startswith(b"421")
        assert slow.reply().startswith(b"421")
        honest(live.port)


def test_what_cannot_be_kept_is_not_acknowledged(live: Live) -> None:
    live.memory.fault = OSError(28, "No space left on device")
    with smtplib.SMTP("127.0.0.1", live.port, "a.example", timeout=10) as client:
        with pytest.raises(smtplib.SMTPDataError) as caught:
            client.sendmail("a@far.example", [OWN.decode()], "Subject: x\r\n\r\nx\r\n")
        assert caught.value.smtp_code == 451
        live.memory.fault = None
        client.sendmail("a@far.example", [OWN.decode()], "Subject: x\r\n\r\nx\r\n")
    assert [each.outcome for each in live.memory.records] == [Outcome.NOT_KEPT, Outcome.KEPT]


def test_the_undetermined_is_answered_as_the_operator_says(tmp_path: Path) -> None:
    folder = write_settings(tmp_path / "t", [accepted_domain("contoso.example")])
    (folder / "InboundConnector.json").unlink()
    (folder / "OrganizationConfig.json").unlink()
    for tempfail, answer in ((False, b"250"), (True, b"451 4.")):
        with Live(folder, tempfail_undetermined=tempfail) as live:
            client = Raw(live.port)
            client.reply()
            assert envelope(client, sender=b"scan@contoso.example").startswith(answer)
            client.close()
            assert "verdict-depends-on-unknown" in _last(live).recipient.decision.reasons


def _last(live: Live) -> Any:
    for _ in range(100):
        if live.memory.records:
            return live.memory.records[-1]
        time.sleep(0.02)
    raise AssertionError("nothing was written down")


def test_a_message_on_its_way_is_finished_when_the_edge_stops(tenant: Path) -> None:
    with Live(tenant) as live:
        busy, idle = Raw(live.port), Raw(live.port)
        busy.reply()
        idle.reply()
        envelope(busy)
        busy.ask(b"DATA")
        live.stop()
        assert idle.reply().startswith(b"421 4.3.2")
        assert busy.ask(b"Subject: x\r\n\r\nx\r\n.").startswith(b"250 2.6.0")


def test_version_six_has_a_door_too(tenant: Path) -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 here")
    with Live(tenant, options=Options([Endpoint("::1", 0)])) as live:
        honest(live.port, "::1")
        assert str(live.memory.kept[0].session.client_ip) == "::1"


def test_refusals_end_as_the_services_do(tmp_path: Path) -> None:
    tenant = write_settings(tmp_path / "t", [accepted_domain("contoso.example")], reject_direct_send=True)
    with Live(tenant) as live:
        client = Raw(live.port)
        client.reply()
        said = envelope(client, sender=b"scan@contoso.example").decode()
        client.close()
    assert re.fullmatch(
        r"550 5\.7\.68 TenantInboundAttribution; Direct Send not allowed for this organization from unauthorized "
        r"sources "
        r"\[mx\.example \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z [0-9A-F]{16}\]",
        said,
    )


def test_garbage_instead_of_a_handshake(tenant: Path, files: tuple[TlsFiles, Authority]) -> None:
    with Live(tenant, tls=files[0]) as live:
        for garbage in (b"\x16\x03\x01\xff\xff" + os.urandom(300), b"EHLO again\r\n" * 20, b""):
            client = Raw(live.port)
            client.reply()
            client.ask(b"EHLO a")
            assert client.ask(b"STARTTLS").startswith(b"220")
            client.socket.sendall(garbage)
            client.close()
        with smtplib.SMTP("127.0.0.1", live.port, "a.example", timeout=10) as honest_client:
            honest_client.starttls(context=files[1].client(None))
            honest_client.sendmail("a@far.example", [OWN.decode()], "Subject: x\r\n\r\nx\r\n")
