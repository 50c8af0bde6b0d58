"""`sidedoor close` and `sidedoor reopen`: the one change that Sidedoor makes in a tenant, and its inverse."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from sidedoor.cli.output import printable
from sidedoor.cli.sign_in import SignIn, needs_live, sign_in_options
from sidedoor.errors import UnreachableError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sidedoor.exchange.invoke import Exchange
    from sidedoor.plan.closing import Obstacle
    from sidedoor.probe.model import ProbeResult
    from sidedoor.tenant.snapshot import TenantSnapshot

EXIT_NO = 1
_PATH = click.Path(path_type=Path)
_AT_ONCE = 30.0  # seconds between two looks


@dataclass(frozen=True, slots=True)
class Ahead:
    """What is done and asked after the switch."""

    yes: bool
    wait: float
    endpoint: tuple[str, ...]
    no_probe: bool


@click.command("close")
@click.argument("report", metavar="REPORT_DIR", type=_PATH)
@sign_in_options
@click.option("--decisions", type=_PATH, help="Your plan.toml; REPORT_DIR/plan.toml if it is there.")
@click.option("--yes", is_flag=True, help="Do it; without this only the change and its inverse are shown.")
@click.option(
    "--wait",
    default=1800.0,
    show_default=True,
    type=click.FloatRange(0, 86_400),
    help="Seconds to wait for the door to be shut.",
)
@click.option("--endpoint", multiple=True, metavar="HOST[:PORT]", help="Probe this server as the front door.")
@click.option("--no-probe", is_flag=True, help="Do not ask the door from outside.")
@click.option(
    "--even-if-honest-mail-is-refused",
    "forced",
    is_flag=True,
    help="Close although the plan is not ready or not in force.",
)
def close_command(
    report: Path, decisions: Path | None, yes: bool, wait: float, endpoint: tuple[str, ...], no_probe: bool,
    forced: bool, **sign_in: Any,
) -> int:  # fmt: skip
    """Switch RejectDirectSend on, if the plan of REPORT_DIR is proven, fresh and in place.

    Looks at the live tenant first, shows the change and its inverse, and changes nothing without --yes. Afterwards
    reads the setting back, probes the door, and records both states beside the plan. Exits with 1 where it was not
    closed.
    """
    with _exchange(sign_in) as exchange:
        live = _live(exchange)
        found = _obstacles(report, decisions, live)
        _tell(found)
        if any(obstacle.final for obstacle in found) or (found and not forced):
            click.echo("Not closed.")
            return EXIT_NO
        if live.reject_direct_send is True:
            click.echo("RejectDirectSend is on already.")
            return 0
        return _switch(exchange, report, live, Ahead(yes, wait, endpoint, no_probe), on=True)


@click.command("reopen")
@click.argument("report", metavar="REPORT_DIR", type=_PATH)
@sign_in_options
@click.option("--yes", is_flag=True, help="Do it; without this only the change is shown.")
def reopen_command(report: Path, yes: bool, **sign_in: Any) -> int:
    """Switch RejectDirectSend off again, and record both states in REPORT_DIR/plan."""
    with _exchange(sign_in) as exchange:
        live = _live(exchange)
        if live.reject_direct_send is False:
            click.echo("RejectDirectSend is off already.")
            return 0
        _still_restricting(live)
        return _switch(exchange, report, live, Ahead(yes, 60.0, (), no_probe=True), on=False)


def _still_restricting(live: TenantSnapshot) -> None:
    """Partner connectors that restrict a domain refuse others of it whatever the switch says (5.7.51)."""
    from sidedoor.tenant.snapshot import ConnectorKind

    for row in live.known_connectors:
        restricts = row.restrict_to_addresses is True or row.restrict_to_certificate is True
        if row.kind is ConnectorKind.PARTNER and row.enabled is not False and restricts:
            click.echo(
                printable(f"stays: {row.name} refuses what it does not know with 5.7.51 (scripts/90-rollback.ps1)")
            )


@contextmanager
def _exchange(sign_in: dict[str, Any]) -> Iterator[Exchange]:
    """A client of the tenant, signed in."""
    try:
        from sidedoor.exchange.clock import SystemClock
        from sidedoor.exchange.http import Http
    except ModuleNotFoundError as error:
        raise needs_live("this", error) from error
    from sidedoor.exchange.invoke import Exchange

    signed = SignIn.taken(sign_in)
    cloud, tenant = signed.addresses(), signed.tenant()
    tokens = signed.tokens(cloud, _say)
    http = Http(tokens, SystemClock(), _say)
    try:
        yield Exchange(http, cloud, tenant, tokens.anchor)
    finally:
        http.close()


def _say(text: str) -> None:
    click.echo(f"close: {printable(text)}", err=True)


def _live(exchange: Exchange) -> TenantSnapshot:
    """The tenant's settings now. Raises UnreachableError where any of them cannot be had."""
    from sidedoor.evidence.tenant_files import read_tenant
    from sidedoor.exchange import settings

    with TemporaryDirectory(prefix="sidedoor-") as folder:
        for kind in settings.ORDER:
            found = settings.fetch(exchange, kind)
            if found.missing:
                raise UnreachableError(f"the tenant's settings are not known: {found.missing}")
            (Path(folder) / found.file).write_bytes(found.data)
        return read_tenant(Path(folder)).snapshot


