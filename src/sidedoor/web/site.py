"""Everything the server holds: the tenants, who may sign in, who is signed in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

from sidedoor.errors import SidedoorError, UsageError
from sidedoor.store.store import Store, open_store
from sidedoor.store.tenant import TenantStore
from sidedoor.watch.workspace import Workspace, open_workspace
from sidedoor.web.book import Library
from sidedoor.web.settings import WebSettings
from sidedoor.web.tenant import Clock, Tenant

SESSIONS = "web.db"
_READERS = 2


def now() -> datetime:
    """The time, aware and UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Broken:
    """A workspace that cannot be opened, and why; the others are served all the same."""

    name: str
    why: str


class Stores:
    """Each store is opened once, however many tenants are in it."""

    def __init__(self) -> None:
        self._open: dict[str, Store] = {}
        self._lock = Lock()

    def of(self, url: str) -> Store:
        """The store at a URL. Raises SidedoorError."""
        with self._lock:
            if url not in self._open:
                self._open[url] = open_store(url)
            return self._open[url]

    def tenant(self, workspace: Workspace) -> TenantStore:
        """The part of one workspace's tenant. Raises SidedoorError."""
        return self.of(workspace.store_url).tenant(workspace.name)

    def close(self) -> None:
        """Give all connections back."""
        with self._lock:
            for store in self._open.values():
                store.close()
            self._open.clear()


class Site:
    """What requests are answered from. `sessions` holds who is signed in and the tokens."""

    def __init__(
        self, tenants: Mapping[str, Tenant], broken: Iterable[Broken], settings: WebSettings, *, stores: Stores,
        sessions: Store, clock: Clock, readers: ThreadPoolExecutor,
    ) -> None:  # fmt: skip
        self.tenants, self.broken, self.settings = dict(tenants), tuple(broken), settings
        self.sessions, self.clock = sessions, clock
        self._stores, self._readers = stores, readers

    def close(self) -> None:
        """Give back what is open."""
        self._readers.shutdown(cancel_futures=True)
        self._stores.close()


def open_site(folders: Iterable[Path], settings: WebSettings, state: Path, clock: Clock = now) -> Site:
    """Open the workspaces in `folders`. state: the folder for sessions, where web.toml names no store for them.

    Raises SidedoorError where no workspace can be opened, or the sessions cannot be kept.
    """
    stores, readers = Stores(), ThreadPoolExecutor(_READERS, thread_name_prefix="report")
    library = Library(readers)
    tenants: dict[str, Tenant] = {}
    broken: list[Broken] = []
    for folder in folders:
        try:
            workspace = open_workspace(folder)
            if workspace.name in tenants:
                other = tenants[workspace.name].workspace.folder
                raise UsageError(f"{folder}: {workspace.name} is the domain of {other} too")
        except SidedoorError as error:
            broken.append(Broken(folder.name, str(error)))
            continue
        tenants[workspace.name] = Tenant(workspace, stores.tenant, library, clock)
    if not tenants:
        raise UsageError(broken[0].why if broken else "no workspace to show")
    url = settings.store or f"sqlite:///{(state / SESSIONS).resolve().as_posix()}"
    return Site(tenants, broken, settings, stores=stores, sessions=stores.of(url), clock=clock, readers=readers)
