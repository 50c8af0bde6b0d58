"""Which libraries a command needs: the table is what the commands import, and what is amiss is said."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from sidedoor.cli.main import COMMANDS
from sidedoor.doctor.features import EXTRA_OF, POSIX, _trouble, _wanted, features, further

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
PACKAGES = {
    "": ["audit", "catalogue", "demo", "evidence", "mailauth", "plan", "probe", "report", "tenant"],
    "live": ["exchange"],
    "edge": ["edge"],
    "watch": ["store", "watch"],
    "web": ["web"],
}
# Imports all modules of packages where no library is but those of some distributions and the standard library.
_ALONE = """
import importlib, importlib.metadata, pkgutil, re, sys
packages, kept = sys.argv[1].split(","), set(sys.argv[2].split(","))
plain = lambda name: re.sub("[-_.]+", "-", name).lower()
hidden = {top for top, dists in importlib.metadata.packages_distributions().items()
          if not {plain(dist) for dist in dists} & kept}
class Some:
    def __init__(self, finders):
        self.finders = finders
    def find_spec(self, name, path=None, target=None):
        found = (each.find_spec(name, path, target) for each in self.finders)
        return None if name.partition(".")[0] in hidden else next(filter(None, found), None)
    def find_distributions(self, *asked):
        able = (each for each in self.finders if hasattr(each, "find_distributions"))
        return (found for each in able for found in each.find_distributions(*asked))
sys.meta_path[:] = [Some(sys.meta_path[:])]
for package in packages:
    module = importlib.import_module(f"sidedoor.{package}")
    for each in pkgutil.walk_packages(module.__path__, module.__name__ + "."):
        if ".migrations" not in each.name and ".portable" not in each.name:  # Alembic's, and other engines'
            importlib.import_module(each.name)
"""


def stated() -> Iterator[Requirement]:
    """The requirements of pyproject.toml as metadata states them."""
    yield from map(Requirement, PROJECT["dependencies"])
    for extra, wanted in PROJECT["optional-dependencies"].items():
        for each in map(Requirement, wanted):
            marker = f"({each.marker}) and " if each.marker else ""
            each.marker = None
            yield Requirement(f'{each}; {marker}extra == "{extra}"')


def closure(extra: str) -> set[str]:
    """All distributions that installing the core and an extra brings."""
    requirements = tuple(stated())
    waiting = [*_wanted("", requirements), *(_wanted(extra, requirements) if extra else ())]
    found = {"sidedoor"}
    while waiting:
        each = waiting.pop()
        name = canonicalize_name(each.name)
        if name not in found:
            found.add(name)
            waiting += brought_by(name, each.extras)
    return found


def brought_by(name: str, extras: set[str]) -> list[Requirement]:
    """What an installed distribution asks for, with some of its extras."""
    asked = map(Requirement, metadata.requires(name) or [])
    return [
        each for each in asked
        if each.marker is None or any(each.marker.evaluate({"extra": extra}) for extra in ["", *extras])
    ]  # fmt: skip


@pytest.mark.parametrize("extra", PACKAGES)
def test_an_extra_brings_what_its_packages_import(extra: str) -> None:
    command = [sys.executable, "-c", _ALONE, ",".join(PACKAGES[extra]), ",".join(closure(extra))]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-2_000:]


def test_a_library_that_no_extra_brings_is_noticed() -> None:
    command = [sys.executable, "-c", _ALONE, "watch", ",".join(closure("") - {"click"})]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert "No module named 'alembic'" in done.stderr or "No module named 'sqlalchemy'" in done.stderr, done.stderr


def test_every_command_has_its_line_and_every_extra_exists() -> None:
    assert set(EXTRA_OF) == set(COMMANDS)
    assert set(EXTRA_OF.values()) - {""} <= set(PROJECT["optional-dependencies"])
    assert set(EXTRA_OF) >= POSIX


def test_what_a_command_says_where_a_library_is_missing_names_the_same_extra() -> None:
    said = {}
    for path in (ROOT / "src" / "sidedoor" / "cli").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "needs":
                command, extra = (ast.literal_eval(each) for each in node.args)
                said[command] = extra
    known = {command: extra for command, extra in said.items() if command in EXTRA_OF}
    assert len(known) >= 4
    assert known == {command: EXTRA_OF[command] for command in known}


def test_here_everything_is_ready() -> None:
    assert [(each.name, each.missing) for each in features() if not each.ready] == []


def test_extras_of_no_command_are_features_too() -> None:
    assert {"xlsx", "postgresql"} <= set(further()) <= set(PROJECT["optional-dependencies"])
    assert not set(further()) & {"dev", "test", "docs", "bench", "release"}


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ("no-such-library>=1", "no-such-library>=1, which is not installed"),
        ("click>=999", "click>=999, and "),
        ("click", ""),
        ("Defused_XML", "Defused_XML, which is not installed"),
        ("defusedxml>=0.1", ""),
    ],
)
def test_what_is_amiss_with_a_library(wanted: str, why: str) -> None:
    said = _trouble(Requirement(wanted))
    assert said.startswith(why)
    assert bool(said) is bool(why)
