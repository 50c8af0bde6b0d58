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
    try:
        for path, content in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            partial_of(path).unlink(missing_ok=True)
            # "x": never through a symbolic link that somebody laid where the partial file goes
            with partial_of(path).open("xb") as handle:
                handle.write(content)
        for path in contents:
            partial_of(path).replace(path)
    except OSError as error:
        cannot_write(path or Path(), error)
    finally:
        for name in contents:
            with suppress(OSError):
                partial_of(name).unlink(missing_ok=True)
