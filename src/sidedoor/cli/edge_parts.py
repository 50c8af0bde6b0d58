"""The parts of `sidedoor edge`, made of the words of its command line. Raises UsageError with the option's name."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import secrets
import socket
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sidedoor.errors import InputError, OutputError, UsageError
from sidedoor.mail.domain import DomainError, parse_domain
from sidedoor.mail.network import IPNetwork, NetworkError, parse_network
from sidedoor.policy.switches import SwitchError, Switches, with_switches
from sidedoor.tenant.snapshot import MailExchanger

if TYPE_CHECKING:
    from sidedoor.edge.admin.app import Admin
    from sidedoor.edge.delivery.transport import Transport
    from sidedoor.edge.interface import DecisionLog
    from sidedoor.edge.quarantine import Quarantine
    from sidedoor.edge.reception.authenticator import Authenticator
    from sidedoor.edge.relay import RelayClients
    from sidedoor.edge.server import Endpoint, Options
    from sidedoor.edge.settings import Ground

_ENDPOINT = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[^:\s\[\]]+)):(?P<port>\d{1,5})")
_DURATION = re.compile(r"(?P<number>\d{1,6})(?P<unit>[smh]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}


class Wanted(NamedTuple):
    """The options of the command, by their names."""

    tenant: Path | None
    listen: tuple[str, ...]
    submission: tuple[str, ...]
    maildir: Path | None
    next_hop: str | None
    delivery: Path | None
    spool: Path | None
    relay_from: tuple[str, ...]
    authenticate: bool
    zones: tuple[Path, ...]
    transport_rules: bool
    log: Path | None
    hostname: str | None
    recipients: Path | None
    users: Path | None
    tls_certificate: Path | None
    tls_key: Path | None
    client_ca: Path | None
    proxy_from: tuple[str, ...]
    propagation: str | None
    audit_only: bool
    on_undetermined: str
    mx: str | None
    switches: tuple[str, ...]
    admin: str | None
    admin_token_file: Path | None
    admin_faults: Path | None
    max_size: int
    max_connections: int
    workers: int
    store: str | None
    store_tenant: str | None

    @property
    def delivers(self) -> bool:
        """Whether accepted mail goes anywhere."""
        return self.maildir is not None or self.next_hop is not None or self.delivery is not None


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's event loop where it is installed: some 15 % more messages a second; None for Python's own."""
    try:
        import uvloop
    except ModuleNotFoundError:
        return None
    return uvloop.new_event_loop


