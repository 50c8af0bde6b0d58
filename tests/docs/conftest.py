"""The site, built once for all workers, and the world that pages are played in."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

from tests.docs.kit import Html, checkout
from tests.docs.worlds import make_world


@dataclass(frozen=True)
class Site:
    """The built site. seconds: processor time that it took. said: what the build printed."""

    folder: Path
    seconds: float
    said: str

    def pages(self) -> list[Path]:
        """Every page."""
        return sorted(self.folder.rglob("*.html"))


def _shared(factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of a run share."""
    base = factory.getbasetemp()
    return base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The site, as `make docs` builds it, from a clean checkout."""
    shared = _shared(tmp_path_factory)
    told = shared / "site-told"
    with FileLock(shared / "site.lock"):
        if not told.exists():
            clone = checkout(shared / "clone")
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            done = subprocess.run(
                [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", shared / "site"],
                cwd=clone,
                env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONDONTWRITEBYTECODE": "1"},
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            assert done.returncode == 0, done.stdout + done.stderr
            seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            told.write_text(f"{seconds}\n{done.stdout}{done.stderr}", encoding="utf-8")
    seconds_text, _, said = told.read_text(encoding="utf-8").partition("\n")
    return Site(shared / "site", float(seconds_text), said)


@pytest.fixture(scope="session")
def built(site: Site) -> dict[Path, Html]:
    """Every page of the site, parsed."""
    return {path.resolve(): Html(path.resolve()) for path in site.pages()}


@pytest.fixture(scope="session")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The invented tenant, audited and planned; to be copied."""
    shared = _shared(tmp_path_factory)
    with FileLock(shared / "planned.lock"):
        if not (shared / "planned-done").exists():
            make_world("planned", shared / "planned")
            (shared / "planned-done").touch()
    return shared / "planned"
