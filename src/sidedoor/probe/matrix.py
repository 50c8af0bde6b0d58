"""What a domain is asked: the servers, the envelope senders and the recipient, out of the tenant's own settings."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sidedoor.errors import UsageError
from sidedoor.mail.address import AddressError, parse_address
from sidedoor.mail.domain import Domain, DomainError, parse_domain
from sidedoor.mail.fact import Unknown
from sidedoor.mailauth.mx import is_exchange_online
from sidedoor.mailauth.resolver import Answer, Failure, Kind, Offline, Records, Resolver
from sidedoor.probe.model import Request, Role, SenderKind, Target
from sidedoor.tenant.snapshot import TenantSnapshot

FOREIGN_SENDER = "probe@sidedoor.invalid"
_SERVER = re.compile(r"(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?")
_HELLO = re.compile(r"[A-Za-z0-9.-]{1,255}|\[[0-9A-Fa-f:.IPv]{3,60}\]")
# Under which suffix a tenant's initial domain lies -> under which its front doors do ("DNS records for Office 365
# GCC High", the pages of 21Vianet).
_CLOUDS: Mapping[str, str] = {
    "onmicrosoft.com": "mail.protection.outlook.com",
    "onmicrosoft.us": "mail.protection.office365.us",
    "partner.onmschina.cn": "mail.protection.partner.outlook.cn",
}
_PORT = 25


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person says of it. endpoint, mx: `HOST[:PORT]` of servers to ask in place of those that are found."""

    endpoint: tuple[str, ...] = ()
    mx: tuple[str, ...] = ()
    recipient: str | None = None
    foreign_sender: str = FOREIGN_SENDER
    helo: str | None = None
    send: bool = False
    pause: float = 1.0
    timeout: float = 20.0


def request_of(
    domain: Domain, snapshot: TenantSnapshot, wanted: Wanted, resolver: Resolver, *, zones: bool = False
) -> Request:
    """The matrix for a domain of the tenant. zones: the resolver is master files, which tell addresses too.

    Raises UsageError: another's domain, a recipient elsewhere, nothing to ask.
    """
    _own(domain, snapshot)
    if wanted.send and not wanted.recipient:
        raise UsageError("--send delivers a message: say to whom with --recipient")
    recipient = _recipient(wanted.recipient or f"postmaster@{domain}", snapshot)
    foreign = _foreign(wanted.foreign_sender, snapshot)
    initial = _initial(snapshot)
    targets, notes = _targets(domain, initial, wanted, resolver, _addresses_by(resolver) if zones else _by_the_system)
    if not targets:
        raise UsageError("nobody to ask: give --endpoint, or let DNS be asked for the MX")
    senders = [
        (SenderKind.ACCEPTED, f"sidedoor-probe@{domain}"),
        (SenderKind.SUBDOMAIN, f"probe@sidedoor-probe.{domain}"),
    ]
    if initial is None:
        notes.append("--tenant names no onmicrosoft.com domain, so none was asked about")
    else:
        senders.append((SenderKind.ONMICROSOFT, f"sidedoor-probe@{initial}"))
    senders += [(SenderKind.FOREIGN, foreign), (SenderKind.NULL, "")]
    return Request(
        str(domain), targets, tuple(senders), recipient, _hello(wanted.helo), wanted.send, wanted.pause,
        wanted.timeout, tuple(notes),
    )  # fmt: skip


def _own(domain: Domain, snapshot: TenantSnapshot) -> None:
    """Others' doors are not ours to try."""
    accepted = snapshot.accepted_domains
    if isinstance(accepted, Unknown) or domain not in {row.domain for row in accepted}:
        raise UsageError(f"{domain} is no accepted domain of the tenant in --tenant; only your own door may be probed")


def _recipient(text: str, snapshot: TenantSnapshot) -> str:
    if not snapshot.accepts(_address("--recipient", text)):
        raise UsageError(f"--recipient {text}: not in an accepted domain of yours")
    return text


def _foreign(text: str, snapshot: TenantSnapshot) -> str:
    if snapshot.accepts(_address("--foreign-sender", text)):
        raise UsageError(f"--foreign-sender {text}: in an accepted domain of yours, which is not foreign")
    return text


def _address(option: str, text: str) -> Domain:
    """The domain of an address that may stand in a command as it is."""
    try:
        address = parse_address(text)
    except AddressError as error:
        raise UsageError(f"{option}: {error}") from error
    if not text.isascii() or not text.isprintable() or any(sign in text for sign in "<> "):
        raise UsageError(f"{option} {text!r}: not an address that SMTP takes as it is")
    return address.domain


