"""Moving a store: what is copied is the same, and goes on where the old one was."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidedoor.errors import UsageError
from sidedoor.store.model import TrailEntry
from sidedoor.store.store import Store, open_store
from tests.store.child import state
from tests.store.store_kit import DOMAIN, NOW
from tests.store.test_retention import fill, rows


def test_everything_is_copied_and_goes_on(store: Store, tmp_path: Path) -> None:
    with open_store(tmp_path / "old.db") as old:
        old.tenant("gone.example").begin_run(NOW)
        old.delete_tenant("gone.example")
        fill(old, DOMAIN)
        fill(old, "fabrikam.com", "x\x00\ud800@contoso.com")
        counts = old.copy_to(store)
        assert counts == {name: count for name, count in rows(old).items() if not name.startswith("web_")}
        assert rows(store) == rows(old)
        assert state(store) == state(old)
        for one in (old, store):
            tenant = one.tenant(DOMAIN)
            assert tenant.begin_run(NOW) == max(run.number for run in tenant.last_runs())
            tenant.note(TrailEntry(NOW, "ann", "cli", "copy", ""))
            one.tenant("new.example")
        assert [line.number for line in store.tenant(DOMAIN).trail()] == [
            line.number for line in old.tenant(DOMAIN).trail()
        ]
        assert store.tenants() == old.tenants()


def test_and_back(store: Store, tmp_path: Path) -> None:
    fill(store, DOMAIN)
    with open_store(tmp_path / "new.db") as new:
        store.copy_to(new)
        assert state(new) == state(store)


def test_a_store_that_holds_something_is_not_copied_over(store: Store, tmp_path: Path) -> None:
    store.tenant(DOMAIN)
    with open_store(tmp_path / "old.db") as old:
        fill(old, DOMAIN)
        with pytest.raises(UsageError, match="holds tenants already"):
            old.copy_to(store)
    assert store.tenant(DOMAIN).alerts() == []
