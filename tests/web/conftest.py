"""Workspaces that all tests of the page share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.web.kit import Served, served
from tests.web.world import make_tenant


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a report; copy it before anything is written into it."""
    folder = tmp_path_factory.mktemp("web") / "contoso.com"
    make_tenant(folder)
    shutil.rmtree(folder / "inbox")
    (folder / "inbox").mkdir()
    return folder


@pytest.fixture
def workspace(made: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(made, tmp_path / "contoso.com"))


@pytest.fixture
def page(workspace: Path) -> Iterator[Served]:
    """The site over it."""
    with served([workspace], workspace.parent) as one:
        yield one
