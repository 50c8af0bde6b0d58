"""The two databases, as the tests of the store have them."""

from __future__ import annotations

from tests.store.conftest import server, store, tenant, url

__all__ = ["server", "store", "tenant", "url"]
