"""Syslog and CEF: to the letter of RFC 5424, over every transport, and nothing that a stranger writes breaks out."""

from __future__ import annotations

import re
import socket
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidedoor.store.model import Occasion, Severity
from sidedoor.watch.channels.bounded import within
from sidedoor.watch.channels.cef import cef, extension_value, header_value
from sidedoor.watch.channels.interface import ChannelError, PermanentError, TemporaryError
from sidedoor.watch.channels.message import message_of
from sidedoor.watch.channels.structured import Header, element, is_sd_id, param_value, syslog_message
from sidedoor.watch.channels.syslog import Form, Framing, Place, SyslogChannel, Transport
from tests.ports import free_port
from tests.watch.channel_kit import (
    ALERT,
    Syslog,
    alert,
    certificate,
    datagram_socket,
    parse_syslog,
    server_context,
    stream_server,
    unframed,
)

SPITE = st.text(max_size=60) | st.lists(st.sampled_from('"\\]|=[ \n\r;\x00a\u2028\ud800é'), max_size=30).map("".join)


def send(channel: SyslogChannel, **changes: str) -> None:
    """The usual alert."""
    channel.send(alert(**changes), Occasion.RAISED, "contoso.example", "D1", repeat=False)


def udp(port: int, form: Form = Form.STRUCTURED) -> SyslogChannel:
    """To a UDP server on loopback."""
    return SyslogChannel("siem", Place(Transport.UDP, "127.0.0.1", port), form, host="watcher")


def received(bound: socket.socket) -> Syslog:
    """One datagram, read."""
    return parse_syslog(bound.recv(65_536))


def test_a_datagram_has_header_data_and_text() -> None:
    with datagram_socket() as bound:
        send(udp(bound.getsockname()[1]))
        found = received(bound)
    assert (found.priority, found.host, found.app, found.kind) == (16 * 8 + 3, "watcher", "sidedoor", "sender-new")
    assert found.sd_id == "sidedoor@32473"
    told = dict(found.parameters)
    assert told["tenant"] == "contoso.example"
    assert told["delivery"] == "D1"
    assert told["repeat"] == "false"
    assert told["evidence.envelope_sender"] == "scan@contoso.example"
    assert found.text.startswith("Sidedoor contoso.example: Serious, new: A new direct sender: MFP-HQ9. ")


def test_text_beyond_ascii_is_marked() -> None:
    with datagram_socket() as bound:
        send(udp(bound.getsockname()[1]), title="Drucker für Büro 漢字")
        found = received(bound)
    assert found.marked
    assert "Büro 漢字" in found.text


def test_cef_is_the_text_and_has_no_mark() -> None:
    with datagram_socket() as bound:
        send(udp(bound.getsockname()[1], Form.CEF), title="Tür|auf")
        data = bound.recv(65_536)
    assert b" sender-new - CEF:0|Sidedoor|sidedoor|" in data
    assert "Tür\\|auf" in data.decode()


def test_a_datagram_is_never_longer_than_receivers_must_take() -> None:
    with datagram_socket() as bound:
        send(udp(bound.getsockname()[1]), text="ä" * 3_000, advice="x" * 3_000)
        data = bound.recv(65_536)
    assert len(data) <= 2_048
    assert parse_syslog(data).text.endswith("ä")


