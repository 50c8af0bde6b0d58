"""`sidedoor probe`: ask the tenant's front door from outside what it does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sidedoor.errors import OutputError, UnreachableError, UsageError
from sidedoor.mailauth.source import resolver_of

if TYPE_CHECKING:
    from sidedoor.mail.domain import Domain
    from sidedoor.probe.model import ProbeResult, Request
    from sidedoor.tenant.snapshot import TenantSnapshot

EXIT_NO = 1
_PATH = click.Path(path_type=Path)


@click.command("probe")
@click.argument("domain")
@click.option(
    "--tenant", required=True, multiple=True, type=_PATH, help="Your tenant's settings: DOMAIN must be in it."
)
@click.option("--endpoint", multiple=True, metavar="HOST[:PORT]", help="Ask this server as the tenant's front door.")
@click.option("--mx", multiple=True, metavar="HOST[:PORT]", help="Ask this server as the published MX.")
@click.option("--recipient", metavar="ADDRESS", help="Whom to name as recipient; postmaster@DOMAIN if not given.")
@click.option(
    "--foreign-sender", default="probe@sidedoor.invalid", show_default=True, help="The foreign envelope sender."
)
@click.option("--helo", help="What to say in EHLO; this machine's name if not given.")
@click.option("--send", is_flag=True, help="Deliver one labelled message to --recipient, to learn what DATA brings.")
@click.option(
    "--pause", default=1.0, show_default=True, type=click.FloatRange(0, 60), help="Seconds between questions."
)
@click.option(
    "--timeout", default=20.0, show_default=True, type=click.FloatRange(0.1, 300), help="Seconds to wait for an answer."
)
@click.option("--dns", "zones", multiple=True, type=_PATH, help="Master file (or folder of them) instead of live DNS.")
@click.option("--offline", is_flag=True, help="Ask no DNS: only --endpoint and --mx are asked.")
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
    output: Path | None, as_json: bool, **given: Any,
) -> int:  # fmt: skip
    """Prove from outside what the door does with DOMAIN's own envelope senders, and with others.

    Each conversation ends before DATA. Exits with 1 where the answer is not the expected one, 4 where nobody is
    reached.
    """
    from sidedoor.probe.matrix import Wanted, request_of

    request = request_of(
        _domain(domain), _snapshot(tenant), Wanted(**given), resolver_of(zones, offline=offline), zones=bool(zones)
    )
    result = _ask(request, output, as_json=as_json)
    if not result.reached:
        raise UnreachableError(f"no server was reached: {result.why[-1]}")
    return 0 if result.verdict.value == expect else EXIT_NO


def _domain(text: str) -> Domain:
    from sidedoor.mail.domain import DomainError, parse_domain

    try:
        return parse_domain(text)
    except DomainError as error:
        raise UsageError(f"DOMAIN: {error}") from error


def _snapshot(paths: tuple[Path, ...]) -> TenantSnapshot:
    from sidedoor.evidence.tenant_files import read_tenant

    return read_tenant(paths).snapshot


def _ask(request: Request, output: Path | None, *, as_json: bool) -> ProbeResult:
    """Ask, tell, and write the transcript where it is wanted. Raises OutputError before anybody is asked."""
    from rich.console import Console

    from sidedoor.probe.run import probe
    from sidedoor.report.probe_json import dump
    from sidedoor.report.probe_text import ProbeText

    if output is not None:
        _write(output, "", mode="a")  # a place that cannot be written is told before anybody is asked
    if as_json:
        result = probe(request)
        click.echo(dump(result))
    else:
        text = ProbeText(Console(highlight=False))
        result = probe(request, text.attempt)
        text.verdict(result)
    if output is not None:
        _write(output, dump(result) + "\n")
    return result


def _write(output: Path, text: str, mode: str = "w") -> None:
    try:
        with output.open(mode, encoding="ascii") as file:
            file.write(text)
    except OSError as error:
        raise OutputError(f"{output}: cannot be written ({error.strerror})") from error
