"""Locks on open files (flock(2)) that nobody waits for. Whoever dies lets go of his."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

LOCK_SH, LOCK_EX = fcntl.LOCK_SH, fcntl.LOCK_EX


def try_lock(file: int, kind: int) -> bool:
    """Whether we have it now; held until the file is closed. Raises OSError where files cannot be locked."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def locked(file: int, kind: int) -> Iterator[bool]:
    """Hold it meanwhile, if it is to be had; says whether. Nothing is said where files cannot be locked: not held."""
    try:
        held = try_lock(file, kind)
    except OSError:
        held = False
    try:
        yield held
    finally:
        if held:
            fcntl.flock(file, fcntl.LOCK_UN)
