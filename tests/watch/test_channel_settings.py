"""Channels from settings: what is wrong is said with file, key, found and expected; a secret never is."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidedoor.errors import InputError
from sidedoor.store.model import Severity
from sidedoor.watch.channels.apprise import AppriseChannel
from sidedoor.watch.channels.interface import Outlet
from sidedoor.watch.channels.jsonl import JsonlChannel
from sidedoor.watch.channels.settings import KEYS, Surroundings, read_channels
from sidedoor.watch.channels.syslog import Form, Framing, SyslogChannel, Transport
from tests.watch.channel_kit import alert

SECRET = "json://user:hunter2@127.0.0.1:9/x"
KINDS = ("sender-new", "sender-silent", "door-open")


def around(folder: Path, **environ: str) -> Surroundings:
    """Settings in a folder."""
    return Surroundings(folder / "sidedoor.toml", environ, KINDS)


def read(folder: Path, text: str, **environ: str) -> tuple[Outlet, ...]:
    """Channels of a TOML text."""
    return read_channels(tomllib.loads(text)["alerts"], around(folder, **environ))


def test_every_type_is_read(tmp_path: Path) -> None:
    (tmp_path / "url").write_text(f"{SECRET}\n")
    found = read(
        tmp_path,
        """
        [alerts.channels.teams]
        type = "apprise"
        url = "env:TEAMS_URL"
        minimum = "serious"
        kinds = ["door-open", "sender-*"]
        [alerts.channels.mail]
        type = "apprise"
        url = "file:url"
        seconds = 5
        [alerts.channels.siem]
        type = "syslog"
        transport = "tls"
        host = "siem.contoso.example"
        form = "cef"
        facility = "auth"
        sd_id = "x@99"
        [alerts.channels.local]
        type = "syslog"
        transport = "local"
        [alerts.channels.lines]
        type = "jsonl"
        path = "alerts.jsonl"
        rotate_mb = 10
        keep = 3
        """,
        TEAMS_URL=SECRET,
    )
    assert [outlet.channel.name for outlet in found] == ["teams", "mail", "siem", "local", "lines"]
    teams, mail, siem, local, rows = (outlet.channel for outlet in found)
    assert isinstance(teams, AppriseChannel)
    assert isinstance(mail, AppriseChannel)
    assert isinstance(siem, SyslogChannel)
    assert (siem.place.transport, siem.place.port, siem.form, siem.facility) == (Transport.TLS, 6514, Form.CEF, 4)
    assert isinstance(local, SyslogChannel)
    assert local.place.path == "/dev/log"
    assert local.place.framing is Framing.OCTETS
    assert isinstance(rows, JsonlChannel)
    assert rows == JsonlChannel("lines", tmp_path / "alerts.jsonl", 10 << 20, 3)
    assert found[0].minimum is Severity.SERIOUS
    assert [outlet.channel.looks for outlet in found] == [False, False, False, False, True]


def test_no_channels_are_none(tmp_path: Path) -> None:
    assert read_channels({}, around(tmp_path)) == ()
    assert read_channels({"channels": {}, "thresholds": {"burst": 1}}, around(tmp_path)) == ()


@pytest.mark.parametrize(
    ("severity", "kind", "wanted"),
    [
        (Severity.SERIOUS, "door-open", True),
        (Severity.CRITICAL, "sender-new", True),
        (Severity.WARNING, "door-open", False),
        (Severity.CRITICAL, "dns-spf", False),
    ],
)
def test_a_channel_wants_what_was_asked_for(tmp_path: Path, severity: Severity, kind: str, wanted: bool) -> None:
    table = {"type": "jsonl", "path": "x", "minimum": "serious", "kinds": ["door-open", "sender-*"]}
    (outlet,) = read_channels({"channels": {"a": table}}, around(tmp_path))
    assert outlet.wants(alert(severity=severity, kind=kind).finding) is wanted


JSONL = {"type": "jsonl", "path": "x"}
SYSLOG = {"type": "syslog", "transport": "tcp", "host": "h.example"}


@pytest.mark.parametrize(
    ("table", "key", "found"),
    [
        ("x", "", "'x'"),
        ({}, "type", "nothing"),
        ({"type": "smoke"}, "type", "'smoke'"),
        ({"type": ["jsonl"]}, "type", "['jsonl']"),
        ({**JSONL, "pth": "y"}, "pth", "a key that"),
        ({"type": "jsonl"}, "path", "nothing"),
        ({**JSONL, "path": ""}, "path", "''"),
        ({**JSONL, "path": "a\nb"}, "path", "'a\\nb'"),
        ({**JSONL, "rotate_mb": -1}, "rotate_mb", "-1"),
        ({**JSONL, "rotate_mb": True}, "rotate_mb", "True"),
        ({**JSONL, "keep": 0}, "keep", "0"),
        ({**JSONL, "minimum": "loud"}, "minimum", "'loud'"),
        ({**JSONL, "kinds": "door-open"}, "kinds", "'door-open'"),
        ({**JSONL, "kinds": ["Door"]}, "kinds", "['Door']"),
        ({**JSONL, "kinds": ["door-shut"]}, "kinds", "'door-shut'"),
        ({**JSONL, "kinds": ["dns-*"]}, "kinds", "'dns-*'"),
        ({**SYSLOG, "transport": "smoke"}, "transport", "'smoke'"),
        ({"type": "syslog", "transport": "tcp"}, "host", "nothing"),
        ({**SYSLOG, "port": 70_000}, "port", "70000"),
        ({**SYSLOG, "port": "514"}, "port", "'514'"),
        ({**SYSLOG, "facility": "kern"}, "facility", "'kern'"),
        ({**SYSLOG, "sd_id": "sidedoor"}, "sd_id", "'sidedoor'"),
        ({**SYSLOG, "form": "xml"}, "form", "'xml'"),
        ({**SYSLOG, "ca": "ca.pem"}, "transport", "tcp"),
        ({**SYSLOG, "transport": "tls", "framing": "newline"}, "framing", "newline"),
        ({**SYSLOG, "transport": "tls", "ca": "ca.pem"}, "ca", "'ca.pem'"),
        ({**SYSLOG, "transport": "local"}, "transport", "local"),
        ({"type": "apprise"}, "url", "nothing"),
        ({"type": "apprise", "url": 5}, "url", "a int"),
        ({"type": "apprise", "url": SECRET}, "url", "another form"),
        ({"type": "apprise", "url": "env:"}, "url", "another form"),
        ({"type": "apprise", "url": "env:NONE"}, "url", "env:NONE, which is empty"),
        ({"type": "apprise", "url": "env:TWO"}, "url", "env:TWO, more than one line"),
        ({"type": "apprise", "url": "env:BAD"}, "url", "cannot be used"),
        ({"type": "apprise", "url": "file:none"}, "url", "file:none, not readable"),
        ({"type": "apprise", "url": "file:binary"}, "url", "file:binary, no UTF-8"),
        ({"type": "apprise", "url": "file:huge"}, "url", "file:huge, larger"),
        ({"type": "apprise", "url": "env:GOOD", "seconds": 0}, "seconds", "0"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(tmp_path: Path, table: Any, key: str, found: str) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00hunter2")
    (tmp_path / "huge").write_bytes(b"hunter2" * 20_000)
    given_ = {"TWO": f"{SECRET}\n{SECRET}", "BAD": "nonesuch://hunter2", "GOOD": SECRET}
    with pytest.raises(InputError) as caught:
        read_channels({"channels": {"ops": table}}, around(tmp_path, **given_))
    told = str(caught.value)
    assert told.startswith(str(tmp_path / "sidedoor.toml"))
    assert f"alerts.channels.ops{key and '.'}{key} = " in told
    assert found in told
    assert "; expected " in told
    assert "hunter2" not in told
    assert "hunter2" not in repr(caught.value.__context__)


@pytest.mark.parametrize("name", ["", "Ops", "a b", "x" * 41, "ops.mail"])
def test_names_are_plain(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="names of lower-case"):
        read_channels({"channels": {name: JSONL}}, around(tmp_path))


def test_there_is_a_limit(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="50 channels at most"):
        read_channels({"channels": {f"c{number}": JSONL for number in range(51)}}, around(tmp_path))


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=20)
    | st.sampled_from(["env:X", "file:y", "udp", "tls"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(sorted(set().union(*KEYS.values()))) | st.text(max_size=8)


@given(st.dictionaries(st.text(max_size=6) | st.just("ops"), st.dictionaries(NAMES, VALUES) | VALUES, max_size=3))
def test_whatever_stands_there_is_channels_or_our_error(tmp_path_factory: pytest.TempPathFactory, tables: Any) -> None:
    folder = tmp_path_factory.getbasetemp()
    told = ""
    try:
        found = read_channels({"channels": tables}, around(folder, X=SECRET))
        assert len(found) == len(tables)
    except InputError as error:
        told = str(error)
    assert "hunter2" not in told
