"""`sidedoor web`: the page for an administrator's morning, and the JSON API beneath it."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sidedoor.cli.extras import needs

if TYPE_CHECKING:
    from sidedoor.web.access.guard import Reach
    from sidedoor.web.serve import Listen
    from sidedoor.web.settings import WebSettings
    from sidedoor.web.site import Site

_PATH = click.Path(path_type=Path)
_ROLES = click.Choice(["reader", "operator", "admin"])


@click.command("web")
@click.argument("folders", metavar="FOLDER...", type=_PATH, nargs=-1, required=True)
@click.option("--listen", "at", default="127.0.0.1:8642", show_default=True, help="HOST:PORT to listen at.")
@click.option("--settings", "file", type=_PATH, help="Your web.toml; FOLDER/web.toml if it is there.")
@click.option("--tls-certificate", type=_PATH, help="PEM file with the server's certificate and its chain.")
@click.option("--tls-key", type=_PATH, help="PEM file with its key.")
@click.option(
    "--behind-proxy", metavar="ADDRESS", multiple=True,
    help="A reverse proxy that talks TLS to browsers; its word about clients is taken. Repeatable.",
)  # fmt: skip
@click.option("--link", is_flag=True, help="Print a new link for signing in to a server that runs, and end.")
@click.option("--role", type=_ROLES, default="admin", show_default=True, help="What the link's owner may do.")
def web_command(
    folders: tuple[Path, ...], at: str, file: Path | None, tls_certificate: Path | None, tls_key: Path | None,
    behind_proxy: tuple[str, ...], link: bool, role: str,
) -> int:  # fmt: skip
    """Serve the page of one workspace, or of all workspaces in FOLDER, on this machine.

    A link that signs in once is printed at the start. Beyond this machine people sign in with OpenID Connect
    (docs/web.md). The page changes nothing in any tenant.
    """
    with needs("web", "web"):
        from sidedoor.web.serve import Listen, parse_listen, parse_proxies, reach
        from sidedoor.web.settings import WebSettings

    settings = _settings(folders, file) or WebSettings()
    listen = Listen(*parse_listen(at), tls_certificate, tls_key, parse_proxies(behind_proxy))
    reached = reach(listen, settings)
    site = _site(folders, settings)
    try:
        if link:
            click.echo(_link(site, listen, settings, role))
        else:
            _serve(site, listen, settings, reached, role)
    finally:
        site.close()
    return 0


def _settings(folders: tuple[Path, ...], file: Path | None) -> WebSettings | None:
    from sidedoor.web.settings import NAME, read_web_settings

    path = file or next((folder / NAME for folder in folders if (folder / NAME).is_file()), None)
    return None if path is None else read_web_settings(path)


def _site(folders: tuple[Path, ...], settings: WebSettings) -> Site:
    from sidedoor.watch.workspace import workspaces
    from sidedoor.web.site import open_site

    return open_site(workspaces(folders), settings, folders[0])


def _link(site: Site, listen: Listen, settings: WebSettings, role: str) -> str:
    """A link that signs whoever sits here in, once."""
    from sidedoor.web.access.links import make_link
    from sidedoor.web.access.roles import role_of

    try:
        who = f"{getpass.getuser()} (this computer)"
    except (OSError, KeyError, ImportError):  # no such user here, in some containers
        who = "somebody at this computer"
    token = make_link(site.sessions, who, role_of(role), site.clock())
    return f"{settings.public_url or listen.url}/sign-in?token={token}"


def _serve(site: Site, listen: Listen, settings: WebSettings, reached: Reach, role: str) -> None:
    from sidedoor.web.app import make_app
    from sidedoor.web.serve import serve

    for each in site.broken:
        click.echo(f"web: {each.why}", err=True)

    def started() -> None:
        click.echo(f"web: listening on {listen.url}, {len(site.tenants)} tenant(s)")
        if settings.oidc is None:
            click.echo(f"web: open {_link(site, listen, settings, role)}")
            click.echo("web: the link works once, within half an hour; Ctrl+C ends the server")

    serve(make_app(site, reached), listen, started)
