"""`sidedoor init`: a workspace, where a tenant's history and what is decided about it are kept."""

from __future__ import annotations

from pathlib import Path

import click

from sidedoor.cli.extras import needs
from sidedoor.errors import UsageError
from sidedoor.file_names import portable

_PATH = click.Path(path_type=Path)


@click.command("init")
@click.argument("domain")
@click.option("-o", "--output", type=_PATH, help="Folder to make; DOMAIN if not given.")
@click.option("--tenant-id", metavar="ID", help="The tenant's GUID or domain, to collect from it.")
@click.option("--client-id", metavar="GUID", help="The application that may read.")
@click.option("--certificate", type=_PATH, help="Its certificate and key in one PEM file.")
@click.option("--secret-env", metavar="NAME", help="Environment variable with its client secret.")
@click.option("--store", metavar="URL", help="Where decisions are kept, if not in a file of the workspace.")
def init_command(
    domain: str, output: Path | None, tenant_id: str | None, client_id: str | None, certificate: Path | None,
    secret_env: str | None, store: str | None,
) -> int:  # fmt: skip
    """Make a workspace for DOMAIN: a folder with settings, a place for exports, history, report and decisions.

    Several tenants are several workspaces side by side in one folder.
    """
    from sidedoor.mail.domain import DomainError, parse_domain

    try:
        name = parse_domain(domain).ascii
    except DomainError as error:
        raise UsageError(f"DOMAIN: {error}") from error
    if store is not None and "@" in store and not store.startswith("env:"):
        raise UsageError("--store: an address with a password belongs into the environment; say --store env:NAME")
    with needs("init", "watch"):
        from sidedoor.watch.template import settings_text
        from sidedoor.watch.workspace import make_workspace
    said = {
        ("collect", "tenant_id"): tenant_id,
        ("collect", "client_id"): client_id,
        ("collect", "certificate"): None if certificate is None else str(certificate.resolve()),
        ("collect", "secret_env"): secret_env,
        ("store", "url"): store,
    }
    folder = output or Path(portable(name))
    make_workspace(folder, settings_text(name, {key: value for key, value in said.items() if value is not None}))
    click.echo(f"Made {folder}. Its settings are in {folder / 'sidedoor.toml'}.")
    if tenant_id is None:
        click.echo(f"Lay exports of mail history and the tenant's settings into {folder / 'inbox'}.")
    click.echo(f"Then: sidedoor watch {folder} --once")
    return 0
