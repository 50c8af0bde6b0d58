"""What a command says where the libraries of its extra are not installed, or the system is not one it runs on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from sidedoor.errors import UsageError


@contextmanager
def needs(command: str, extra: str) -> Iterator[None]:
    """Imports of an extra's libraries within the block. Raises UsageError that says what to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "sidedoor":
            raise
        raise UsageError(f"{command} needs {error.name}: install sidedoor[{extra}]") from error


def needs_posix(command: str) -> None:
    """Servers that signals tell to read their settings anew. Raises UsageError on Windows."""
    if os.name != "posix":
        raise UsageError(f"{command} needs a POSIX system (Linux, macOS, BSD): run it there, or in a container")
