"""What a command says where the libraries of its extra are not installed."""

from __future__ import annotations

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
