"""`sidedoor edge`: an SMTP server that answers as Exchange Online would, by the tenant's exported settings."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sidedoor.cli import edge_parts as parts
from sidedoor.cli.extras import needs_posix
from sidedoor.cli.output import printable
from sidedoor.errors import UsageError
from sidedoor.policy.switches import SWITCHES
from sidedoor.tenant.snapshot import MailExchanger

if TYPE_CHECKING:
    from sidedoor.edge.admin.app import AdminServer
    from sidedoor.edge.current import Current
    from sidedoor.edge.interface import Keeper
    from sidedoor.edge.post import PostRoom
    from sidedoor.edge.server import EdgeServer

_file = click.Path(path_type=Path)


@click.command("edge")
@click.option("--tenant", type=_file, help="Folder or file of the tenant export; read again when it changes.")
@click.option("--listen", multiple=True, help="ADDRESS:PORT to take mail on, repeatable; 127.0.0.1:2525 if not given.")
@click.option("--submission", multiple=True, help="ADDRESS:PORT where clients may log in under TLS, repeatable.")
@click.option("--maildir", type=_file, help="Deliver accepted messages into this Maildir.")
@click.option("--next-hop", metavar="HOST:PORT", help="Deliver to this mail server, under TLS where it offers it.")
@click.option("--delivery", type=_file, help="How to deliver, as TOML: SMTP, LMTP, Exchange Online, Graph.")
@click.option("--spool", type=_file, help="Folder for mail that has not gone on yet; in the Maildir if not given.")
@click.option(
    "--relay-from", multiple=True, metavar="NETWORK", help="Devices that may send to anybody through us, repeatable."
)
@click.option("--authenticate", is_flag=True, help="Check SPF, DKIM, ARC and DMARC by live DNS, and stamp the results.")
@click.option("--dns", "zones", multiple=True, type=_file, help="Check them by these master files instead, repeatable.")
@click.option(
    "--transport-rules/--no-transport-rules",
    default=True,
    show_default=True,
    help="Whether the tenant's transport rules are run on accepted mail.",
)
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
@click.option("--admin", metavar="ADDRESS:PORT", help="Answer cmdlets as Exchange Online's admin API, on loopback.")
@click.option("--admin-token-file", type=_file, help="The bearer token for it, in the first line; else one is made.")
@click.option("--admin-faults", type=_file, help="Faults it is to show to clients under test, as JSON.")
@click.option("--max-size", default=150, show_default=True, type=click.IntRange(1, 1_024), help="Of a message, in MB.")
@click.option(
    "--max-connections", default=2_000, show_default=True, type=click.IntRange(1, 100_000), help="At the same time."
)
def edge_command(new_user: str | None, tenant: Path | None, **given: object) -> int:
    """Take mail over SMTP and answer each recipient as Exchange Online would. Needs a POSIX system."""
    needs_posix("edge")
    if new_user is not None:
        return _new_user(new_user)
    if tenant is None:
        raise UsageError("missing --tenant: the folder of the tenant export")
    wanted = parts.Wanted(tenant=tenant, **given)  # type: ignore[arg-type]  # click has checked them
    with asyncio.Runner(loop_factory=parts.loop_factory()) as runner:
        runner.run(_serve(wanted))
    return 0


def _new_user(user: str) -> int:
    from sidedoor.edge.users import line_for

    if ":" in user or not user.isprintable() or not user.strip():
        raise UsageError("a user's name is printable and has no colon")
    click.echo(line_for(user, click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)))
    return 0


def _say(text: str) -> None:
    click.echo(f"edge: {printable(text)}", err=True)


async def _serve(wanted: parts.Wanted) -> None:
    """Put the server together, say what it is, run it."""
    from sidedoor.edge.current import Current
    from sidedoor.edge.door import Policy
    from sidedoor.edge.server import EdgeServer
    from sidedoor.edge.settings import Source

    options, relay = parts.options_of(wanted), parts.relay_of(wanted)
    hostname = parts.hostname_of(wanted.hostname)
    mx = None if wanted.mx is None else MailExchanger(wanted.mx)
    source = Source(wanted.tenant, wanted.recipients, mx, parts.switches_of(wanted.switches))
    current = Current(source, _say, parts.seconds_of(wanted.propagation))
    tempfail = wanted.on_undetermined == "tempfail"
    policy = Policy(hostname, current.get, parts.log_of(wanted.log, _say), wanted.audit_only, tempfail, relay)
    post = _post_room(wanted, hostname, current)
    server = EdgeServer(options, policy, _keeper(post), current, _say)
    await server.start()
    for line in [*_lines(wanted, server), *(post.lines() if post else ())]:
        _say(line)
    for warning in current.settings.warnings:
        _say(f"warning: {warning}")
    _say(f"settings in force: {current.settings.summary()}")
    admin = await _admin(wanted, hostname)
    try:
        if post is not None:
            post.start()
        await server.run(signals=True)
    finally:
        if admin is not None:
            await admin.close()
        if post is not None:
            await post.close()
    _say("stopped")


async def _admin(wanted: parts.Wanted, hostname: str) -> AdminServer | None:
    if wanted.admin is None:
        return None
    admin = parts.admin_of(wanted, hostname, _say)
    host, port = parts.admin_endpoint(wanted.admin)
    from sidedoor.edge.admin.app import start_admin

    try:
        server = await start_admin(admin, host, port)
    except OSError as error:
        raise UsageError(f"--admin: cannot listen on {wanted.admin}: {error.strerror or error}") from error
    _say(f"admin endpoint on http://{wanted.admin}/adminapi/beta/TENANT/InvokeCommand")
    return server


def _keeper(post: PostRoom | None) -> Keeper:
    from sidedoor.edge.maildir import DiscardKeeper

    return DiscardKeeper() if post is None else post.keeper


def _post_room(wanted: parts.Wanted, hostname: str, current: Current) -> PostRoom | None:
    path, transport = parts.spool_of(wanted), parts.transport_of(wanted, hostname)
    if path is None or transport is None:
        return None
    from sidedoor.edge.post import PostRoom
    from sidedoor.edge.reception.stamps import Marks

    return PostRoom(
        path,
        transport,
        hostname,
        Marks.TWIN if wanted.maildir else Marks.NONE,
        current.get,
        parts.authenticator_of(wanted),
        _say,
        transport_rules=wanted.transport_rules,
    )


def _lines(wanted: parts.Wanted, server: EdgeServer) -> list[str]:
    """What the operator has to know at the start."""
    listening = ", ".join(f"{f'[{host}]' if ':' in host else host}:{port}" for host, port in server.addresses)
    lines = [f"listening on {listening}"]
    lines.append(
        "STARTTLS is offered" if wanted.tls_certificate else "no STARTTLS: give --tls-certificate and --tls-key"
    )
    if not wanted.delivers:
        lines.append("accepted messages are answered 250 and thrown away: a twin that only answers (--maildir)")
    if wanted.relay_from:
        lines.append(f"devices that may send to anybody: {', '.join(wanted.relay_from)}")
    if wanted.log is None:
        lines.append("decisions are not written down: give --log")
    if wanted.audit_only:
        lines.append("audit only: what would be refused is written down and accepted, but for mail to strangers")
    return lines
