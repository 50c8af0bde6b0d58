"""A folder of spools: one file for each process that takes mail, held under a lock, so that each has one owner.

A process that dies lets go of its lock, and whoever looks next adopts its spool: a worker that is started again, a
sister, or tomorrow's edge. Files and locks are never deleted: who deletes a lock may delete another's.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from sidedoor.edge.locks import LOCK_EX, try_lock
from sidedoor.edge.spool.files import spool_file, spool_files
from sidedoor.edge.spool.model import SpoolError
from sidedoor.edge.spool.store import Store

_MOST = 1_000


@dataclass(slots=True)
class Slot:
    """A spool's file that is ours until `release`, or until this process ends."""

    path: Path
    _lock: int

    def release(self) -> None:
        """Let somebody else have it; close the spool before."""
        os.close(self._lock)


class SpoolFolder:
    """The folder. Its methods block for moments."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def take(self) -> Slot:
        """The first spool that nobody has, made where all are taken. Raises SpoolError."""
        for number in range(1, _MOST):
            slot = self._locked(spool_file(self.folder, number))
            if slot is not None:
                return slot
        raise SpoolError(f"{self.folder}: all {_MOST:,} spools are in use")

    def abandoned(self) -> list[Slot]:
        """Spools that have no owner and something in them, or that cannot be read; ours from now on."""
        found = []
        for path in spool_files(self.folder):
            slot = self._locked(path)
            if slot is None:
                continue
            if _has_something(path):
                found.append(slot)
            else:
                slot.release()
        return found

    def _locked(self, path: Path) -> Slot | None:
        """None where somebody has it. The lock is on a file of its own: SQLite has locks on the spool itself."""
        try:
            lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise SpoolError(f"{self.folder}: no spool can be made there ({error.strerror})") from error
        try:
            if try_lock(lock, LOCK_EX):
                return Slot(path, lock)
        except OSError as error:
            os.close(lock)
            raise SpoolError(f"{self.folder}: spools cannot be locked there ({error.strerror})") from error
        os.close(lock)
        return None


def _has_something(path: Path) -> bool:
    try:
        store = Store(path)
    except SpoolError:
        return True
    try:
        return not store.is_empty()
    finally:
        store.close()