def _hello(text: str | None) -> str:
    """A name for EHLO: letters, digits, dots and hyphens, or an address in brackets (RFC 5321 section 4.1.3)."""
    name = text or socket.gethostname()
    if _HELLO.fullmatch(name):
        return name
    if text is not None:
        raise UsageError(f"--helo {text}: no host name")
    return "localhost"


def _initial(snapshot: TenantSnapshot) -> Domain | None:
    """The tenant's onmicrosoft.com domain: as Get-AcceptedDomain marks it, else by its form, else the tenant's name."""
    rows = () if isinstance(snapshot.accepted_domains, Unknown) else snapshot.accepted_domains
    marked = [row.domain for row in rows if row.is_initial]
    alike = sorted((row.domain for row in rows), key=lambda domain: (str(domain).count("."), domain))
    try:
        named = [parse_domain(snapshot.name)]
    except DomainError:
        named = []
    return next((domain for domain in (*marked, *alike, *named) if _cloud(domain)), None)


def _cloud(initial: Domain | None) -> str:
    return next((doors for suffix, doors in _CLOUDS.items() if str(initial).endswith("." + suffix)), "")


_Addresses = Callable[[str], tuple[str, ...]]


def _by_the_system(_host: str) -> tuple[str, ...]:
    return ()


def _addresses_by(resolver: Resolver) -> _Addresses:
    """What master files say of where a host is; nothing where they are silent."""

    def addresses(host: str) -> tuple[str, ...]:
        answers = [resolver.lookup(host, kind) for kind in (Kind.A, Kind.AAAA)]
        return tuple(value for answer in answers if isinstance(answer, Records) for value in answer.values)

    return addresses


def _targets(
    domain: Domain, initial: Domain | None, wanted: Wanted, resolver: Resolver, addresses: _Addresses
) -> tuple[tuple[Target, ...], list[str]]:
    """The published MX and the tenant's own front door, once each; and what could not be found out."""
    named = [_server("--mx", text, Role.MX) for text in wanted.mx]
    named += [_server("--endpoint", text, Role.ENDPOINT) for text in wanted.endpoint]
    if isinstance(resolver, Offline):
        return tuple(named), []
    notes: list[str] = []
    found: list[str] = []
    if not wanted.mx:
        answer = resolver.lookup(domain, Kind.MX)
        found = _exchangers(answer)
        notes += _why_no_mx(domain, answer, found)
    doors = [host for host in found if is_exchange_online(host)]
    if doors:
        notes.append("the published MX leads to the tenant's own front door: asked once, as endpoint")
    if not doors and not wanted.endpoint:
        doors = [_front_door(domain, initial, resolver)]
    hosts = [(host, Role.MX) for host in found if not is_exchange_online(host)]
    hosts += [(host, Role.ENDPOINT) for host in doors]
    return (*(Target(host, _PORT, role, addresses(host)) for host, role in hosts), *named), notes


def _exchangers(answer: Answer) -> list[str]:
    """Hosts of MX records; none for the null MX (RFC 7505)."""
    texts = answer.values if isinstance(answer, Records) else ()
    hosts = [text.split()[-1].rstrip(".").lower() for text in texts if text.split()]
    return [host for host in dict.fromkeys(hosts) if host]


def _why_no_mx(domain: Domain, answer: Answer, found: list[str]) -> list[str]:
    if found:
        return []
    if isinstance(answer, Failure):
        return [f"DNS does not tell the MX of {domain} ({answer.reason}): it was not asked"]
    return [f"{domain} publishes no MX"]


def _front_door(domain: Domain, initial: Domain | None, resolver: Resolver) -> str:
    """The name that follows from the domain's; where DNS has no such name, that of the tenant's initial domain."""
    usual = f"{str(domain).replace('.', '-')}.{_cloud(initial) or _CLOUDS['onmicrosoft.com']}"
    if initial is None or isinstance(resolver.lookup(usual, Kind.A), Records | Failure):
        return usual
    of_initial = [host for host in _exchangers(resolver.lookup(initial, Kind.MX)) if is_exchange_online(host)]
    return of_initial[0] if of_initial else usual


def _server(option: str, text: str, role: Role) -> Target:
    match = _SERVER.fullmatch(text)
    port = int(match["port"] or _PORT) if match else 0
    if match is None or not 0 < port < 65536:  # a port
        raise UsageError(f"{option} {text}: not HOST or HOST:PORT")
    return Target(match["host"].strip("[]"), port, role)
