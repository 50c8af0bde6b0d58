"""`sidedoor milter`: the rule beside Postfix, as a mail filter (milter) that it asks for each recipient."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from sidedoor.cli import edge_parts as parts
from sidedoor.cli.extras import needs_posix
from sidedoor.cli.output import printable
from sidedoor.errors import UsageError
from sidedoor.policy.switches import SWITCHES
from sidedoor.tenant.snapshot import MailExchanger

if TYPE_CHECKING:
    from sidedoor.edge.current import Current
    from sidedoor.edge.door import Policy
    from sidedoor.edge.milter.door import MilterDoor
    from sidedoor.edge.milter.rules import MessageRules
    from sidedoor.edge.milter.server import MilterServer
    from sidedoor.edge.settings import Settings

_file = click.Path(path_type=Path)


class Wanted(NamedTuple):
    """The options of the command, by their names."""

    tenant: Path
    listen: str
    log: Path | None
    hostname: str | None
    recipients: Path | None
    propagation: str | None
    audit_only: bool
    on_undetermined: str
    transport_rules: bool
    mx: str | None
    switches: tuple[str, ...]


@click.command("milter")
@click.option("--tenant", required=True, type=_file, help="Folder or file of the tenant export.")
@click.option(
    "--listen", default="127.0.0.1:8891", show_default=True, help="ADDRESS:PORT, or unix:PATH, as in smtpd_milters."
)
@click.option("--log", type=_file, help="Append each decision to this file, one JSON line for each recipient.")
@click.option("--hostname", help="Name in the refusals; this machine's if not given.")
@click.option("--recipients", type=_file, help="Addresses that exist, one a line; others of an own domain are refused.")
@click.option("--propagation", metavar="30m", help="Let changed settings come into force so much later.")
@click.option("--audit-only", is_flag=True, help="Write down what would be refused, and let it pass.")
@click.option(
    "--on-undetermined",
    type=click.Choice(["accept", "tempfail"]),
    default="accept",
    show_default=True,
    help="What to answer where the verdict rests on a setting that the export does not hold.",
)
@click.option(
    "--transport-rules/--no-transport-rules",
    default=True,
    show_default=True,
    help="Whether the tenant's transport rules are run, on the messages that Postfix tells.",
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
def milter_command(**given: object) -> int:
    """Answer Postfix's questions about clients, senders and recipients as Exchange Online would.

    Needs a POSIX system, as Postfix does.
    """
    needs_posix("milter")
    wanted = Wanted(**given)  # type: ignore[arg-type]  # click has checked them
    with asyncio.Runner(loop_factory=parts.loop_factory()) as runner:
        runner.run(_serve(wanted))
    return 0


def _say(text: str) -> None:
    click.echo(f"milter: {printable(text)}", err=True)


async def _serve(wanted: Wanted) -> None:
    from sidedoor.edge.current import Current
    from sidedoor.edge.door import Policy
    from sidedoor.edge.milter.door import MilterDoor
    from sidedoor.edge.settings import Source

    hostname = parts.hostname_of(wanted.hostname)
    mx = None if wanted.mx is None else MailExchanger(wanted.mx)
    source = Source(wanted.tenant, wanted.recipients, mx, parts.switches_of(wanted.switches))
    current = Current(source, _say, parts.seconds_of(wanted.propagation))
    tempfail = wanted.on_undetermined == "tempfail"
    policy = Policy(hostname, current.get, parts.log_of(wanted.log, _say), wanted.audit_only, tempfail)
    rules = _rules(current.get, hostname) if wanted.transport_rules else _no_rules
    server = await _listen(wanted.listen, lambda: MilterDoor(policy, rules))
    for line in _lines(wanted, current):
        _say(line)
    rules()
    try:
        await _until_told(policy, current)
    finally:
        await server.close()
        current.close()
        policy.log.close()
    _say("stopped")


def _lines(wanted: Wanted, current: Current) -> list[str]:
    """What the operator has to know at the start."""
    lines = [f"listening on {wanted.listen}"]
    if not wanted.listen.startswith(("unix:", "127.", "[::1]:", "localhost:")):
        lines.append("warning: whoever reaches this port can ask about the tenant; let only Postfix reach it")
    if wanted.log is None:
        lines.append("decisions are not written down: give --log")
    if wanted.audit_only:
        lines.append("audit only: what would be refused is written down and let pass, but for mail to strangers")
    lines += [f"warning: {warning}" for warning in current.settings.warnings]
    return [*lines, f"settings in force: {current.settings.summary()}"]


def _no_rules() -> None:
    return None


async def _listen(where: str, door: Callable[[], MilterDoor]) -> MilterServer:
    from sidedoor.edge.interface import Listener
    from sidedoor.edge.milter.server import MilterServer

    server = MilterServer(door)
    kind, _, path = where.partition(":")
    try:
        if kind == "unix":
            await server.start("", 0, Path(path))
        else:
            endpoint = parts.endpoint_of(where, Listener.MILTER)
            await server.start(endpoint.host, endpoint.port)
    except OSError as error:
        raise UsageError(f"cannot listen on {where}: {error.strerror or error}") from error
    return server


async def _until_told(policy: Policy, current: Current) -> None:
    """SIGTERM and SIGINT end it; SIGHUP reads the settings again and begins a new log file."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    again: set[asyncio.Task[None]] = set()

    def hang_up() -> None:
        reopen = getattr(policy.log, "reopen", None)
        if reopen is not None:
            reopen()
        task = loop.create_task(current.reload())
        again.add(task)
        task.add_done_callback(again.discard)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, hang_up)
    watching = loop.create_task(current.watch())
    await stop.wait()
    watching.cancel()


def _rules(settings: Callable[[], Settings], hostname: str) -> Callable[[], MessageRules | None]:
    """The transport rules in force, compiled once for each new settings."""
    from sidedoor.edge.milter.rules import MessageRules
    from sidedoor.edge.reception.tenant_rules import rules_of

    known: list[tuple[Settings, MessageRules | None]] = []

    def get() -> MessageRules | None:
        now = settings()
        if not known or known[0][0] is not now:
            compiled = rules_of(now.rule.snapshot)
            known[:] = [(now, None if compiled is None else MessageRules(compiled.rules, hostname))]
            _say(f"transport rules in force: {len(compiled.rules.rules) if compiled else 0}")
            for warning in compiled.warnings() if compiled else ():
                _say(f"transport rules: {warning}")
        return known[0][1]

    return get
