"""How an operator says where mail goes on, and who may relay: what is taken, and what is refused with which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidedoor.edge.delivery.graph import GraphTransport
from sidedoor.edge.delivery.smtp import SmtpTransport
from sidedoor.edge.delivery.way import read_way
from sidedoor.edge.relay import RelayClients
from sidedoor.errors import InputError, UsageError
from sidedoor.mail.network import parse_ip, parse_network

OAUTH = '[oauth]\ntenant = "contoso.onmicrosoft.com"\nclient_id = "c"\nsecret_file = "secret"\n'
VERIFIED = 'method = "smtp"\nhost = "mx.example"\ntls = "verified"\nuser = "s@contoso.com"'
GOOD = {
    'method = "smtp"\nhost = "mx.example"': SmtpTransport,
    'method = "lmtp"\nhost = "127.0.0.1"\nport = 2400\ntls = "none"': SmtpTransport,
    f'{VERIFIED}\npassword_file = "secret"': SmtpTransport,
    f'method = "smtp"\nhost = "mx.example"\ntls = "verified"\nuser = "s@contoso.com"\n{OAUTH}': SmtpTransport,
    f'method = "graph"\n{OAUTH}': GraphTransport,
}
BAD = {
    "": "method",
    "method": "TOML",
    'method = "pigeon"': "pigeon",
    'method = "smtp"': "host",
    'method = "smtp"\nhost = 3': "str",
    'method = "smtp"\nhost = "a"\nport = true': "port",
    'method = "smtp"\nhost = "a"\nport = 70000': "70000",
    'method = "smtp"\nhost = "a"\ntls = "maybe"': "maybe",
    'method = "smtp"\nhost = "a"\nsecret = "x"': "secret",
    'method = "smtp"\nhost = "a"\ncertificate = "c.pem"': "key",
    'method = "smtp"\nhost = "a"\ncertificate = "no.pem"\nkey = "no.key"': "no.pem",
    'method = "smtp"\nhost = "a"\nuser = "u"\npassword_file = "secret"': "verified",
    'method = "smtp"\nhost = "a"\ntls = "verified"\npassword_file = "secret"': "user",
    'method = "smtp"\nhost = "a"\ntls = "verified"\nuser = "u"\npassword_file = "missing"': "missing",
    'method = "smtp"\nhost = "a"\ntls = "verified"\nuser = "u"\npassword_file = "empty"': "nothing in it",
    'method = "graph"': "oauth",
    f'method = "graph"\nhost = "a"\n{OAUTH}': "host",
    f'method = "graph"\nendpoint = "http://graph.example"\n{OAUTH}': "https",
    'method = "graph"\n[oauth]\ntenant = "t"\nclient_id = "c"': "either",
    'method = "graph"\n[oauth]\ntenant = "t"\nclient_id = "c"\ncertificate = "secret"\nkey = "secret"': "PEM",
    'method = "graph"\n[oauth]\nclient_id = "c"\nsecret_file = "secret"': "tenant",
}


def write(folder: Path, toml: str) -> Path:
    """The file, with a secret beside it."""
    (folder / "secret").write_text("hunter2-secret\n")
    (folder / "empty").write_text("\n")
    path = folder / "delivery.toml"
    path.write_text(toml)
    return path


@pytest.mark.parametrize("toml", GOOD)
def test_what_can_be_said(tmp_path: Path, toml: str) -> None:
    assert isinstance(read_way(write(tmp_path, toml), "edge.example"), GOOD[toml])


@pytest.mark.parametrize("toml", BAD)
def test_what_is_refused_is_named(tmp_path: Path, toml: str) -> None:
    with pytest.raises(InputError) as caught:
        read_way(write(tmp_path, toml), "edge.example")
    assert BAD[toml] in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "network",
    ["0.0.0.0/0", "::/0", "0.0.0.0/1", "128.0.0.0/1", "8.0.0.0/7", "10.0.0.0/7", "198.51.100.0/23", "2001:db8::/32"],
)
def test_the_world_is_no_branch_office(network: str) -> None:
    with pytest.raises(UsageError, match=network):
        RelayClients((parse_network(network),))


@pytest.mark.parametrize(
    ("network", "inside", "outside"),
    [
        ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
        ("192.168.0.0/16", "192.168.7.1", "192.169.0.1"),
        ("198.51.100.0/24", "198.51.100.200", "198.51.101.1"),
        ("10.1.0.0/16", "::ffff:10.1.2.3", "::ffff:10.2.2.3"),
        ("2001:db8:1::/48", "2001:db8:1::9", "2001:db8:2::9"),
        ("fc00::/7", "fd12::1", "2001:db8::1"),
    ],
)
def test_devices_are_known_by_their_network(network: str, inside: str, outside: str) -> None:
    clients = RelayClients((parse_network(network),))
    assert clients.hold(parse_ip(inside))
    assert not clients.hold(parse_ip(outside))


def test_nobody_relays_by_default() -> None:
    assert not RelayClients().hold(parse_ip("127.0.0.1"))
