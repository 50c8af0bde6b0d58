"""`sidedoor edge`: an SMTP server that answers as Exchange Online would, by the tenant's exported settings."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from sidedoor.cli.output import printable
from sidedoor.errors import UsageError
from sidedoor.mail.domain import DomainError, parse_domain
from sidedoor.mail.network import IPNetwork, NetworkError, parse_network
from sidedoor.policy.switches import SWITCHES, SwitchError, Switches, with_switches
from sidedoor.tenant.snapshot import MailExchanger

if TYPE_CHECKING:
    from sidedoor.edge.interface import DecisionLog, Keeper
    from sidedoor.edge.server import EdgeServer, Endpoint, Options

_ENDPOINT = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[^:\s\[\]]+)):(?P<port>\d{1,5})")
_DURATION = re.compile(r"(?P<number>\d{1,6})(?P<unit>[smh]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}
_file = click.Path(path_type=Path)


class Wanted(NamedTuple):
    """The options of the command, by their names."""

    tenant: Path
    listen: tuple[str, ...]
    submission: tuple[str, ...]
    maildir: Path | None
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
    max_size: int
    max_connections: int


@click.command("edge")
@click.option("--tenant", type=_file, help="Folder or file of the tenant export; read again when it changes.")
@click.option("--listen", multiple=True, help="ADDRESS:PORT to take mail on, repeatable; 127.0.0.1:2525 if not given.")
@click.option("--submission", multiple=True, help="ADDRESS:PORT where clients may log in under TLS, repeatable.")
@click.option("--maildir", type=_file, help="Keep accepted messages in this Maildir; else they are thrown away.")
@click.option("--log", type=_file, help="Append each decision to this file, one JSON line for each recipient.")
@click.option("--hostname", help="Name in the greeting and the replies; this machine's if not given.")
@click.option("--recipients", type=_file, help="Addresses that exist, one a line; others of an own domain are refused.")
@click.option("--users", type=_file, help="Who may log in: lines that --new-user prints.")
@click.option("--new-user", metavar="USER", help="Ask for a password, print the line for --users, and end.")
@click.option("--tls-certificate", type=_file, help="The server's certificate with its chain, PEM; offers STARTTLS.")
@click.option("--tls-key", type=_file, help="The key of that certificate, PEM.")
@click.option("--client-ca", type=_file, help="CAs of clients' certificates, PEM; the system's if not given.")
@click.option("--proxy-from", multiple=True, metavar="NETWORK", help="Who tells clients by PROXY protocol, repeatable.")
@click.option(
    "--propagation", metavar="30m", help="Let changed settings come into force so much later, as the service."
)
@click.option("--audit-only", is_flag=True, help="Write down what would be refused, and accept it.")
@click.option(
    "--on-undetermined",
    type=click.Choice(["accept", "tempfail"]),
    default="accept",
    show_default=True,
    help="What to answer where the verdict rests on a setting that the export does not hold.",
)
@click.option(
    "--mx",
    type=click.Choice([member.value for member in MailExchanger]),
    help="Where the MX of the accepted domains leads; not given, Exchange Online is assumed.",
)
@click.option(
    "--switch",
    "switches",
    multiple=True,
    metavar="NAME=VALUE",
    help="How to read an open question, repeatable: " + ", ".join(row.name for row in SWITCHES) + ".",
)
@click.option("--max-size", default=150, show_default=True, type=click.IntRange(1, 1_024), help="Of a message, in MB.")
@click.option(
    "--max-connections", default=2_000, show_default=True, type=click.IntRange(1, 100_000), help="At the same time."
)
def edge_command(new_user: str | None, tenant: Path | None, **given: object) -> int:
    """Take mail over SMTP and answer each recipient as Exchange Online would."""
    if new_user is not None:
        return _new_user(new_user)
    if tenant is None:
        raise UsageError("missing --tenant: the folder of the tenant export")
    asyncio.run(_serve(Wanted(tenant=tenant, **given)))  # type: ignore[arg-type]  # click has checked them
    return 0


def _new_user(user: str) -> int:
    from sidedoor.edge.users import line_for

    if ":" in user or not user.isprintable() or not user.strip():
        raise UsageError("a user's name is printable and has no colon")
    click.echo(line_for(user, click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)))
    return 0


def _say(text: str) -> None:
    click.echo(f"edge: {printable(text)}", err=True)


async def _serve(wanted: Wanted) -> None:
    """Put the server together, say what it is, run it."""
    from sidedoor.edge.current import Current
    from sidedoor.edge.door import Policy
    from sidedoor.edge.server import EdgeServer
    from sidedoor.edge.settings import Source

    options = _options(wanted)
    hostname = _hostname(wanted.hostname)
    mx = None if wanted.mx is None else MailExchanger(wanted.mx)
    source = Source(wanted.tenant, wanted.recipients, mx, _switches(wanted.switches))
    current = Current(source, _say, _seconds(wanted.propagation))
    policy = Policy(
        hostname, current.get, _log(wanted.log), wanted.audit_only, wanted.on_undetermined == "tempfail"
    )  # fmt: skip
    server = EdgeServer(options, policy, _keeper(wanted, hostname), current, _say)
    await server.start()
    for line in _lines(wanted, server):
        _say(line)
    for warning in current.settings.warnings:
        _say(f"warning: {warning}")
    _say(f"settings in force: {current.settings.summary()}")
    await server.run(signals=True)
    _say("stopped")


def _lines(wanted: Wanted, server: EdgeServer) -> list[str]:
    """What the operator has to know at the start."""
    listening = ", ".join(f"{f'[{host}]' if ':' in host else host}:{port}" for host, port in server.addresses)
    lines = [f"listening on {listening}"]
    lines.append(
        "STARTTLS is offered" if wanted.tls_certificate else "no STARTTLS: give --tls-certificate and --tls-key"
    )
    lines.append(
        f"accepted messages go to {wanted.maildir}"
        if wanted.maildir
        else "accepted messages are answered 250 and thrown away: a twin that only answers (--maildir keeps them)"
    )
    if wanted.log is None:
        lines.append("decisions are not written down: give --log")
    if wanted.audit_only:
        lines.append("audit only: what would be refused is written down and accepted, but for mail to strangers")
    return lines


def _options(wanted: Wanted) -> Options:
    from sidedoor.edge.crowd import Room
    from sidedoor.edge.interface import Listener
    from sidedoor.edge.server import Options, TlsFiles
    from sidedoor.edge.smtp.limits import Limits
    from sidedoor.edge.users import read_users

    if (wanted.tls_certificate is None) != (wanted.tls_key is None):
        raise UsageError("--tls-certificate and --tls-key go together")
    if wanted.submission and (wanted.users is None or wanted.tls_certificate is None):
        raise UsageError("--submission needs --users, and --tls-certificate with --tls-key")
    endpoints = [_endpoint(text, Listener.SMTP) for text in wanted.listen or ("127.0.0.1:2525",)]
    endpoints += [_endpoint(text, Listener.SUBMISSION) for text in wanted.submission]
    if wanted.maildir is None and not all(_is_loopback(endpoint.host) for endpoint in endpoints):
        raise UsageError("the world is not answered 250 for mail that is thrown away: give --maildir")
    tls = None
    if wanted.tls_certificate is not None and wanted.tls_key is not None:
        tls = TlsFiles(wanted.tls_certificate, wanted.tls_key, wanted.client_ca)
    users = None if wanted.users is None else read_users(wanted.users)
    limits = Limits(message=wanted.max_size * 1024 * 1024)
    room = Room(wanted.max_connections, max(1, wanted.max_connections // 10))
    return Options(endpoints, _networks(wanted.proxy_from), tls, users, limits, room)


def _endpoint(text: str, listener: object) -> Endpoint:
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


def _networks(texts: Sequence[str]) -> list[IPNetwork]:
    try:
        return [parse_network(text) for text in texts]
    except NetworkError as error:
        raise UsageError(f"--proxy-from: {error}") from error


def _hostname(given: str | None) -> str:
    name = given or socket.getfqdn()
    try:
        return str(parse_domain(name))
    except DomainError as error:
        if given is None:
            return "localhost"
        raise UsageError(f"--hostname: {error}") from error


def _seconds(text: str | None) -> float:
    if text is None:
        return 0.0
    match = _DURATION.fullmatch(text)
    if match is None:
        raise UsageError(f"--propagation: {text!r} is no duration such as 30m, 90s or 1h")
    return float(int(match["number"]) * _SECONDS[match["unit"]])


def _switches(given: Sequence[str]) -> Switches:
    pairs = [item.partition("=") for item in given]
    try:
        return with_switches({name: value for name, _, value in pairs})
    except SwitchError as error:
        raise UsageError(str(error)) from error


def _log(path: Path | None) -> DecisionLog:
    from sidedoor.edge.log import JsonLog, NoLog

    if path is None:
        return NoLog()
    soon: Callable[[Callable[[], None]], object] = asyncio.get_running_loop().call_soon
    return JsonLog(path, soon, _say)


def _keeper(wanted: Wanted, hostname: str) -> Keeper:
    from sidedoor.edge.maildir import DiscardKeeper, MaildirKeeper

    return DiscardKeeper() if wanted.maildir is None else MaildirKeeper(wanted.maildir, hostname)