def test_over_a_socket_in_the_file_system(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with datagram_socket(path) as bound:
        send(SyslogChannel("local", Place(Transport.LOCAL, path=str(path))))
        assert received(bound).kind == "sender-new"


def test_over_tcp_by_octet_counting() -> None:
    with stream_server() as server:
        channel = SyslogChannel("siem", Place(Transport.TCP, "127.0.0.1", server.port))
        send(channel, title="first é")
        send(channel)
        messages = [message for data in server.wait(2) for message in unframed(data)]
    assert len(messages) == 2
    assert all(parse_syslog(message).app == "sidedoor" for message in messages)


def test_over_tcp_by_newline() -> None:
    with stream_server() as server:
        place = Place(Transport.TCP, "127.0.0.1", server.port, framing=Framing.NEWLINE)
        send(SyslogChannel("siem", place), title="two\nlines\r\n", text="\n\n")
        (data,) = server.wait()
    assert data.count(b"\n") == 1
    assert data.endswith(b"\n")
    parse_syslog(data[:-1])


def test_over_tls_with_both_certificates(tmp_path: Path) -> None:
    ours, theirs = certificate(tmp_path, "watcher.example", name="client"), certificate(tmp_path, "127.0.0.1")
    with stream_server(server_context(theirs, ours.certificate)) as server:
        place = Place(Transport.TLS, "127.0.0.1", server.port, ca=str(theirs.certificate), certificate=str(ours.both))
        send(SyslogChannel("siem", place))
        (message,) = unframed(server.wait()[0])
    assert parse_syslog(message).kind == "sender-new"


def test_a_server_that_wants_a_certificate_of_ours_is_heard(tmp_path: Path) -> None:
    ours, theirs = certificate(tmp_path, "watcher.example", name="client"), certificate(tmp_path, "127.0.0.1")
    with stream_server(server_context(theirs, ours.certificate)) as server:
        place = Place(Transport.TLS, "127.0.0.1", server.port, ca=str(theirs.certificate))
        with pytest.raises(TemporaryError):
            send(SyslogChannel("siem", place))


def test_a_server_that_nobody_believes_gets_nothing(tmp_path: Path) -> None:
    with stream_server(server_context(certificate(tmp_path, "127.0.0.1"))) as server:
        with pytest.raises(PermanentError, match="not believed"):
            send(SyslogChannel("siem", Place(Transport.TLS, "127.0.0.1", server.port)))
        assert server.got in ([], [b""])


def test_a_certificate_for_another_host_is_not_believed(tmp_path: Path) -> None:
    theirs = certificate(tmp_path, "other.example")
    with stream_server(server_context(theirs)) as server, pytest.raises(PermanentError, match="not believed"):
        send(SyslogChannel("siem", Place(Transport.TLS, "127.0.0.1", server.port, ca=str(theirs.certificate))))


def test_a_server_without_tls_is_a_fault(tmp_path: Path) -> None:
    theirs = certificate(tmp_path, "127.0.0.1")
    with stream_server() as server:
        place = Place(Transport.TLS, "127.0.0.1", server.port, ca=str(theirs.certificate))
        with pytest.raises(TemporaryError):
            send(SyslogChannel("siem", place, seconds=1.0))


@pytest.mark.parametrize("transport", [Transport.UDP, Transport.TCP, Transport.TLS])
def test_a_server_that_is_down(transport: Transport) -> None:
    with pytest.raises(TemporaryError, match="refused"):
        send(SyslogChannel("siem", Place(transport, "127.0.0.1", free_port())))


def test_a_socket_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TemporaryError, match="No such file"):
        send(SyslogChannel("local", Place(Transport.LOCAL, path=str(tmp_path / "none"))))


def test_a_connection_that_is_reset_is_a_fault() -> None:
    with stream_server(reset=True) as server:
        channel = SyslogChannel("siem", Place(Transport.TCP, "127.0.0.1", server.port))
        with pytest.raises(TemporaryError) as caught:
            send(channel)
    assert caught.value.maybe_arrived


def test_a_server_that_never_closes_holds_up_nobody() -> None:
    with stream_server(silent=True) as server:
        begun = time.monotonic()
        send(SyslogChannel("siem", Place(Transport.TCP, "127.0.0.1", server.port)))
        assert time.monotonic() - begun < 6
        assert server.got


def test_a_handshake_that_hangs_ends_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        begun = time.monotonic()
        with pytest.raises(ChannelError):
            send(SyslogChannel("siem", Place(Transport.TLS, "127.0.0.1", deaf.getsockname()[1]), seconds=0.5))
        assert time.monotonic() - begun < 3


@pytest.mark.parametrize(
    ("severity", "level"),
    [(Severity.INFO, 6), (Severity.WARNING, 4), (Severity.SERIOUS, 3), (Severity.CRITICAL, 2)],
)
def test_severities_are_levels(severity: Severity, level: int) -> None:
    with datagram_socket() as bound:
        channel = udp(bound.getsockname()[1])
        channel.send(alert(severity=severity), Occasion.RAISED, "t", "D1", repeat=True)
        assert received(bound).priority % 8 == level
        channel.send(alert(severity=severity), Occasion.RECOVERED, "t", "D2", repeat=False)
        assert received(bound).priority % 8 == 5


@given(SPITE, SPITE, SPITE)
def test_whatever_a_stranger_writes_the_message_reads_back(title: str, name: str, value: str) -> None:
    found = alert(title=title, subject=value, kind=name, evidence=((name, value),))
    channel = SyslogChannel("siem", Place(Transport.TCP, "127.0.0.1", 1), host=name)
    message = message_of(found, Occasion.RAISED, value, "D1", repeat=False)
    read = parse_syslog(channel.written(found, Occasion.RAISED, value, "D1", message, repeat=False))
    names = [each for each, _ in read.parameters]
    assert names[:8] == ["tenant", "alert", "delivery", "occasion", "kind", "subject", "severity", "repeat"]
    assert len(names) == 9
    assert dict(read.parameters)["delivery"] == "D1"


