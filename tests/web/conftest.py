"""Workspaces that all tests of the page share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from sidedoor.store.store import open_store
from sidedoor.web.site import SESSIONS
from tests.web import busy
from tests.web.kit import Served, served
from tests.web.world import make_tenant


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a report, one for all workers of a run; copy it before anything is written into it."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "web-made"
    with FileLock(shared.with_suffix(".lock")):
        if not (shared / "done").exists():
            folder = shared / "contoso.com"
            make_tenant(folder)
            shutil.rmtree(folder / "inbox")
            (folder / "inbox").mkdir()
            (shared / "done").touch()
    return shared / "contoso.com"


@pytest.fixture(scope="session")
def made_busy(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same in which things have happened, and beside it a store for sessions in which nobody is."""
    folder = shutil.copytree(made, tmp_path_factory.mktemp("busy") / "contoso.com")
    busy.fill(folder)
    open_store(f"sqlite:///{folder.parent / SESSIONS}").close()
    return folder


@pytest.fixture
def workspace(made: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(made, tmp_path / "contoso.com"))


@pytest.fixture
def busy_workspace(made_busy: Path, tmp_path: Path) -> Path:
    """A copy of the one in which things have happened."""
    shutil.copy(made_busy.parent / SESSIONS, tmp_path)
    return Path(shutil.copytree(made_busy, tmp_path / "contoso.com"))


@pytest.fixture
def page(workspace: Path) -> Iterator[Served]:
    """The site over it."""
    with served([workspace], workspace.parent) as one:
        yield one