def options_of(wanted: Wanted) -> Options:
    """What the server is told at the start."""
    from sidedoor.edge.crowd import Room
    from sidedoor.edge.interface import Listener
    from sidedoor.edge.server import Options, TlsFiles
    from sidedoor.edge.smtp.limits import Limits
    from sidedoor.edge.users import read_users

    if (wanted.tls_certificate is None) != (wanted.tls_key is None):
        raise UsageError("--tls-certificate and --tls-key go together")
    if wanted.submission and (wanted.users is None or wanted.tls_certificate is None):
        raise UsageError("--submission needs --users, and --tls-certificate with --tls-key")
    endpoints = [endpoint_of(text, Listener.SMTP) for text in wanted.listen or ("127.0.0.1:2525",)]
    endpoints += [endpoint_of(text, Listener.SUBMISSION) for text in wanted.submission]
    if not wanted.delivers and not all(_is_loopback(endpoint.host) for endpoint in endpoints):
        raise UsageError("the world is not answered 250 for mail that is thrown away: give --maildir or --next-hop")
    tls = None
    if wanted.tls_certificate is not None and wanted.tls_key is not None:
        tls = TlsFiles(wanted.tls_certificate, wanted.tls_key, wanted.client_ca)
    users = None if wanted.users is None else read_users(wanted.users)
    limits = Limits(message=wanted.max_size * 1024 * 1024)
    # The kernel spreads an address's connections over the workers, so each has its part of both bounds.
    room = Room(
        -(-wanted.max_connections // wanted.workers), max(1, -(-wanted.max_connections // 10 // wanted.workers))
    )
    return Options(endpoints, networks_of("--proxy-from", wanted.proxy_from), tls, users, limits, room)


def endpoint_of(text: str, listener: object) -> Endpoint:
    """ADDRESS:PORT, the address of version 6 in brackets."""
    from sidedoor.edge.interface import Listener
    from sidedoor.edge.server import Endpoint

    match = _ENDPOINT.fullmatch(text)
    if match is None or int(match["port"]) > 65_535:
        raise UsageError(f"{text!r} is no ADDRESS:PORT such as 127.0.0.1:2525 or [::1]:2525")
    assert isinstance(listener, Listener)
    return Endpoint(match["six"] or match["host"], int(match["port"]), listener)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def networks_of(option: str, texts: Sequence[str]) -> list[IPNetwork]:
    """Addresses and networks, as `option` was given them."""
    try:
        return [parse_network(text) for text in texts]
    except NetworkError as error:
        raise UsageError(f"{option}: {error}") from error


def hostname_of(given: str | None) -> str:
    """The name we greet with."""
    name = given or socket.getfqdn()
    try:
        return str(parse_domain(name))
    except DomainError as error:
        if given is None:
            return "localhost"
        raise UsageError(f"--hostname: {error}") from error


def seconds_of(text: str | None) -> float:
    """A duration such as 30m."""
    if text is None:
        return 0.0
    match = _DURATION.fullmatch(text)
    if match is None:
        raise UsageError(f"--propagation: {text!r} is no duration such as 30m, 90s or 1h")
    return float(int(match["number"]) * _SECONDS[match["unit"]])


def ground_of(wanted: Wanted) -> Ground:
    """What the operator adds to the tenant's settings."""
    from sidedoor.edge.settings import Ground

    mx = None if wanted.mx is None else MailExchanger(wanted.mx)
    return Ground(wanted.recipients, mx, switches_of(wanted.switches))


def switches_of(given: Sequence[str]) -> Switches:
    """NAME=VALUE pairs over the defaults."""
    pairs = [item.partition("=") for item in given]
    try:
        return with_switches({name: value for name, _, value in pairs})
    except SwitchError as error:
        raise UsageError(str(error)) from error


def log_of(path: Path | None, say: Callable[[str], None], *, alone: bool = False) -> DecisionLog:
    """The decision log; `alone` where no other process writes it. Call it in the event loop. Raises OutputError."""
    from sidedoor.edge.log import JsonLog, NoLog

    if path is None:
        return NoLog()
    soon: Callable[[Callable[[], None]], object] = asyncio.get_running_loop().call_soon
    return JsonLog(path, soon, say, alone=alone)


def transport_of(wanted: Wanted, hostname: str) -> Transport | None:
    """Where accepted mail goes; None for nowhere. Raises InputError, OutputError."""
    ways = [name for name in ("maildir", "next_hop", "delivery") if getattr(wanted, name) is not None]
    if len(ways) > 1:
        raise UsageError("--maildir, --next-hop and --delivery exclude each other")
    if wanted.maildir is not None:
        from sidedoor.edge.delivery.maildir import MaildirTransport

        return MaildirTransport(wanted.maildir)
    if not ways:
        return None
    try:
        from sidedoor.edge.delivery.way import next_hop, read_way
    except ModuleNotFoundError as error:
        raise UsageError(f"delivery needs {error.name}: install sidedoor[edge]") from error
    if wanted.delivery is not None:
        return read_way(wanted.delivery, hostname)
    assert wanted.next_hop is not None
    from sidedoor.edge.interface import Listener

    endpoint = endpoint_of(wanted.next_hop, Listener.SMTP)
    return next_hop(endpoint.host, endpoint.port, hostname)


def spool_of(wanted: Wanted) -> Path | None:
    """The folder of spools, made; None where mail goes nowhere."""
    folder = wanted.spool or (wanted.maildir / "sidedoor-spool" if wanted.maildir else None)
    if folder is None:
        if wanted.delivers:
            raise UsageError("mail that goes on has to survive until it has gone: give --spool FOLDER")
        return None
    if not wanted.delivers:
        raise UsageError("--spool without --maildir, --next-hop or --delivery: mail would wait in it for ever")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise OutputError(f"{folder}: no spool can be made there ({error.strerror})") from error
    return folder


def relay_of(wanted: Wanted) -> RelayClients:
    """Devices that may send to anybody."""
    from sidedoor.edge.relay import RelayClients

    if wanted.relay_from and wanted.next_hop is None and wanted.delivery is None:
        raise UsageError("--relay-from needs somewhere to relay to: give --delivery or --next-hop")
    return RelayClients(tuple(networks_of("--relay-from", wanted.relay_from)))


def authenticator_of(wanted: Wanted) -> Authenticator | None:
    """Who checks SPF, DKIM and DMARC; None where nobody is to. Raises InputError for a bad zone file."""
    if not wanted.authenticate and not wanted.zones:
        return None
    from sidedoor.edge.reception.authenticator import Authenticator

    if wanted.zones:
        from sidedoor.mailauth.source import resolver_of

        zones = resolver_of(wanted.zones)
        return Authenticator(lambda: zones)
    from sidedoor.mailauth.livedns import Budgets

    return Authenticator(Budgets())


def admin_endpoint(text: str) -> tuple[str, int]:
    """Where the admin endpoint listens: on loopback alone, because the token goes in the clear."""
    from sidedoor.edge.interface import Listener

    endpoint = endpoint_of(text, Listener.SMTP)
    if not _is_loopback(endpoint.host):
        raise UsageError(f"--admin {text}: on a loopback address only, because the token is sent in the clear")
    return endpoint.host, endpoint.port


def admin_of(
    wanted: Wanted, hostname: str, say: Callable[[str], None], quarantine: Callable[[], Quarantine | None]
) -> Admin:
    """The twin's admin side over the export, the decision log and the quarantine. Raises InputError, UsageError."""
    if wanted.tenant is None:
        raise UsageError("--admin needs --tenant: its cmdlets change the files of the export")
    try:
        from sidedoor.edge.admin.app import Admin
    except ModuleNotFoundError as error:
        raise UsageError(f"--admin needs {error.name}: install sidedoor[edge]") from error
    from sidedoor.edge.admin.faults import Faults, read_faults
    from sidedoor.edge.admin.quarantine_cmdlets import QuarantineCmdlets
    from sidedoor.edge.admin.settings import TenantFolder
    from sidedoor.edge.admin.traces import TraceIndex

    traces = None if wanted.log is None else TraceIndex(wanted.log, hostname, _utc_now)
    if traces is None:
        say("admin endpoint: no message traces, because there is no --log")
    faults = Faults(() if wanted.admin_faults is None else read_faults(wanted.admin_faults))
    token = _token(wanted.admin_token_file, say)
    held = QuarantineCmdlets(quarantine, _utc_now)
    return Admin(token, TenantFolder(wanted.tenant), traces, held, _utc_now, faults, say=say)


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _token(path: Path | None, say: Callable[[str], None]) -> str:
    if path is None:
        token = secrets.token_urlsafe(24)
        say(f"admin endpoint: the bearer token of this run is {token}")
        return token
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, ValueError) as error:
        raise InputError(str(path), "cannot be read", "a token in the first line") from error
    if not lines or len(lines[0].strip()) < 16:
        raise InputError(str(path), "no token", "a token of 16 characters or more in the first line", 1)
    return lines[0].strip()
