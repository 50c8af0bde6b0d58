"""`sidedoor forget`: delete mail history and what hangs on it: of a time, of a person, or all of a tenant."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from sidedoor.cli.alerts import who
from sidedoor.cli.extras import needs
from sidedoor.errors import UsageError
from sidedoor.mailauth.source import resolver_of

_PATH = click.Path(path_type=Path)


@click.command("forget")
@click.argument("workspace", type=_PATH)
@click.option("--before", type=click.DateTime(["%Y-%m-%d"]), help="Everything from before this day.")
@click.option("--address", help="One person's address, wherever it stands.")
@click.option("--everything", is_flag=True, help="The tenant: its folder and its rows in the store.")
@click.option("--yes", is_flag=True, help="Do it; without this nothing is deleted.")
def forget_command(workspace: Path, before: datetime | None, address: str | None, everything: bool, yes: bool) -> int:
    """Delete what a workspace and its store hold. There is no way back.

    --address puts a mark in place of the address, so that counts stay; exports in inbox/ and collected/ are yours and
    stay as they are.
    """
    if sum((before is not None, address is not None, everything)) != 1:
        raise UsageError("say one of --before, --address and --everything")
    if not yes:
        raise UsageError("this deletes for good; say so with --yes")
    with needs("forget", "watch"):
        from sidedoor.store.store import open_store
        from sidedoor.watch.forgetting import forget_address, forget_before, forget_everything
        from sidedoor.watch.workspace import open_workspace
    place, now = open_workspace(workspace), datetime.now(UTC)
    zones = tuple(map(place.path, place.settings.dns.zones))
    resolver = resolver_of(zones, offline=place.settings.dns.offline)
    with open_store(place.store_url) as store:
        if everything:
            forget_everything(place, store)
            click.echo(f"deleted {workspace}")
            return 0
        if address is not None:
            done = forget_address(place, store, address, who(), resolver, now)
        else:
            assert before is not None
            done = forget_before(place, store, before.date(), resolver, now)
    click.echo(f"deleted or changed: {done.days} days, {done.records} records, {done.rows} rows of the store")
    return 0
