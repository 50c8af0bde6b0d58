"""What the figures were measured on: processor, memory, versions, commit. No names and no paths of the machine."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = (
    "duckdb", "ibis-framework", "pyspark", "pyarrow", "polars", "pyspf", "dkimpy", "cryptography", "aiosmtpd", "uvloop",
    "sqlalchemy", "psycopg", "fastapi", "uvicorn",
)  # fmt: skip
PROGRAMS = {
    "Postfix": ("postconf", "-h", "mail_version"),
    "PostgreSQL": ("psql", "--version"),
    "Java": ("java", "-version"),
}


def load() -> float | None:
    """Processes that wanted to run, over the last minute; None where the system does not say."""
    with suppress(OSError, AttributeError):
        return os.getloadavg()[0]
    return None


def noise() -> str:
    """What to say of a machine that has other things to do; nothing of a quiet one."""
    average, cores = load() or 0.0, _cores()
    if average <= cores / 2:
        return ""
    return f"The machine was not quiet: a load of {average:.1f} on {cores} cores before the first benchmark."


def machine(folder: Path) -> dict[str, str]:
    """What to say of the machine, in order. `folder`: where the repository's commit is asked for."""
    average = load()
    return {
        "Processor": processor(),
        "Cores": f"{_cores()} of {os.cpu_count()}",
        "Memory": _memory(),
        "System": f"{platform.system()} {platform.release()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "Load at the start": "unknown" if average is None else f"{average:.2f}",
        "Commit": commit(folder),
        "Versions": ", ".join(f"{name} {number}" for name, number in versions().items()),
    }


def processor(path: Path = Path("/proc/cpuinfo")) -> str:
    """Its model."""
    with suppress(OSError):
        found = re.search(r"^model name\s*:\s*(.+)$", path.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
        if found:
            return found[1].strip()
    return platform.processor() or platform.machine() or "unknown"


def _cores() -> int:
    """Those that we may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory() -> str:
    with suppress(OSError, ValueError, AttributeError):
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB"
    return "unknown"


def versions() -> dict[str, str]:
    """Of the peers and of what carries us; what is not installed is not named here, but by who misses it."""
    found: dict[str, str] = {}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    for name, command in PROGRAMS.items():
        if number := re.search(r"\d+(?:\.\d+)+", _said(*command)):
            found[name] = number[0]
    return found


def commit(folder: Path) -> str:
    """In short, and whether files were changed since."""
    git = ("git", "-C", str(folder))
    name = _said(*git, "rev-parse", "--short=10", "HEAD").strip()
    if not re.fullmatch(r"[0-9a-f]{10,40}", name):
        return "unknown"
    return name + (", with changes" if _said(*git, "status", "--porcelain", "--untracked-files=no").strip() else "")


def _said(*command: str) -> str:
    if shutil.which(command[0]) is None:
        return ""
    with suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
        return done.stdout + done.stderr
    return ""
