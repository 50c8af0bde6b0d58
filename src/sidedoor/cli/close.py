"""`sidedoor close` and `sidedoor reopen`: the one change that Sidedoor makes in a tenant, and its inverse."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sidedoor.cli.live import live_settings, signed_in
from sidedoor.cli.output import printable
from sidedoor.cli.plan import report_of
from sidedoor.cli.sign_in import sign_in_options
from sidedoor.errors import InputError, UnreachableError, UsageError

if TYPE_CHECKING:
    from sidedoor.exchange.invoke import Exchange
    from sidedoor.plan.closing import Obstacle
    from sidedoor.plan.model import Plan
    from sidedoor.probe.model import ProbeResult, Request
    from sidedoor.report.close_json import Record, Switch
    from sidedoor.report.kept_report import KeptReport
    from sidedoor.report.tenant_json import KeptSettings
    from sidedoor.report.terminal import Page
    from sidedoor.tenant.snapshot import TenantSnapshot

    Planned = tuple[Plan, KeptSettings, KeptReport]

EXIT_NO = 1
_PAUSE = 0.3  # seconds between two questions to the door, of which there are few
_PATH = click.Path(path_type=Path)
_ENDPOINT = click.option(
    "--endpoint", multiple=True, metavar="HOST[:PORT]", help="Probe this server as the front door."
)


@dataclass(frozen=True, slots=True)
class Ahead:
    """What is done and asked after the switch. probe: whether the door is asked from outside."""

    yes: bool
    wait: float
    probe: bool
    endpoint: tuple[str, ...]
    recipient: str | None = None
    send: bool = False


def _wait(seconds: float) -> Callable[[Any], Any]:
    what = "Seconds to wait until it is in force."
    return click.option("--wait", default=seconds, show_default=True, type=click.FloatRange(0, 86_400), help=what)


@click.command("close")
@click.argument("report", metavar="REPORT_DIR", type=_PATH)
@sign_in_options
@click.option("--decisions", type=_PATH, help="Your plan.toml; REPORT_DIR/plan.toml if it is there.")
@click.option("--catalogue", type=_PATH, help="Senders of your own, as a TOML file, if plan was given one.")
@click.option("--yes", is_flag=True, help="Do it; without this only the change and its inverse are shown.")
@_wait(1800.0)
@_ENDPOINT
@click.option("--recipient", metavar="ADDRESS", help="Whom the probe names; postmaster of your domain if not given.")
@click.option("--send", is_flag=True, help="Let the probe deliver one message to --recipient if nothing else tells.")
@click.option("--no-probe", is_flag=True, help="Do not ask the door from outside.")
@click.option(
    "--even-if-honest-mail-is-refused",
    "forced",
    is_flag=True,
    help="Close although the plan is not ready or not in force.",
)
def close_command(
    report: Path, decisions: Path | None, catalogue: Path | None, no_probe: bool, forced: bool, **given: Any
) -> int:  # fmt: skip
    """Switch RejectDirectSend on, if the plan of REPORT_DIR is proven, fresh and in place.

    Looks at the live tenant first, shows the change and its inverse, and changes nothing without --yes. Afterwards
    reads the setting back, probes the door, and records both states beside the plan. Exits with 1 where it was not
    closed.
    """
    say, report = partial(_say, "close"), report_of(report)
    with signed_in(given, say) as exchange:
        ahead = Ahead(probe=not no_probe, **given)
        planned = _planned(report, decisions, catalogue)
        switch, live = _now(exchange, say)
        question = _question(live, ahead) if ahead.probe else None
        found, lost = _judged(planned, switch, live)
        _tell("in the way: ", [f"{obstacle.id}: {obstacle.text}" for obstacle in found])
        record = _record("close", live, switch, change=None if switch is True else True)
        record.obstacles, record.losses, record.forced = found, lost, forced
        if switch is True:
            click.echo("RejectDirectSend is on already.")
            if not ahead.yes:
                return 0
        elif any(obstacle.final for obstacle in found) or (found and not forced):
            click.echo("Not closed.")
            return EXIT_NO
        else:
            _tell("will be refused: ", lost)
            if not _shown(switch, ahead, on=True):
                return EXIT_NO
        return _switch(exchange, report, record, question, ahead)


@click.command("reopen")
@click.argument("report", metavar="REPORT_DIR", type=_PATH)
@sign_in_options
@click.option("--yes", is_flag=True, help="Do it; without this only the change is shown.")
@_wait(60.0)
@_ENDPOINT
def reopen_command(report: Path, **given: Any) -> int:
    """Switch RejectDirectSend off again, as it was before close, and record both states in REPORT_DIR/plan."""
    say, report = partial(_say, "reopen"), report_of(report)
    if not report.is_dir():
        raise InputError(str(report), "no folder", "the report's folder that close was given")
    with signed_in(given, say) as exchange:
        ahead = Ahead(probe=bool(given["endpoint"]), **given)
        switch, live = _now(exchange, say, needed=False)
        if switch is False or switch is None:
            click.echo("RejectDirectSend is off already." if switch is False else "RejectDirectSend is blank: off.")
            return 0
        question = _question(live, ahead) if ahead.probe else None
        _tell_former(report)
        _still_restricting(live)
        if not _shown(switch, ahead, on=False):
            return EXIT_NO
        return _switch(exchange, report, _record("reopen", live, switch, change=False), question, ahead)


def _say(who: str, text: str) -> None:
    click.echo(f"{who}: {printable(text)}", err=True)


def _page() -> Page:
    from rich.console import Console

    from sidedoor.report.terminal import Page

    return Page(Console(highlight=False))


def _now(exchange: Exchange, say: Callable[[str], None], *, needed: bool = True) -> tuple[Switch, TenantSnapshot]:
    """The switch as the tenant shows it, blank or not, and all settings. Raises UnreachableError."""
    from sidedoor.exchange.switch import read_switch
    from sidedoor.exchange.wire import RefusedError

    try:
        switch = read_switch(exchange)
    except RefusedError as error:
        raise UnreachableError(f"RejectDirectSend cannot be read: {error}") from error
    return switch, live_settings(exchange, say, needed=needed)


def _question(live: TenantSnapshot, ahead: Ahead) -> Request:
    """What the door is to be asked. Raises UsageError, while nothing has been changed yet."""
    from sidedoor.cli.switching import own_question
    from sidedoor.mail.fact import Unknown
    from sidedoor.mailauth.source import resolver_of
    from sidedoor.probe.matrix import Wanted, request_of

    domains = live.accepted_domains
    if isinstance(domains, Unknown) or not domains:
        raise UsageError("no accepted domain to probe")
    domain = next((row.domain for row in domains if row.is_default), domains[0].domain)
    if ahead.send and not ahead.recipient:
        raise UsageError("--send delivers a message: say to whom with --recipient")
    wanted = Wanted(ahead.endpoint, recipient=ahead.recipient, pause=_PAUSE)
    return own_question(request_of(domain, live, wanted, resolver_of((), offline=bool(ahead.endpoint))))


def _planned(report: Path, decisions: Path | None, catalogue: Path | None) -> Planned:
    """The plan made again, from the report and what people decided. Raises InputError."""
    from sidedoor.cli.plan import plan_of, words_of

    return plan_of(report, words_of(report, decisions), catalogue)


def _judged(planned: Planned, switch: Switch, live: TenantSnapshot) -> tuple[list[Obstacle], list[str]]:
    """What is in the way, and what will be lost."""
    from sidedoor.plan.closing import losses, obstacles, unreadable

    plan, settings, kept = planned
    found = obstacles(plan, kept.senders, settings.snapshot, live, datetime.now(UTC))
    return [*unreadable(switch), *found], losses(plan)


def _tell(what: str, lines: Sequence[str]) -> None:
    page = _page()
    for line in lines:
        page.line(what + line)


def _record(command: str, live: TenantSnapshot, switch: Switch, *, change: bool | None) -> Record:
    from sidedoor.report.close_json import Record

    return Record(command, datetime.now(UTC), live, switch, change)


def _shown(switch: Switch, ahead: Ahead, *, on: bool) -> bool:
    """Show the change and its inverse; whether it is to be made."""
    click.echo(f"change:  Set-OrganizationConfig -RejectDirectSend ${str(on).lower()}")
    click.echo(f"inverse: Set-OrganizationConfig -RejectDirectSend ${str(not on).lower()}")
    if switch is None:
        click.echo("         (it is blank now, which means off; no cmdlet makes it blank again)")
    if not ahead.yes:
        click.echo("Nothing was changed: say --yes.")
    return ahead.yes


def _tell_former(report: Path) -> None:
    """What the switch was before it was closed, as far as a record tells."""
    from sidedoor.mail.fact import Unknown
    from sidedoor.report.close_json import last_close

    last = last_close(report)
    if last is None:
        text = f"no close is recorded in {report / 'plan'}: what the switch was before is not known"
    elif last.switch is False:
        text = f"as it was: off, by {last.path.name}"
    elif last.switch is None:
        text = f"as it was: blank, by {last.path.name}; no cmdlet makes it blank again, and off means the same"
    else:
        why = last.switch.reason if isinstance(last.switch, Unknown) else "it was on"
        text = f"what it was is not known, by {last.path.name} ({why})"
    _page().line(text)


def _still_restricting(live: TenantSnapshot) -> None:
    """Partner connectors that restrict a domain refuse others of it whatever the switch says (5.7.51)."""
    from sidedoor.tenant.snapshot import ConnectorKind

    page = _page()
    for row in live.known_connectors:
        restricts = row.restrict_to_addresses is True or row.restrict_to_certificate is True
        if row.kind is ConnectorKind.PARTNER and row.enabled is not False and restricts:
            page.line(f"stays: {row.name} refuses what it does not know with 5.7.51 (scripts/90-rollback.ps1)")


def _switch(exchange: Exchange, report: Path, record: Record, question: Request | None, ahead: Ahead) -> int:
    """Make the change, or see that it is made; tell what came of it. Raises UnreachableError where it was not made."""
    from sidedoor.cli.switching import Switching
    from sidedoor.exchange.clock import SystemClock
    from sidedoor.probe.run import probe
    from sidedoor.report.close_json import Book, State

    say, clock = partial(_say, record.command), SystemClock()
    book = Book(report, record)
    ask = partial(probe, sleep=clock.sleep)
    settings = partial(live_settings, exchange, say, needed=False)
    if question is not None:
        record.probe_before = ask(question)
        _warn(record.probe_before, say)
    switching = Switching(exchange, clock, book, settings, ask, say, question, ahead.send)
    state = switching.run(on=record.command == "close", wait=ahead.wait)
    if state in {State.UNCHANGED, State.UNKNOWN}:
        what = "it reads as before" if state is State.UNCHANGED else "whether it was made is not known: look yourself"
        raise UnreachableError(f"the change was not done ({record.answer}); {what}. Recorded in {book.path}")
    _tell_end(record, book.path, proven=state is State.PROVEN)
    return 0 if state is State.PROVEN else EXIT_NO


def _warn(result: ProbeResult, say: Callable[[str], None]) -> None:
    """A door that cannot be asked from here will not be seen to close either."""
    from sidedoor.probe.outcome import SHUT, Outcome

    tells = {*SHUT, Outcome.ACCEPTED}
    if not any(made.outcome in tells for made in result.attempts):
        say(f"the door does not tell from here: {'; '.join(result.why)}")


def _tell_end(record: Record, path: Path, *, proven: bool) -> None:
    from sidedoor.probe.outcome import Outcome
    from sidedoor.report.text import shorten

    page = _page()
    for text in record.probe.why if record.probe is not None else ():
        page.line(shorten(text, 300), indent=2, bullet="- ")
    state = "closed" if record.command == "close" else "open again"
    attempts = record.probe.attempts if record.probe is not None else ()
    if not proven:
        state = "not proven yet"
    elif record.probe is None:
        state += " by the setting; the door was not asked"
    elif state != "closed" and any(made.outcome is Outcome.PARTNER_RESTRICTION for made in attempts):
        state += ", but for what Partner connectors restrict (5.7.51)"
    click.echo(f"Direct Send: {state}. Recorded in {printable(str(path))}.")
