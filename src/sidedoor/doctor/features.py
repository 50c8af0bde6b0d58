"""Which libraries each command needs, whether they are there, and in a version that will do.

The bounds are those that the installed package itself states (`Requires-Dist` in its metadata), so that they cannot
differ from what pip would install.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import import_module, metadata
from types import MappingProxyType

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from sidedoor.doctor.model import Feature

PACKAGE = "sidedoor"
EXTRA_OF: Mapping[str, str] = MappingProxyType(
    {
        "audit": "", "plan": "", "check": "", "explain": "", "spf": "", "probe": "", "demo": "", "completion": "",
        "doctor": "", "collect": "live", "close": "live", "reopen": "live", "edge": "edge", "milter": "edge",
        "quarantine": "", "watch": "watch", "init": "watch", "alerts": "watch", "decide": "watch", "forget": "watch",
        "web": "web",
    }
)  # fmt: skip
"""Command -> the extra it needs, "" none. tests/doctor holds this to what the commands import."""

_NOT_FOR_USERS = frozenset({"bench", "dev", "docs", "release", "test"})

POSIX = frozenset({"edge", "milter"})
"""Commands that need what only POSIX systems have: signals that make them read settings anew, sockets in folders."""

# Libraries with compiled parts, which may be there and not load: distribution -> module.
_COMPILED = {"duckdb": "duckdb", "cryptography": "cryptography.x509", "google-re2": "re2", "psycopg": "psycopg",
             "uvloop": "uvloop", "pyopenssl": "OpenSSL.SSL", "sqlalchemy": "sqlalchemy"}  # fmt: skip


# Libraries that call a program: distribution -> program, and what to say of it.
_PROGRAMS = {"pyspark": ("java", "Java 17 or newer, which is not on the path (Debian: default-jre-headless)")}


def known_names() -> list[str]:
    """What `--for` takes: commands, and extras that add something to some (xlsx, postgresql)."""
    return [*EXTRA_OF, *further()]


def further() -> list[str]:
    """Extras for users that are no command's own."""
    try:
        stated = metadata.metadata(PACKAGE).get_all("Provides-Extra") or []
    except metadata.PackageNotFoundError:
        return []
    return sorted({*map(str, stated)} - _NOT_FOR_USERS - {*EXTRA_OF.values()})


def features() -> list[Feature]:
    """Each command and each further extra."""
    return [_feature(name, extra) for name, extra in ({**EXTRA_OF} | {name: name for name in further()}).items()]


def _feature(name: str, extra: str) -> Feature:
    missing, advice = [*_lacking("")], "install sidedoor anew"
    if extra:
        more = _lacking(extra)
        missing += more
        advice = f"pip install '{PACKAGE}[{extra}]'" if more else advice
    if name in POSIX and os.name != "posix":
        missing.append("a POSIX system (Linux, macOS, BSD)")
        advice = f"run {name} on Linux, or in a container"
    return Feature(name, tuple(dict.fromkeys(missing)), advice if missing else "")


@cache
def _lacking(extra: str) -> tuple[str, ...]:
    """What an extra wants beyond the core and is not there; "" the core itself."""
    return tuple(filter(None, map(_trouble, _wanted(extra, _stated()))))


@cache
def _stated() -> tuple[Requirement, ...]:
    try:
        lines = metadata.requires(PACKAGE) or []
        return tuple(map(Requirement, lines))
    except (metadata.PackageNotFoundError, InvalidRequirement):
        return ()


def is_installed() -> bool:
    """Whether it is known what this version needs: it is installed, not only run from its source."""
    return bool(_stated())


def _wanted(extra: str, stated: Iterable[Requirement]) -> Iterator[Requirement]:
    """Requirements of an extra, those of extras that it takes in among them; without an extra, those of the core."""
    stated = tuple(stated)
    for each in stated:
        always = each.marker is None or each.marker.evaluate({"extra": ""})
        if each.marker is not None and not each.marker.evaluate({"extra": extra}):
            continue
        if always and extra:
            continue
        if canonicalize_name(each.name) == PACKAGE:
            for further in each.extras:
                yield from _wanted(further, stated)
        else:
            yield each


def _trouble(wanted: Requirement) -> str:
    """What is wrong with a requirement, or nothing."""
    asked = f"{wanted.name}{wanted.specifier}"
    try:
        found = metadata.version(wanted.name)
    except metadata.PackageNotFoundError:
        return f"{asked}, which is not installed"
    if not wanted.specifier.contains(found, prereleases=True):
        return f"{asked}, and {found} is installed"
    return _loads(canonicalize_name(wanted.name))


def _loads(name: str) -> str:
    program, why = _PROGRAMS.get(name, ("", ""))
    if program and shutil.which(program) is None and not os.environ.get(f"{program.upper()}_HOME"):
        return f"{name} needs {why}"
    module = _COMPILED.get(name)
    if module is None:
        return ""
    try:
        import_module(module)
    except Exception as error:  # noqa: BLE001  # a library that does not load may raise anything
        return f"{name}, which does not load ({type(error).__name__}: {str(error)[:100]})"
    return ""
