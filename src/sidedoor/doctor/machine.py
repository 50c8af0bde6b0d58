"""What this machine has to offer: Python, SQLite, time zones, the clock, DuckDB, room, and DNS if it may be asked."""

from __future__ import annotations

import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import sidedoor
from sidedoor.doctor.features import is_installed
from sidedoor.doctor.model import Check, State

_OLDEST_PYTHON = (3, 11)
_OLDEST_SQLITE = (3, 35)
_SCRATCH = 2 << 30
_AHEAD = 366 * 20  # days after this version was written: nobody runs it any more


def machine() -> Iterator[Check]:
    """What can be told without asking anybody."""
    yield _python()
    yield _package()
    yield _sqlite()
    yield _duckdb()
    yield _zones()
    yield clock(datetime.now(UTC))
    yield room("scratch", Path(tempfile.gettempdir()), _SCRATCH)


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < _OLDEST_PYTHON:
        return Check("python", State.MISSING, f"Python {version}", "Sidedoor needs Python 3.11 or newer")
    if sys.maxsize <= 1 << 32:
        return Check("python", State.WARNING, f"Python {version}, 32 bits", "large histories need a 64-bit Python")
    return Check("python", State.OK, f"Python {version}")


def _package() -> Check:
    if is_installed():
        return Check("package", State.OK, f"sidedoor {sidedoor.__version__} is installed")
    return Check(
        "package", State.WARNING, "run from its source: what versions of libraries it needs is not known",
        "pip install sidedoor, or `pip install --editable .` in its source",
    )  # fmt: skip


def _sqlite() -> Check:
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        return Check(
            "sqlite", State.MISSING, f"SQLite {sqlite3.sqlite_version}; a store needs 3.35", "a newer Python has one"
        )
    return Check("sqlite", State.OK, f"SQLite {sqlite3.sqlite_version}")


def _duckdb() -> Check:
    """It reads and writes: the one library without which there is no audit."""
    try:
        from sidedoor.audit.engine.database import DUCKDB_VERSION, open_database

        with tempfile.TemporaryDirectory(prefix="doctor-") as folder, open_database(Path(folder)) as database:
            database.run(f"COPY (SELECT 1 AS one) TO '{Path(folder).as_posix()}/one.parquet' (FORMAT parquet)")
    except Exception as error:  # noqa: BLE001  # a compiled library may fail in any way
        return Check("duckdb", State.MISSING, f"{type(error).__name__}: {str(error)[:200]}", "pip install duckdb")
    return Check("duckdb", State.OK, f"DuckDB {DUCKDB_VERSION} writes Parquet")


def _zones() -> Check:
    try:
        ZoneInfo("Europe/Berlin")
    except (ZoneInfoNotFoundError, OSError, ValueError):
        return Check(
            "time-zones", State.WARNING, "no time zones here: quiet hours work in UTC only", "pip install tzdata"
        )
    return Check("time-zones", State.OK, "time zones are known")


def clock(now: datetime) -> Check:
    """Whether it can be right: not before this version was written, not decades after."""
    try:
        written = datetime.fromtimestamp(Path(sidedoor.__file__).stat().st_mtime, UTC)
    except OSError:
        return Check("clock", State.WARNING, f"{now:%Y-%m-%d %H:%M} UTC; nothing to compare it with")
    if (written - now).days >= 1 or (now - written).days > _AHEAD:
        return Check(
            "clock", State.WARNING, f"{now:%Y-%m-%d %H:%M} UTC, but Sidedoor was installed {written:%Y-%m-%d}",
            "set the clock: sign-in, certificates and alerts depend on it",
        )  # fmt: skip
    return Check("clock", State.OK, f"{now:%Y-%m-%d %H:%M} UTC is possible; nobody was asked")


def room(name: str, folder: Path, wanted: int) -> Check:
    """Whether a folder has so many octets left."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return Check(name, State.MISSING, f"{folder}: {error.strerror}", "make the folder, or name another")
    text = f"{folder}: {free / (1 << 30):,.1f} GB free"
    if free < wanted // 16:
        return Check(name, State.MISSING, text, f"make room: {wanted / (1 << 30):.0f} GB are enough as a rule")
    if free < wanted:
        return Check(name, State.WARNING, text, f"a large history needs {wanted / (1 << 30):.0f} GB there")
    return Check(name, State.OK, text)
