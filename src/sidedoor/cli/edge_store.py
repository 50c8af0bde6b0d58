"""What `edge` and `quarantine` need of the store that several edges share: its URL, the tenant, a first look."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sidedoor.cli.edge_parts import Wanted
from sidedoor.cli.extras import needs
from sidedoor.errors import UsageError

if TYPE_CHECKING:
    from sidedoor.edge.quarantine import Quarantine
    from sidedoor.edge.settings import Settings
    from sidedoor.edge.shared.shared import Shared
    from sidedoor.store.store import Store
    from sidedoor.store.tenant import TenantStore


def store_url(text: str) -> str:
    """The URL itself, or what `env:NAME` names: a password is not for command lines. Raises UsageError."""
    if not text.startswith("env:"):
        return text
    name = text.removeprefix("env:")
    value = os.environ.get(name, "").strip()
    if not value:
        raise UsageError(f"--store: no environment variable {name[:60]!r}, or it is empty")
    return value


def opener(text: str, command: str) -> Callable[[], Store]:
    """Opens the store when it is called. Raises UsageError for what is no URL of one."""
    url = store_url(text)
    with needs(f"{command} --store", "watch"):
        from sidedoor.store.place import parse_place
        from sidedoor.store.store import open_store

    parse_place(url)
    return lambda: open_store(url)


@contextmanager
def opened_tenant(text: str, domain: str, command: str) -> Iterator[TenantStore]:
    """A tenant's part of the store. Raises UsageError where the store does not know the tenant."""
    from sidedoor.mail.domain import DomainError, parse_domain

    with opener(text, command)() as store:
        try:
            name = parse_domain(domain).ascii
        except DomainError as error:
            raise UsageError(f"--store-tenant: {error}") from error
        if name not in store.tenants():
            raise UsageError(f"{store.name}: knows no tenant {name!r}")
        yield store.tenant(name)


def shared_of(wanted: Wanted, settings: Settings | None, worker: int, say: Callable[[str], None]) -> Shared | None:
    """What this edge shares with others; None where it shares nothing. settings: those that files hold, if any."""
    if wanted.store is None:
        return None
    from sidedoor.edge.shared.shared import Shared

    shared = Shared(opener(wanted.store, "edge"), tenant_of(wanted, settings), worker, say)
    shared.reach()
    return shared


def quarantine_of(folder: Path | None, shared: Shared | None) -> Quarantine | None:
    """Where this edge holds messages back; None where it holds none. For other threads than the event loop's."""
    from sidedoor.edge.quarantine import SharedQuarantine, open_spools

    if shared is not None:
        return SharedQuarantine(shared.link.ask(lambda tenant: tenant), "the admin endpoint", "api")
    return None if folder is None else open_spools(folder)


def tenant_of(wanted: Wanted, settings: Settings | None) -> str:
    """The tenant's name in the store: as told, else the default accepted domain."""
    if wanted.store_tenant is not None:
        return wanted.store_tenant
    domain = None if settings is None else settings.default_domain
    if domain is None:
        raise UsageError("--store without --tenant needs --store-tenant: the domain that the tenant has in the store")
    return domain.ascii


def publish(wanted: Wanted) -> str:
    """Put the settings of an export in force at all edges; returns a sentence for people."""
    if wanted.tenant is None or wanted.store is None:
        raise UsageError("--publish needs --tenant, what to publish, and --store, where")
    from sidedoor.edge.settings import Source
    from sidedoor.evidence.tenant_files import read_tenant
    from sidedoor.tenant.codec import encode

    now = datetime.now(UTC)
    name = tenant_of(wanted, Source(wanted.tenant).read(now))  # refuses what no edge could use
    body = encode(read_tenant(wanted.tenant).snapshot)
    with opener(wanted.store, "edge")() as store:
        tenant = store.tenant(name)
        before = tenant.settings_version()
        published = tenant.publish_settings(body, who(), "cli", now)
    state = "are in force as they were" if published.version == before else "published"
    return f"{name}: settings {state}, version {published.version}"


def who() -> str:
    """Whoever sits here, for the audit trail."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # no such user here, in some containers
        return "somebody at this computer"
