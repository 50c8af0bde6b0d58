"""Files that appear whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from sidedoor.errors import OutputError


def partial_of(path: Path) -> Path:
    """Where a file is written before it gets its name."""
    return path.with_name(f".{path.name}.partial")


def cannot_write(path: Path, error: OSError) -> NoReturn:
    """Say so in a sentence. Raises OutputError."""
    raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error


def write_files(contents: Mapping[Path, bytes]) -> None:
    """Write all files beside their places first, then move all into place. Raises OutputError; leaves no rests."""
    path = None
    written: list[Path] = []
    try:
        for parent in dict.fromkeys(path.parent for path in contents):
            path = parent
            parent.mkdir(parents=True, exist_ok=True)
        for path, content in contents.items():
            written.append(path)
            _write(partial_of(path), content)
        while written:
            path = written[-1]
            partial_of(path).replace(path)
            written.pop()
    except OSError as error:
        cannot_write(path or Path(), error)
    finally:
        for name in written:
            with suppress(OSError):
                partial_of(name).unlink(missing_ok=True)


def _write(path: Path, content: bytes) -> None:
    """A new file; what an interrupted run left in its place goes first."""
    try:
        handle = path.open("xb")  # "x": never through a symbolic link that somebody laid there
    except FileExistsError:
        path.unlink()
        handle = path.open("xb")
    with handle:
        handle.write(content)