def _obstacles(report: Path, decisions: Path | None, live: TenantSnapshot) -> list[Obstacle]:
    from sidedoor.cli.plan import plan_of, words_of
    from sidedoor.plan.closing import obstacles

    plan, settings, kept = plan_of(report, words_of(report, decisions), None)
    return obstacles(plan, kept.senders, settings.snapshot, live, datetime.now(UTC))


def _tell(found: list[Obstacle]) -> None:
    for obstacle in found:
        click.echo(printable(f"in the way: {obstacle.id}: {obstacle.text}"))


def _switch(exchange: Exchange, report: Path, live: TenantSnapshot, ahead: Ahead, *, on: bool) -> int:
    click.echo(f"change:  Set-OrganizationConfig -RejectDirectSend ${str(on).lower()}")
    click.echo(f"inverse: Set-OrganizationConfig -RejectDirectSend ${str(not on).lower()}")
    if not ahead.yes:
        click.echo("Nothing was changed: say --yes.")
        return EXIT_NO
    from sidedoor.exchange.wire import RefusedError

    started = datetime.now(UTC)
    try:
        exchange.set_reject_direct_send(on)
    except RefusedError as error:
        raise UnreachableError(f"the tenant refuses the change: {error}") from error
    after, probed = _settled(exchange, live, ahead, on=on)
    path = _record(report, started, live, after, probed, on=on)
    done = after.reject_direct_send is on and (probed is None or probed.verdict.value == "closed")
    state = ("closed" if on else "open again") if done else "not proven yet"
    click.echo(f"Direct Send: {state}. Recorded in {path}.")
    return 0 if done else EXIT_NO


def _settled(
    exchange: Exchange, before: TenantSnapshot, ahead: Ahead, *, on: bool
) -> tuple[TenantSnapshot, ProbeResult | None]:
    """Look until the setting reads back and the door answers so, or the time is over."""
    deadline = time.monotonic() + ahead.wait
    while True:
        after = _live(exchange)
        probed = None if ahead.no_probe or not on else _probe(before, ahead)
        settled = after.reject_direct_send is on and (probed is None or probed.verdict.value == "closed")
        left = deadline - time.monotonic()
        if settled or left <= 0:
            return after, probed
        _say(f"not in force yet (up to 30 minutes); looking again, {left:.0f} s left")
        time.sleep(min(_AT_ONCE, left))


def _probe(snapshot: TenantSnapshot, ahead: Ahead) -> ProbeResult:
    from sidedoor.cli.dns import resolver_of
    from sidedoor.cli.probe import Wanted, request_of
    from sidedoor.mail.fact import Unknown
    from sidedoor.probe.run import probe

    domains = snapshot.accepted_domains
    if isinstance(domains, Unknown) or not domains:
        raise UsageError("no accepted domain to probe")
    domain = next((row.domain for row in domains if row.is_default), domains[0].domain)
    wanted = Wanted(ahead.endpoint, None, "probe@sidedoor.invalid", None, send=False, pause=1.0)
    return probe(request_of(domain, snapshot, wanted, resolver_of((), offline=bool(ahead.endpoint))))


def _record(
    report: Path,
    started: datetime,
    before: TenantSnapshot,
    after: TenantSnapshot,
    probed: ProbeResult | None,
    *,
    on: bool,
) -> Path:
    """Both states, for ever: a file a change, never overwritten."""
    from sidedoor.report.atomic import write_files
    from sidedoor.report.probe_json import render
    from sidedoor.tenant.codec import encode

    path = report / "plan" / f"{'close' if on else 'reopen'}-{started:%Y%m%dT%H%M%SZ}.json"
    body = {
        "schema": "sidedoor/close/1",
        "change": {"RejectDirectSend": on},
        "started": started.isoformat(),
        "ended": datetime.now(UTC).isoformat(),
        "before": encode(before),
        "after": encode(after),
        "probe": None if probed is None else render(probed),
    }
    write_files({path: (json.dumps(body, indent=1, ensure_ascii=True) + "\n").encode("ascii")})
    return path