@given(SPITE)
def test_a_parameter_reads_back(value: str) -> None:
    plain = re.sub(r"[\0-\x1f\x7f\x85\u2028\u2029]", " ", value).encode("utf-8", "replace").decode()
    data = syslog_message(
        Header(1, 6, datetime(2026, 1, 1, tzinfo=UTC), "h", "a", "k"), element("x@1", [("v", value)]), "", 9_999
    )
    assert parse_syslog(data).parameters == (("v", plain),)
    assert param_value("a") == "a"


@given(st.integers(0, 400), st.text(max_size=200))
def test_a_cut_text_is_still_a_message(most: int, text: str) -> None:
    header = Header(1, 6, datetime(2026, 1, 1, tzinfo=UTC), "h", "a", "k")
    data = syslog_message(header, "", text, most)
    assert len(data) <= max(most, len(f"{header} -"))
    parse_syslog(data)


# An extension is split at blanks before `key=`, so an unescaped `=` in a value would begin another field.
_FIELD = re.compile(r"(?:\A| )([A-Za-z0-9_]+)=((?:[^=\\]|\\[=\\nr])*?)(?= [A-Za-z0-9_]+=|\Z)")


def read_cef(line: str) -> tuple[list[str], dict[str, str]]:
    """Header and extension of an event, strictly; AssertionError where it is none."""
    assert "\n" not in line
    assert "\r" not in line
    parts = re.split(r"(?<!\\)(?:\\\\)*\|", line, maxsplit=7)
    head = re.fullmatch(r"CEF:0((?:\|(?:[^|\\]|\\[|\\])*){6})\|(.*)", line, re.DOTALL)
    assert head is not None, line
    assert len(parts) == 8
    fields = _FIELD.findall(head[2])
    assert " ".join(f"{key}={value}" for key, value in fields) == head[2]
    unescaped = {
        key: re.sub(r"\\([=\\nr])", lambda found: {"n": "\n", "r": "\r"}.get(found[1], found[1]), value)
        for key, value in fields
    }
    return parts, unescaped


def event(**changes: str) -> str:
    """An event as it is sent."""
    found = alert(**changes)
    message = message_of(found, Occasion.RAISED, "contoso.example", "D1", repeat=False)
    return cef(found, Occasion.RAISED, "contoso.example", "D1", message, repeat=False)


def test_an_event_says_it_all() -> None:
    _, fields = read_cef(event())
    assert fields["externalId"] == "D1"
    assert fields["src"] == "203.0.113.9"
    assert fields["cs1Label"] == "tenant"
    assert fields["cs1"] == "contoso.example"
    assert fields["cs5"].startswith("address: 203.0.113.9; HELO: MFP-HQ9")
    assert fields["rt"] == str(round(ALERT.raised_at.timestamp() * 1000))
    assert fields["act"] == "raised"


def test_an_address_of_ipv6_has_its_own_field() -> None:
    found = replace(ALERT.finding, evidence=(("address", "2001:db8::9"),))
    message = message_of(replace(ALERT, finding=found), Occasion.RAISED, "t", "D1", repeat=True)
    _, fields = read_cef(cef(replace(ALERT, finding=found), Occasion.RAISED, "t", "D1", message, repeat=True))
    assert "src" not in fields
    assert fields["c6a2"] == "2001:db8::9"
    assert fields["cn1"] == "1"


@given(SPITE, SPITE)
def test_no_value_of_an_event_breaks_out(title: str, subject: str) -> None:
    _, fields = read_cef(event(title=title, text=subject, advice=title, subject=subject))
    expected = {"rt", "externalId", "act", "cat", "msg", "src", "cs1", "cs2", "cs3", "cs4", "cs5", "cs6", "cn1"}
    assert set(fields) <= expected | {f"{key}Label" for key in expected}
    assert fields.get("cs2", "") == subject.strip(" ")


def test_the_escapes_are_those_of_the_standard() -> None:
    assert header_value("a|b\\c=d\ne") == "a\\|b\\\\c=d e"
    assert extension_value("a|b\\c=d\ne\r") == "a|b\\\\c\\=d\\ne\\r"


@pytest.mark.parametrize(
    ("text", "good"),
    [("sidedoor@32473", True), ("x@1.2", True), ("sidedoor", False), ("a b@1", False), ("x@" + "1" * 40, False)],
)
def test_the_form_of_an_id(text: str, good: bool) -> None:
    assert is_sd_id(text) is good


def test_what_never_ends_is_left_behind() -> None:
    begun = time.monotonic()
    with pytest.raises(TimeoutError):
        within(0.2, lambda: time.sleep(30))
    assert time.monotonic() - begun < 2
    assert within(5, lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        within(5, lambda: 1 // 0)
