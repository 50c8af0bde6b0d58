"""`sidedoor collect`: settings, message traces and details from the live tenant, into a folder the audit reads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sidedoor.cli.output import printable
from sidedoor.cli.sign_in import needs_live, sign_in_options
from sidedoor.errors import UnreachableError, UsageError
from sidedoor.exchange.sign_in import SignIn

if TYPE_CHECKING:
    from sidedoor.exchange.clouds import Cloud
    from sidedoor.exchange.collect import Collection
    from sidedoor.exchange.http import Http
    from sidedoor.exchange.missing import Missing
    from sidedoor.exchange.parts import Store
    from sidedoor.exchange.plan import Plan
    from sidedoor.exchange.tokens import Tokens

EXIT_INCOMPLETE = 1
_MOST_DETAILS = 50_000
_PATH = click.Path(path_type=Path)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The options."""

    sign_in: SignIn
    folder: Path | None
    since: datetime | None
    until: datetime | None
    lists: str
    details: int
    hunting: bool
    graph_url: str | None
    timeout: float


@click.command("collect")
@click.option("-o", "--output", "folder", type=_PATH, help="Folder to collect into; a cut-off run goes on in it.")
@sign_in_options
@click.option("--since", metavar="TIME", help="Date or time in UTC; 90 days ago if not given.")
@click.option("--until", metavar="TIME", help="Date or time in UTC; now if not given.")
@click.option(
    "--lists",
    type=click.Choice(["exchange", "graph", "none"]),
    default="exchange",
    show_default=True,
    help="Where message traces and details come from; none: settings alone.",
)
@click.option(
    "--details",
    default=2_000,
    show_default=True,
    type=click.IntRange(0, _MOST_DETAILS),
    help="Messages at most to ask details of, those that decide most first; 1,200 an hour.",
)
@click.option("--hunting", is_flag=True, help="EmailEvents of the last 30 days too (Defender for Office 365 Plan 2).")
@click.option("--graph-url", metavar="URL", help="Graph at another address.")
@click.option(
    "--timeout",
    default=100.0,
    show_default=True,
    type=click.FloatRange(1, 3600),
    metavar="SECONDS",
    help="How long the service may take for an answer, before it is asked again.",
)
@click.option("--script", "as_script", is_flag=True, help="Print the PowerShell that collects the same, and end.")
def collect_command(as_script: bool, since: str | None, until: str | None, **given: Any) -> int:
    """Collect settings, message traces and details from Exchange Online into a folder for sidedoor audit.

    Reads only. Exits with 1 where something could not be had (collection.json says what), with 4 where tenant or
    network is not reached; the same command then goes on where it stopped.
    """
    begin, end = _moment("--since", since), _moment("--until", until)
    wanted = Wanted(SignIn.taken(given), since=begin, until=end, **given)
    if as_script:
        from sidedoor.exchange.script import script

        click.echo(script(begin, end, wanted.details), nl=False)
        return 0
    if wanted.folder is None:
        raise UsageError("missing -o: the folder to collect into")
    return _collect(wanted, wanted.folder)


def _moment(option: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{option} {text}: a date or a time, 2026-11-01 or 2026-11-01T08:00Z") from error
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _say(text: str) -> None:
    click.echo(f"collect: {printable(text)}", err=True)


def _collect(wanted: Wanted, folder: Path) -> int:
    """Sign in, go on with what the folder holds, say what is missing."""
    try:
        from sidedoor.exchange.clock import SystemClock
        from sidedoor.exchange.http import Http
    except ModuleNotFoundError as error:
        raise needs_live("collect", error) from error
    from sidedoor.exchange.parts import Store
    from sidedoor.exchange.tokens import NoTokenError

    cloud, clock = _cloud(wanted), SystemClock()
    tenant = wanted.sign_in.tenant()
    with Store(folder) as store:
        plan = _plan(wanted, tenant, store, clock.now())
        tokens = wanted.sign_in.tokens(cloud, _say)
        http = Http(tokens, clock, _say, seconds=wanted.timeout)
        try:
            missing = _collection(plan, store, http, cloud, tokens).run()
        except NoTokenError:
            raise
        except UnreachableError as error:
            raise UnreachableError(f"{error}. What has come is kept; the same command goes on.") from error
        finally:
            http.close()
    return _answer(folder, missing)


def _collection(plan: Plan, store: Store, http: Http, cloud: Cloud, tokens: Tokens) -> Collection:
    from sidedoor.evidence.tenant_files import read_tenant
    from sidedoor.exchange.clock import SystemClock
    from sidedoor.exchange.collect import Collection
    from sidedoor.exchange.graph import Graph
    from sidedoor.exchange.invoke import Exchange

    exchange = Exchange(http, cloud, plan.tenant, tokens.anchor)
    return Collection(
        plan, store, exchange, Graph(http, cloud), SystemClock(), _say,
        lambda path: read_tenant(path, explicit=False).snapshot,
    )  # fmt: skip


def _cloud(wanted: Wanted) -> Cloud:
    """The addresses, Graph's among them."""
    from sidedoor.exchange.links import checked_base

    cloud = wanted.sign_in.addresses()
    if wanted.graph_url is not None:
        return replace(cloud, graph=checked_base(wanted.graph_url))
    if wanted.lists == "graph" and not cloud.graph_traces:
        raise UsageError(f"--lists graph: Graph has no message traces in the cloud {wanted.sign_in.cloud}")
    return cloud


def _plan(wanted: Wanted, tenant: str, store: Store, now: datetime) -> Plan:
    """What was asked for, or what an earlier run in this folder was asked for, if that is the same."""
    from sidedoor.exchange.plan import Plan, checked_stretch, hunting_since, planned

    since, until = checked_stretch(wanted.since, wanted.until, now)
    hunting = hunting_since(since, now) if wanted.hunting else None
    stretch = (wanted.since, wanted.until)
    asked = Plan(tenant, since, until, wanted.lists, wanted.details, hunting, stretch)
    earlier = store.plan if store.load() else None
    plan = planned(asked, earlier)
    if wanted.since is not None and wanted.since < plan.since:
        _say(f"the service lists 90 days: what is older than {plan.since:%Y-%m-%d %H:%M} UTC cannot be had from it")
    if earlier is not None:
        _say(f"going on with the collection of {plan.since:%Y-%m-%d %H:%M} to {plan.until:%Y-%m-%d %H:%M} UTC")
    return plan


def _answer(folder: Path, missing: list[Missing]) -> int:
    for each in missing:
        _say(f"missing: {each.why}. How to get it: {each.how_to_get_it}.")
    if missing:
        click.echo(f"Collected into {folder}, but not all of it; collection.json there says what is missing.")
        return EXIT_INCOMPLETE
    click.echo(f"Collected into {folder}. Now: sidedoor audit {folder}")
    return 0
