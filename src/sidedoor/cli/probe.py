"""`sidedoor probe`: ask the tenant's front door from outside what it does."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sidedoor.cli.dns import resolver_of
from sidedoor.cli.output import printable
from sidedoor.errors import OutputError, UnreachableError, UsageError

if TYPE_CHECKING:
    from sidedoor.mail.domain import Domain
    from sidedoor.mailauth.resolver import Resolver
    from sidedoor.probe.model import Attempt, ProbeResult, Request, SenderKind, Target
    from sidedoor.tenant.snapshot import TenantSnapshot

EXIT_NO = 1
_PATH = click.Path(path_type=Path)
_ENDPOINT = re.compile(r"(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>\d{1,5}))?")


@dataclass(frozen=True, slots=True)
class Wanted:
    """The options."""

    endpoint: tuple[str, ...]
    recipient: str | None
    foreign_sender: str
    helo: str | None
    send: bool
    pause: float


@click.command("probe")
@click.argument("domain")
@click.option(
    "--tenant", required=True, multiple=True, type=_PATH, help="Your tenant's settings: DOMAIN must be in it."
)
@click.option("--endpoint", multiple=True, metavar="HOST[:PORT]", help="Ask this server as the tenant's front door.")
@click.option("--recipient", metavar="ADDRESS", help="Whom to name as recipient; postmaster@DOMAIN if not given.")
@click.option(
    "--foreign-sender", default="probe@sidedoor.invalid", show_default=True, help="The foreign envelope sender."
)
@click.option("--helo", help="What to say in EHLO; this machine's name if not given.")
@click.option("--send", is_flag=True, help="Deliver one labelled message to --recipient, to learn what DATA brings.")
@click.option(
    "--pause", default=1.0, show_default=True, type=click.FloatRange(0, 60), help="Seconds between questions."
)
@click.option("--dns", "zones", multiple=True, type=_PATH, help="Master file (or folder of them) instead of live DNS.")
@click.option("--offline", is_flag=True, help="Ask no DNS: only --endpoint is asked.")
@click.option(
    "--expect",
    type=click.Choice(["closed", "open"]),
    default="closed",
    show_default=True,
    help="The answer that counts as yes.",
)
@click.option("-o", "--output", type=_PATH, help="File for the transcript (JSON).")
@click.option("--json", "as_json", is_flag=True, help="Print the transcript as JSON.")
def probe_command(
    domain: str, tenant: tuple[Path, ...], zones: tuple[Path, ...], offline: bool, expect: str,
    output: Path | None, as_json: bool, **given: object,
) -> int:  # fmt: skip
    """Prove from outside what the door does with DOMAIN's own envelope senders, and with others.

    Each conversation ends before DATA. Exits with 1 where the answer is not the expected one, 4 where nobody is
    reached.
    """
    wanted = Wanted(**given)  # type: ignore[arg-type]  # click has checked them
    snapshot = _snapshot(tenant)
    own = _own(domain, snapshot)
    request = request_of(own, snapshot, wanted, resolver_of(zones, offline=offline))
    from sidedoor.probe.run import probe

    result = probe(request, _silent if as_json else _say)
    _write(result, output, as_json=as_json)
    if not any(made.remote for made in result.attempts):
        raise UnreachableError(result.why[0])
    return 0 if result.verdict.value == expect else EXIT_NO


def _snapshot(paths: tuple[Path, ...]) -> TenantSnapshot:
    from sidedoor.evidence.tenant_files import read_tenant

    return read_tenant(paths).snapshot


def _own(text: str, snapshot: TenantSnapshot) -> Domain:
    """The domain, if it is the user's own. Others' doors are not ours to try."""
    from sidedoor.mail.domain import DomainError, parse_domain
    from sidedoor.mail.fact import Unknown

    try:
        domain = parse_domain(text)
    except DomainError as error:
        raise UsageError(f"DOMAIN: {error}") from error
    accepted = snapshot.accepted_domains
    if isinstance(accepted, Unknown) or domain not in {row.domain for row in accepted}:
        raise UsageError(f"{domain} is no accepted domain of the tenant in --tenant; only your own door may be probed")
    return domain


def request_of(domain: Domain, snapshot: TenantSnapshot, wanted: Wanted, resolver: Resolver) -> Request:
    """The matrix for a domain of the tenant. Raises UsageError."""
    from sidedoor.probe.model import Request

    recipient = wanted.recipient or f"postmaster@{domain}"
    if wanted.send and not wanted.recipient:
        raise UsageError("--send delivers a message: say to whom with --recipient")
    _own_recipient(recipient, snapshot)
    targets = _targets(domain, wanted, resolver)
    if not targets:
        raise UsageError("nobody to ask: give --endpoint, or let DNS be asked for the MX")
    return Request(
        str(domain), targets, _senders(domain, snapshot, wanted.foreign_sender), recipient,
        _hello(wanted.helo), wanted.send, wanted.pause,
    )  # fmt: skip


def _hello(text: str | None) -> str:
    """A name for EHLO: letters, digits, dots and hyphens, or an address in brackets (RFC 5321 section 4.1.3)."""
    name = text or socket.gethostname()
    if not re.fullmatch(r"[A-Za-z0-9.-]{1,255}|\[[0-9A-Fa-f:.IPv]{3,60}\]", name):
        if text is not None:
            raise UsageError(f"--helo {text}: no host name")
        return "localhost"
    return name


def _own_recipient(text: str, snapshot: TenantSnapshot) -> None:
    from sidedoor.mail.address import AddressError, parse_address

    try:
        address = parse_address(text)
    except AddressError as error:
        raise UsageError(f"--recipient: {error}") from error
    if not text.isascii() or not text.isprintable() or any(sign in text for sign in "<> "):
        raise UsageError(f"--recipient {text!r}: an address that SMTP takes as it is")
    if not snapshot.accepts(address.domain):
        raise UsageError(f"--recipient {text}: not in an accepted domain of yours")


def _senders(domain: Domain, snapshot: TenantSnapshot, foreign: str) -> tuple[tuple[SenderKind, str], ...]:
    from sidedoor.mail.address import AddressError, parse_address
    from sidedoor.mail.fact import Unknown
    from sidedoor.probe.model import SenderKind

    try:
        parse_address(foreign)
    except AddressError as error:
        raise UsageError(f"--foreign-sender: {error}") from error
    found = [
        (SenderKind.ACCEPTED, f"sidedoor-probe@{domain}"),
        (SenderKind.SUBDOMAIN, f"probe@sidedoor-probe.{domain}"),
    ]
    if not isinstance(snapshot.accepted_domains, Unknown):
        initial = next(
            (row.domain for row in snapshot.accepted_domains if str(row.domain).endswith(".onmicrosoft.com")), None
        )
        if initial is not None:
            found.append((SenderKind.ONMICROSOFT, f"sidedoor-probe@{initial}"))
    return (*found, (SenderKind.FOREIGN, foreign), (SenderKind.NULL, ""))


def _targets(domain: Domain, wanted: Wanted, resolver: Resolver) -> tuple[Target, ...]:
    """The published MX, and the tenant's own front door, whose name follows from the domain's."""
    from sidedoor.mailauth.resolver import Kind, Offline, Records
    from sidedoor.probe.model import Target

    named = [_endpoint(text) for text in wanted.endpoint]
    if isinstance(resolver, Offline):
        return tuple(named)
    answer = resolver.lookup(domain, Kind.MX)
    texts = answer.values if isinstance(answer, Records) else ()
    hosts = [text.split()[-1].rstrip(".").lower() for text in texts if text.split()]
    found = [Target(host, 25, "endpoint" if _is_microsoft(host) else "mx") for host in dict.fromkeys(hosts) if host]
    if not named and not any(each.role == "endpoint" for each in found):
        found.append(Target(f"{str(domain).replace('.', '-')}.mail.protection.outlook.com", 25, "endpoint"))
    return (*found, *named)


def _is_microsoft(host: str) -> bool:
    return host.endswith((".mail.protection.outlook.com", ".mx.microsoft", ".mail.eo.outlook.com"))


def _endpoint(text: str) -> Target:
    from sidedoor.probe.model import Target

    match = _ENDPOINT.fullmatch(text)
    port = int(match["port"] or 25) if match else 0
    if match is None or not 0 < port < 65536:  # a port
        raise UsageError(f"--endpoint {text}: not HOST or HOST:PORT")
    return Target(match["host"].strip("[]"), port, "endpoint")


def _silent(_made: Attempt) -> None:
    """Nothing."""


def _say(made: Attempt) -> None:
    tls = "TLS  " if made.tls else "plain"
    where = f"{made.target.role} {made.target.host}"
    click.echo(printable(f"{made.sender.value:<12}{tls}  {made.outcome.value:<20} {where}"))
    if made.reply:
        click.echo(printable(f"    {made.reply[:200]}"))


def _write(result: ProbeResult, output: Path | None, *, as_json: bool) -> None:
    from sidedoor.report.probe_json import dump

    text = dump(result)
    if output is not None:
        try:
            output.write_text(text + "\n", encoding="ascii")
        except OSError as error:
            raise OutputError(f"{output}: cannot be written ({error.strerror})") from error
    if as_json:
        click.echo(text)
        return
    click.echo(f"Direct Send: {result.verdict.value}")
    for why in result.why:
        click.echo(printable(f"  {why}"))
