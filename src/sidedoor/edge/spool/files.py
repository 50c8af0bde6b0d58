"""How the spools in a folder are named: `spool.db`, `spool-2.db`, and so on, one for each process that takes mail."""

from __future__ import annotations

import re
from pathlib import Path

_NAME = re.compile(r"spool(?:-([2-9]|[1-9][0-9]{1,3}))?\.db")


def spool_file(folder: Path, number: int) -> Path:
    """The file of the spool with this number, from 1."""
    return folder / ("spool.db" if number == 1 else f"spool-{number}.db")


def spool_files(path: Path) -> list[Path]:
    """The spools that are there, the first one first: those in a folder, or the file itself."""
    if not path.is_dir():
        return [path] if path.is_file() else []
    found = [(match, each) for each in path.iterdir() if (match := _NAME.fullmatch(each.name))]
    return [each for _, each in sorted(found, key=lambda pair: int(pair[0][1] or 1))]
