"""The options of commands that sign in to a live tenant."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from sidedoor.errors import UsageError

_PATH = click.Path(path_type=Path)
F = TypeVar("F", bound=Callable[..., Any])


def sign_in_options(command: F) -> F:
    """The options of `exchange.sign_in.SignIn`."""
    options = (
        click.option("--tenant-id", metavar="ID", help="The tenant's GUID, or one of its domains."),
        click.option("--client-id", metavar="GUID", help="The application that is registered for this."),
        click.option("--certificate", type=_PATH, help="Its certificate and key, PEM or PKCS #12: the best way."),
        click.option(
            "--certificate-passphrase-env", metavar="NAME", help="Environment variable with that file's passphrase."
        ),
        click.option("--secret-env", metavar="NAME", help="Environment variable with its client secret."),
        click.option("--device-code", is_flag=True, help="Sign in as a person, in a browser on any device."),
        click.option("--token-env", metavar="NAME", help="Environment variable with an access token made elsewhere."),
        click.option(
            "--cloud", type=click.Choice(["global", "gcc-high", "dod", "china"]), default="global", show_default=True,
            help="Which of Microsoft's clouds the tenant is in.",
        ),
        click.option("--base-url", metavar="URL", help="Exchange Online at another address (a twin, a test)."),
        click.option("--authority-url", metavar="URL", help="What gives tokens, at another address."),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def needs_live(command: str, error: ModuleNotFoundError) -> UsageError:
    """What to install."""
    return UsageError(f"{command} needs {error.name}: install sidedoor[live]")
