"""Syslog over UDP, TCP, TLS or the machine's own socket; RFC 5424 with structured data, or CEF as its text.

Syslog knows no answer: what a server did with a message nobody is told. Over TCP and TLS the connection is closed
from our side and the other end awaited, so that a server which resets it, or refuses our certificate after the
handshake as TLS 1.3 does, is noticed.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from sidedoor.store.model import Alert, Occasion
from sidedoor.watch.channels.bounded import within
from sidedoor.watch.channels.cef import cef
from sidedoor.watch.channels.interface import PermanentError, TemporaryError
from sidedoor.watch.channels.message import Message, message_of
from sidedoor.watch.channels.structured import LEVELS, RECOVERED, Header, element, syslog_message

_SECONDS = 15.0  # for one message
_FAREWELL = 3.0  # for the other end to close; many never do
_GRACE = 1.0  # seconds beyond those that sockets are given
_ALERT = 0.2  # for an alert that follows the handshake
_REFUSAL = 0.2  # for an ICMP error to come back
# RFC 5426 section 3.2: every receiver should take 2,048 octets; RFC 5425 section 4.3.1: 8,192 over TLS.
_MOST_DATAGRAM, _MOST_STREAM = 2_048, 8_192
_MOST_EVIDENCE = {True: 600, False: 4_000}  # octets of structured data; True: a datagram


class Transport(StrEnum):
    """How messages get there."""

    UDP = "udp"  # RFC 5426
    TCP = "tcp"  # RFC 6587
    TLS = "tls"  # RFC 5425
    LOCAL = "local"  # a datagram to a socket in the file system: /dev/log


class Framing(StrEnum):
    """How messages are told apart in a stream."""

    OCTETS = "octet-counting"  # RFC 6587 section 3.4.1; the only one over TLS
    NEWLINE = "newline"  # RFC 6587 section 3.4.2


class Form(StrEnum):
    """What a message looks like behind its header."""

    STRUCTURED = "structured"  # structured data and a sentence
    CEF = "cef"  # ArcSight's


@dataclass(frozen=True, slots=True)
class Place:
    """Where the server is. ca, certificate: PEM files, of whom to believe and of ourselves; "" for the system's, none.

    path: the socket, for `local`.
    """

    transport: Transport
    host: str = ""
    port: int = 514
    path: str = ""
    framing: Framing = Framing.OCTETS
    ca: str = ""
    certificate: str = ""


@dataclass(frozen=True, slots=True)
class SyslogChannel:
    """One syslog server. `looks`: it cannot be asked what it has."""

    name: str
    place: Place
    form: Form = Form.STRUCTURED
    facility: int = 16
    sd_id: str = "sidedoor@32473"
    host: str = field(default_factory=socket.gethostname)
    seconds: float = _SECONDS

    @property
    def looks(self) -> bool:
        """No."""
        return False

    def send(self, alert: Alert, occasion: Occasion, tenant: str, delivery_id: str, *, repeat: bool) -> None:
        """One message over a connection of its own: alerts are few."""
        message = message_of(alert, occasion, tenant, delivery_id, repeat=repeat)
        data = self.written(alert, occasion, tenant, delivery_id, message, repeat=repeat)
        try:
            within(self.seconds + _GRACE, lambda: _hand_over(self.place, data, time.monotonic() + self.seconds))
        except ssl.SSLCertVerificationError as error:
            # Whoever reads it can mend it, and until then every attempt ends here.
            raise PermanentError(f"the server's certificate is not believed: {error.verify_message}") from None
        except ssl.SSLError as error:
            raise TemporaryError(f"TLS failed ({error.reason or 'no reason given'})", maybe_arrived=True) from None
        except TimeoutError:
            raise TemporaryError(f"no answer within {self.seconds:.0f} s", maybe_arrived=True) from None
        except OSError as error:
            raise TemporaryError(error.strerror or type(error).__name__, maybe_arrived=True) from None

    def written(
        self, alert: Alert, occasion: Occasion, tenant: str, delivery_id: str, message: Message, *, repeat: bool
    ) -> bytes:
        """The message without its framing."""
        finding = alert.finding
        level = RECOVERED if occasion is Occasion.RECOVERED else LEVELS[finding.severity]
        header = Header(self.facility, level, message.at, self.host, "sidedoor", finding.kind)
        datagram = self.place.transport in {Transport.UDP, Transport.LOCAL}
        most = _MOST_DATAGRAM if datagram else _MOST_STREAM
        if self.form is Form.CEF:
            text = cef(alert, occasion, tenant, delivery_id, message, repeat=repeat)
            # Receivers look for `CEF:` at the beginning of the text: no mark before it.
            return syslog_message(header, "", text, most, mark=False)
        fixed = [
            ("tenant", tenant[:100]), ("alert", alert.id), ("delivery", delivery_id), ("occasion", occasion.value),
            ("kind", finding.kind), ("subject", finding.subject[:200]), ("severity", finding.severity.value),
            ("repeat", "true" if repeat else "false"),
        ]  # fmt: skip
        data = element(self.sd_id, [*fixed, *_fitting(message, _MOST_EVIDENCE[datagram])])
        return syslog_message(header, data, f"{message.title}. {message.text} {message.advice}", most)


def _fitting(message: Message, room: int) -> Iterator[tuple[str, str]]:
    """Evidence as far as there is room: structured data must not be cut in its middle."""
    for name, value in message.evidence:
        key = f"evidence.{name}"
        room -= len(key.encode()) + 2 * len(value.encode()) + 4
        if room < 0:
            return
        yield key, value


def _hand_over(place: Place, data: bytes, deadline: float) -> None:
    if place.transport in {Transport.UDP, Transport.LOCAL}:
        _datagram(place, data, deadline)
        return
    framed = data.replace(b"\n", b" ") + b"\n" if place.framing is Framing.NEWLINE else b"%d %b" % (len(data), data)
    with _stream(place, deadline) as stream:
        stream.settimeout(_left(deadline))
        stream.sendall(framed)
        _farewell(stream, deadline)


def _datagram(place: Place, data: bytes, deadline: float) -> None:
    family, address = _end(place)
    with socket.socket(family, socket.SOCK_DGRAM) as out:
        out.settimeout(_left(deadline))
        out.connect(address)
        if out.send(data) != len(data):
            raise OSError("the datagram was cut")
        if place.transport is Transport.UDP:
            out.settimeout(_REFUSAL)
            with suppress(TimeoutError):
                out.recv(1)  # raises ConnectionRefusedError where the network says that nobody listens


def _end(place: Place) -> tuple[int, Any]:
    if place.transport is Transport.LOCAL:
        if not hasattr(socket, "AF_UNIX"):
            raise OSError("this system has no sockets in folders; tcp, tls and udp work")
        return socket.AF_UNIX, place.path
    family, _, _, _, address = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_DGRAM)[0]
    return family, address


@contextmanager
def _stream(place: Place, deadline: float) -> Iterator[socket.socket]:
    with socket.create_connection((place.host, place.port), timeout=_left(deadline)) as plain:
        if place.transport is Transport.TCP:
            yield plain
            return
        context = ssl.create_default_context(cafile=place.ca or None)
        if place.certificate:
            context.load_cert_chain(Path(place.certificate))
        plain.settimeout(_left(deadline))
        with context.wrap_socket(plain, server_hostname=place.host) as secured:
            yield secured


def _farewell(stream: socket.socket, deadline: float) -> None:
    """Say that nothing more comes, and listen to the other end. Raises OSError where it resets the connection.

    TLS 1.3 refuses a client's certificate after the handshake (RFC 8446 section 4.4.2.4), by an alert that closing
    would swallow: so it is listened for before and after our own close_notify, which is sent without waiting.
    """
    until = min(time.monotonic() + _FAREWELL, deadline)
    if isinstance(stream, ssl.SSLSocket):
        _listen(stream, time.monotonic() + _ALERT)
        stream.settimeout(0)
        try:
            stream.unwrap()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            _listen(stream, until)
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
            pass  # it closes without a word, as many do
        return
    stream.shutdown(socket.SHUT_WR)
    _listen(stream, until)


def _listen(stream: socket.socket, until: float) -> None:
    """Until the other end closes, or so long."""
    with suppress(TimeoutError):
        while (left := until - time.monotonic()) > 0:
            stream.settimeout(left)
            if not stream.recv(4_096):
                return


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
