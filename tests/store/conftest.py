"""The two databases. Tests that want PostgreSQL are skipped by name where it cannot be started."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from sidedoor.store.store import Store, open_store
from sidedoor.store.tenant import TenantStore
from tests.store.postgres import MISSING, Postgres
from tests.store.store_kit import DOMAIN

_TEMPLATE = "template_of_a_store"


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    """One server for all tests of this process, with a store that is copied for each of them."""
    if MISSING:
        pytest.skip(MISSING)
    with Postgres() as server:
        open_store(server.make(_TEMPLATE)).close()
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a store that nobody has used."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/sidedoor.db"
    server: Postgres = request.getfixturevalue("server")
    return server.make(f"test_{uuid4().hex}", _TEMPLATE)


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """An empty store."""
    with open_store(url) as opened:
        yield opened


@pytest.fixture
def tenant(store: Store) -> TenantStore:
    """A tenant in it."""
    return store.tenant(DOMAIN)
