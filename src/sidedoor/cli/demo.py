"""`sidedoor demo`: write an invented tenant to try the other commands on."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

# The invented history ends on this day, so that the same seed gives the same files on any day.
END = datetime(2026, 11, 20, tzinfo=UTC)


@click.command(name="demo")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--rows", type=click.IntRange(1_000, 5_000_000), default=100_000, show_default=True, help="Messages.")
@click.option("--days", type=click.IntRange(35, 90), default=60, show_default=True, help="Days of history.")
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed, another history.")
@click.option("--domain", default="contoso.com", show_default=True, help="The tenant's main domain.")
def demo_command(folder: Path, rows: int, days: int, seed: int, domain: str) -> None:
    """Write an invented tenant into FOLDER: settings, DNS zones, mail history in several formats, and the truth."""
    from sidedoor.demo.make import make
    from sidedoor.demo.traffic import Plan
    from sidedoor.errors import UsageError
    from sidedoor.mail.domain import DomainError, parse_domain

    try:
        name = parse_domain(domain).ascii
    except DomainError as error:
        raise UsageError(f"--domain: {error}") from error
    count = make(folder, Plan(name, rows, days, seed, END))
    click.echo(f"{count:,} messages of an invented tenant, {name}, lie in {folder}.")
    click.echo(f"Audit them: sidedoor audit {folder} --dns {folder / 'zones'} -o demo-report")
