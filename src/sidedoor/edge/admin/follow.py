"""A file that another process appends to, read as it grows and across its rotation."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

_MOST_LINE = 1 << 20  # a line of the decision log is bounded well below


class Followed:
    """`lines()` gives complete lines that were not given yet; a line beyond 1 MB is left out."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self._skipping = False

    def lines(self) -> Iterator[bytes]:
        """The rest of the old file first, where a new one lies in its place. Raises OSError for what cannot be read."""
        # Before reading on: who has begun a new file writes no more into the old one.
        turned = self._turned()
        if self._file is not None:
            yield from self._rest(self._file)
        if turned:
            self.close()
            with suppress(FileNotFoundError):
                self._file = self._path.open("rb")
                yield from self._rest(self._file)

    def _turned(self) -> bool:
        """Whether another file lies there, or the same one cut off."""
        try:
            there = self._path.stat()
        except FileNotFoundError:
            return False  # renamed, and the new one is not there yet
        if self._file is None:
            return True
        here = os.fstat(self._file.fileno())
        return (there.st_ino, there.st_dev) != (here.st_ino, here.st_dev) or there.st_size < self._file.tell()

    def _rest(self, file: IO[bytes]) -> Iterator[bytes]:
        while True:
            start = file.tell()
            line = file.readline(_MOST_LINE)
            if not line:
                return
            if line.endswith(b"\n"):
                if not self._skipping:
                    yield line
                self._skipping = False
            elif len(line) == _MOST_LINE:
                self._skipping = True
            else:
                file.seek(start)  # the rest of it is still being written
                return

    def close(self) -> None:
        """Give the file back."""
        self._skipping = False
        if self._file is not None:
            self._file.close()
            self._file = None
