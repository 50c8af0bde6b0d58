"""The wheel, in an environment with nothing else: it installs, it has every file, and it does the main job."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from datetime import date
from pathlib import Path

import pytest

from sidedoor import __version__

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.xdist_group("wheel")  # what the module makes once is made by one worker


def run(*command: str | Path, folder: Path = ROOT) -> str:
    """What a command prints, in an environment that knows nothing of this project's source."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(command, cwd=folder, env=clean, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, f"{command}: {done.stdout[-2_000:]}{done.stderr[-2_000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skips where there is no package registry: the smallest of our libraries cannot be had."""
    folder = tmp_path_factory.mktemp("registry")
    asked = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--no-cache-dir",
        "-d",
        str(folder),
        "ijson",
    ]
    if subprocess.run(asked, capture_output=True, check=False, timeout=300).returncode:
        pytest.skip("no package registry answers: the wheel cannot be built and installed")


@pytest.fixture(scope="module")
def wheel(registry: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as `make release` builds it: of the sdist, which therefore has all that it takes."""
    folder, source = tmp_path_factory.mktemp("dist"), tmp_path_factory.mktemp("source") / "sidedoor"
    # Of a copy: a build writes into its source, which other tests read at the same time.
    kept = shutil.ignore_patterns(
        ".git", ".venv", ".*_cache", ".hypothesis", "__pycache__", "*.egg-info", "build", "demo-*"
    )
    shutil.copytree(ROOT, source, ignore=kept)
    run(sys.executable, "-m", "build", "--outdir", folder, source)
    assert (folder / f"sidedoor-{__version__}.tar.gz").exists()
    return folder / f"sidedoor-{__version__}-py3-none-any.whl"


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `sidedoor` of an environment in which there is only what the wheel asks for."""
    folder = tmp_path_factory.mktemp("empty") / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    scripts = folder / ("Scripts" if os.name == "nt" else "bin")
    run(sys.executable, "-m", "pip", "--python", scripts / "python", "install", "--quiet", wheel)
    return scripts / "sidedoor"


def test_the_wheel_has_every_file_of_the_package(wheel: Path) -> None:
    package = ROOT / "src" / "sidedoor"
    kept = {path.relative_to(package.parent).as_posix() for path in package.rglob("*") if path.is_file()}
    wanted = {name for name in kept if "__pycache__" not in name}
    with zipfile.ZipFile(wheel) as archive:
        assert {name for name in archive.namelist() if ".dist-info/" not in name} == wanted


def test_it_does_the_main_job_and_says_what_is_missing(installed: Path, tmp_path: Path) -> None:
    assert run(installed, "--version", folder=tmp_path) == f"sidedoor {__version__}\n"
    run(installed, "demo", "demo", "--rows", "1000", "--days", "35", folder=tmp_path)
    said = run(installed, "audit", "demo", "--dns", "demo/zones", "-o", "report", folder=tmp_path)
    assert said.startswith("Not ready: closing Direct Send now would refuse honest mail.")
    report = json.loads((tmp_path / "report" / "report.json").read_text("ascii"))
    assert sum(each["messages"] for each in report["totals"].values()) == report["coverage"]["messages"] >= 1_000
    told = json.loads(run(installed, "doctor", "--json", folder=tmp_path))
    ready = {each["name"] for each in told["features"] if each["ready"]}
    assert {"audit", "plan", "check", "explain", "spf", "probe", "demo"} <= ready
    assert not {"collect", "watch", "web", "edge"} & ready
    missing = next(each for each in told["features"] if each["name"] == "web")
    assert missing["advice"] == "pip install 'sidedoor[web]'"
    assert any(each.startswith("fastapi") for each in missing["missing"])


@pytest.mark.parametrize("command", ["collect", "watch", "web"])
def test_a_command_without_its_libraries_says_which(installed: Path, tmp_path: Path, command: str) -> None:
    asked = {
        "collect": ["-o", "x", "--tenant-id", "contoso.com", "--client-id", "1", "--device-code"],
        "watch": [".", "--once"],
        "web": ["."],
    }[command]
    done = subprocess.run([installed, command, *asked], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "install sidedoor[" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_changelog_has_a_day_for_this_version() -> None:
    heads = re.findall(r"^## \[(.+?)\](?: - (.+))?$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    released = [(name, day) for name, day in heads if name != "Unreleased"]
    assert heads[0][0] in {"Unreleased", __version__}
    assert released[0][0] == __version__
    days = [date.fromisoformat(day) for _, day in released]
    assert days == sorted(days, reverse=True)
