"""A tenant that is signed in to: its client, and its settings as they are now."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from sidedoor.cli.sign_in import needs_live
from sidedoor.errors import UnreachableError
from sidedoor.exchange.sign_in import SignIn

if TYPE_CHECKING:
    from sidedoor.exchange.invoke import Exchange
    from sidedoor.tenant.snapshot import TenantSnapshot


@contextmanager
def signed_in(sign_in: dict[str, Any], say: Callable[[str], None]) -> Iterator[Exchange]:
    """A client of the tenant. Raises UsageError, InputError, UnreachableError."""
    try:
        from sidedoor.exchange.clock import SystemClock
        from sidedoor.exchange.http import Http
    except ModuleNotFoundError as error:
        raise needs_live("this", error) from error
    from sidedoor.exchange.invoke import Exchange

    signed = SignIn.taken(sign_in)
    cloud, tenant = signed.addresses(), signed.tenant()
    tokens = signed.tokens(cloud, say)
    http = Http(tokens, SystemClock(), say)
    try:
        yield Exchange(http, cloud, tenant, tokens.anchor)
    finally:
        http.close()


def live_settings(exchange: Exchange, say: Callable[[str], None], *, needed: bool = True) -> TenantSnapshot:
    """The settings now. Transport rules and the connection filter may be unknown, which is said; where any other cannot
    be had and is `needed`, UnreachableError is raised.
    """
    from sidedoor.evidence.tenant_files import read_tenant
    from sidedoor.exchange import settings
    from sidedoor.tenant.kinds import SettingKind

    spared = frozenset({SettingKind.TRANSPORT_RULE, SettingKind.CONNECTION_FILTER} if needed else SettingKind)
    with TemporaryDirectory(prefix="sidedoor-") as folder:
        for kind in settings.ORDER:
            found = settings.fetch(exchange, kind)
            if found.missing and kind not in spared:
                raise UnreachableError(f"the tenant's settings are not known: {found.missing}")
            if found.missing:
                say(f"not known: {found.missing}")
                continue
            (Path(folder) / found.file).write_bytes(found.data)
        return read_tenant(Path(folder)).snapshot
