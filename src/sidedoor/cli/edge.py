"""`sidedoor edge`: an SMTP server that answers as Exchange Online would, by the tenant's exported settings."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sidedoor.cli import edge_parts as parts
from sidedoor.cli import edge_store
from sidedoor.cli.extras import needs_posix
from sidedoor.cli.output import printable
from sidedoor.errors import UsageError
from sidedoor.policy.switches import SWITCHES
from sidedoor.tenant.snapshot import MailExchanger

if TYPE_CHECKING:
    from sidedoor.edge.admin.app import AdminServer
    from sidedoor.edge.current import Current
    from sidedoor.edge.interface import DecisionLog, Keeper
    from sidedoor.edge.post import PostRoom
    from sidedoor.edge.server import EdgeServer, Options
    from sidedoor.edge.shared.shared import Shared
    from sidedoor.edge.workers.lifeline import Lifeline

_file = click.Path(path_type=Path)


@click.command("edge")
@click.option(
    "--tenant", type=_file, help="Folder or file of the tenant export; read again when it changes. See --store."
)
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
@click.option(
    "--workers", default=1, show_default=True, type=click.IntRange(1, 256), help="Processes on the same ports (Linux)."
)
@click.option(
    "--store", metavar="URL", help="Share quarantine, decisions and, without --tenant, settings with other edges."
)
@click.option(
    "--store-tenant", metavar="DOMAIN", help="The tenant in the store; the default accepted domain otherwise."
)
@click.option("--publish", is_flag=True, help="Put the settings of --tenant in force at all edges of --store, and end.")
@click.option("--admin", metavar="ADDRESS:PORT", help="Answer cmdlets as Exchange Online's admin API, on loopback.")
@click.option("--admin-token-file", type=_file, help="The bearer token for it, in the first line; else one is made.")
@click.option("--admin-faults", type=_file, help="Faults it is to show to clients under test, as JSON.")
@click.option("--max-size", default=150, show_default=True, type=click.IntRange(1, 1_024), help="Of a message, in MB.")
@click.option(
    "--max-connections", default=2_000, show_default=True, type=click.IntRange(1, 100_000), help="At the same time."
)
def edge_command(new_user: str | None, publish: bool, **given: object) -> int:
    """Take mail over SMTP and answer each recipient as Exchange Online would. Needs a POSIX system."""
    needs_posix("edge")
    if new_user is not None:
        return _new_user(new_user)
    wanted = parts.Wanted(**given)  # type: ignore[arg-type]  # click has checked them
    if publish:
        click.echo(edge_store.publish(wanted))
        return 0
    if wanted.tenant is None and wanted.store is None:
        raise UsageError("missing --tenant: the folder of the tenant export")
    if wanted.store is None and wanted.store_tenant is not None:
        raise UsageError("--store-tenant goes with --store")
    if wanted.workers > 1:
        return _workers(wanted)
    _run(wanted, parts.options_of(wanted), None)
    return 0


def _run(wanted: parts.Wanted, options: Options, lifeline: Lifeline | None) -> None:
    with asyncio.Runner(loop_factory=parts.loop_factory()) as runner:
        runner.run(_Edge(wanted, options, lifeline).serve())


def _workers(wanted: parts.Wanted) -> int:
    """The parent of workers. Returns in the parent alone."""
    from sidedoor.cli.main import report
    from sidedoor.edge.workers.ports import Ports
    from sidedoor.edge.workers.supervisor import Supervisor

    if wanted.admin is not None and wanted.admin_token_file is None:
        raise UsageError(
            "--admin with --workers needs --admin-token-file: a worker that comes again would make another"
        )
    options = parts.options_of(wanted)
    ports = Ports(options.endpoints)
    options = replace(options, endpoints=ports.endpoints, reuse_port=True)

    def work(lifeline: Lifeline) -> int:
        ports.close()  # these are copies; the parent's keep the ports
        try:
            _run(wanted, options, lifeline)
        except Exception as error:  # noqa: BLE001  # the last stop in this process, as in `main`
            return report(error)
        return 0

    _say(f"{wanted.workers} workers; this process looks after them")
    code = Supervisor(wanted.workers, work, _say, ending=ports.close).run()
    _say("stopped")
    return code


def _new_user(user: str) -> int:
    from sidedoor.edge.users import line_for

    if ":" in user or not user.isprintable() or not user.strip():
        raise UsageError("a user's name is printable and has no colon")
    click.echo(line_for(user, click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)))
    return 0


def _say(text: str, worker: int | None = None) -> None:
    click.echo(f"edge{'' if worker is None else f' {worker}'}: {printable(text)}", err=True)


class _Edge:
    """One process that takes mail: put together in `serve`, which says what it is and runs it."""

    def __init__(self, wanted: parts.Wanted, options: Options, lifeline: Lifeline | None) -> None:
        self.wanted, self.options, self.lifeline = wanted, options, lifeline
        self.worker = None if lifeline is None else lifeline.number
        self.hostname = parts.hostname_of(wanted.hostname)

    @property
    def is_first(self) -> bool:
        """What is the same for all workers one of them says, and what there can be one of, one of them has."""
        return self.worker in {None, 1}

    def say(self, text: str) -> None:
        """For the operator."""
        _say(text, self.worker)

    async def serve(self) -> None:
        """Until told to stop."""
        from sidedoor.edge.door import Policy
        from sidedoor.edge.server import EdgeServer

        wanted, say = self.wanted, self.say
        relay = parts.relay_of(wanted)
        current, shared = self._settings()
        log: DecisionLog = parts.log_of(wanted.log, say, alone=wanted.workers == 1)
        told = None if shared is None else shared.log(log)
        tempfail = wanted.on_undetermined == "tempfail"
        policy = Policy(self.hostname, current.get, told or log, wanted.audit_only, tempfail, relay)
        post = self._post_room(current, shared)
        server = EdgeServer(self.options, policy, _keeper(post), current, say)
        await server.start()
        if self.is_first:
            self._introduce(server, current, post)
        admin = await self._admin(shared) if self.is_first else None
        try:
            self._begin(server, current, post)
            if shared is not None and told is not None:
                shared.begin(told, current.get, post.waiting if post else _nothing)
            await server.run(signals=True)
        finally:
            await self._finish(admin, post, shared)
        if self.lifeline is None:
            say("stopped")

    def _begin(self, server: EdgeServer, current: Current, post: PostRoom | None) -> None:
        for warning in current.settings.warnings if self.is_first else ():
            self.say(f"warning: {warning}")
        if post is not None:
            post.start()
        if self.lifeline is not None:
            # Once the server listens for signals, too: the loop comes to this when `run` waits.
            asyncio.get_running_loop().call_soon(self.lifeline.attach, server.stop)

    async def _finish(self, admin: AdminServer | None, post: PostRoom | None, shared: Shared | None) -> None:
        if self.lifeline is not None:
            self.lifeline.detach()
        if admin is not None:
            await admin.close()
        if shared is not None:
            await shared.end()
        if post is not None:
            await post.close()
        if shared is not None:
            shared.link.close()

    def _settings(self) -> tuple[Current, Shared | None]:
        """Settings from files, or from the store."""
        from sidedoor.edge.current import Current
        from sidedoor.edge.settings import Source

        wanted, ground = self.wanted, parts.ground_of(self.wanted)
        delay = parts.seconds_of(wanted.propagation)
        if wanted.tenant is not None:
            current = Current(Source(wanted.tenant, ground.recipients, ground.mx, ground.switches), self.say, delay)
            return current, edge_store.shared_of(wanted, current.settings, self.worker or 1, self.say)
        shared = edge_store.shared_of(wanted, None, self.worker or 1, self.say)
        assert shared is not None
        return Current(shared.source(ground, parts.spool_of(wanted)), self.say, delay), shared

    def _introduce(self, server: EdgeServer, current: Current, post: PostRoom | None) -> None:
        for line in [*_lines(self.wanted, server), *(post.lines() if post else ())]:
            self.say(line)
        self.say(f"settings in force: {current.settings.summary()}")

    def _post_room(self, current: Current, shared: Shared | None) -> PostRoom | None:
        wanted = self.wanted
        folder, transport = parts.spool_of(wanted), parts.transport_of(wanted, self.hostname)
        if folder is None or transport is None:
            return None
        from sidedoor.edge.post import Elsewhere, PostRoom
        from sidedoor.edge.reception.stamps import Marks

        return PostRoom(
            folder,
            transport,
            self.hostname,
            Marks.TWIN if wanted.maildir else Marks.NONE,
            current.get,
            parts.authenticator_of(wanted),
            self.say,
            transport_rules=wanted.transport_rules,
            elsewhere=None if shared is None else Elsewhere(shared.vault, shared.fetcher),
        )

    async def _admin(self, shared: Shared | None) -> AdminServer | None:
        wanted = self.wanted
        if wanted.admin is None:
            return None
        folder = parts.spool_of(wanted)
        admin = parts.admin_of(wanted, self.hostname, self.say, lambda: edge_store.quarantine_of(folder, shared))
        host, port = parts.admin_endpoint(wanted.admin)
        from sidedoor.edge.admin.app import start_admin

        try:
            server = await start_admin(admin, host, port)
        except OSError as error:
            raise UsageError(f"--admin: cannot listen on {wanted.admin}: {error.strerror or error}") from error
        self.say(f"admin endpoint on http://{wanted.admin}/adminapi/beta/TENANT/InvokeCommand")
        return server


async def _nothing() -> int:
    return 0


def _keeper(post: PostRoom | None) -> Keeper:
    from sidedoor.edge.maildir import DiscardKeeper

    return DiscardKeeper() if post is None else post.keeper


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
